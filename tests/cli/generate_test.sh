#!/usr/bin/env bash
# reheap generate: every model makes a sound trace, the same one for the same seed, with what its parameters say.
. "${BASH_SOURCE[0]%/*}/lib.sh"

number() { # FILE NAME: of info --json
    "$REHEAP" info --json "$1" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}
about() { # WHAT EXPECTED GOT: within a twentieth
    if (($3 * 20 >= $2 * 19 && $3 * 20 <= $2 * 21)); then echo "ok: $1"; else problem "$1: expected about $2, got $3"; fi
}

cat >fleet.csv <<'END'
# size, rate, live
16, 100, 1000
64, 50.5, 3e3

4096, 0, 10
512, 1e-1, 5
END

# Whatever the list names can be made.
expect 0 'random .*steady state' "$REHEAP" generate --models
expect 0 '' "$REHEAP" generate --models --json
models=$(/usr/bin/python3 -c 'import json, sys; print(*[m["name"] for m in json.load(sys.stdin)["models"]])' <out)
[ "$(wc -w <<<"$models")" -ge 12 ] || problem "few models: $models"
for model in $models; do
    spec=$model
    case $model in
    peaks) spec=peaks,peaks=2 ;;
    profile) spec=profile,file=fleet.csv,live=1M ;;
    esac
    expect 0 '' "$REHEAP" generate "$spec" --events 400000 --seed 7 -o "$model.rht"
    expect 0 'sound' "$REHEAP" check "$model.rht"
    same "$model: its events" 400000 "$(number "$model.rht" events)"
    expect 0 '' "$REHEAP" generate "$spec" --events 400000 --seed 7 -o again.rht
    cmp "$model.rht" again.rht || problem "$model: the same seed made another file"
    expect 0 '' "$REHEAP" generate "$spec" --events 400000 --seed 8 -o again.rht
    # The spaced and the adversary draw nothing, and all name their seed.
    ! cmp -s "$model.rht" again.rht || problem "$model: another seed made the same file"
done

# What the parameters say is what comes.
expect 0 '' "$REHEAP" generate random,live=3000,sizes=uniform,min=100,max=300 --events 500000 -o a.rht
about "random: blocks alive" 3000 "$(number a.rht end_live_blocks)"
about "random: bytes alive" 600000 "$(number a.rht end_requested_bytes)"
expect 0 '' "$REHEAP" generate random,live=3000,lifetimes=bimodal,sizes=powers,min=16,max=64 --events 500000 -o a.rht
about "random: bimodal lives" 3000 "$(number a.rht end_live_blocks)"
expect 0 '' "$REHEAP" generate ramp,live=20000,brief=10 --events 300000 -o a.rht
about "ramp: blocks alive" 20000 "$(number a.rht end_live_blocks)"
expect 0 '' "$REHEAP" generate plateau,live=10000 --events 300000 -o a.rht
about "plateau: most alive" 10000 "$(number a.rht peak_live_blocks)"
(($(number a.rht end_live_blocks) < 1000)) || problem "plateau: it does not go down"
expect 0 '' "$REHEAP" generate pinning,objects=100000,one-in=50,stays=spaced,min=32,max=32 -o a.rht
same "pinning: most alive" 100000 "$(number a.rht peak_live_blocks)"
same "pinning: what stays" 2000 "$(number a.rht end_live_blocks)"
same "pinning: marks" 3 "$(number a.rht marks)"
same "pinning: its round" 198000 "$(number a.rht events)"
expect 0 '' "$REHEAP" generate stack,live=1000 --events 100000 -o a.rht
(($(number a.rht peak_live_blocks) <= 1000)) || problem "stack: more than it may have"
expect 0 '' "$REHEAP" generate relay,producers=3,consumers=5 --events 100000 -o a.rht
same "relay: threads" 8 "$(number a.rht threads)"
expect 0 '' "$REHEAP" generate larson,threads=2,stint=10000 --events 100000 -o a.rht
(($(number a.rht threads) >= 4)) || problem "larson: no thread ends"
expect 0 '' "$REHEAP" generate robson,live=1M,smallest=16,largest=4K -o a.rht
same "robson: most alive" 1048576 "$(number a.rht peak_requested_bytes)"
expect 0 '' "$REHEAP" generate profile,file=fleet.csv,live=1M --events 200000 -o a.rht
about "profile: bytes alive" 1048576 "$(number a.rht end_requested_bytes)"
expect 0 '' "$REHEAP" generate vectors,count=10 --events 100000 -o a.rht
(($(number a.rht reallocations) > 8000)) || problem "vectors: few resizes"

# Robson's program does what it is for: best fit takes far more than what lives.
expect 0 '' "$REHEAP" generate robson,live=8M,largest=64K -o a.rht
expect 0 '' "$REHEAP" replay --json --measure memory -a bestfit a.rht
/usr/bin/python3 -c 'import json, sys
excess = json.load(sys.stdin)["runs"][0]["metrics"]["fragmentation_peak_to_peak"]
sys.exit(f"robson: best fit takes only {1 + excess:.2f} times what lives" if excess < 1.5 else 0)' <out || problem "robson is harmless"

# Like another trace: as many calls of each kind and size, another order, and what lasts stays in a longer one.
sizes() { # FILE: births by operation, domain, size
    "$REHEAP" export --to text "$1" | sed -n 's/^\(t[0-9]* \)\?\(\(raw\|mem\|obj\) \)\?\(malloc\|calloc\|aligned\|realloc\) /\2\4 /p' |
        sed 's/#.*//' | sort | uniq -c
}
cat >kinds.txt <<'END'
reheap-text 1
header {"capture":"python","domains":true}
raw calloc 10 100 #1
obj malloc 56 #2
mem aligned 100 64 #3
mark "phase one"
t1 raw realloc 2000 #1
obj free null
obj malloc 7 failed
mem realloc 5000 #3 failed
raw malloc 1 #4 nested
mem realloc 80 #5 null
obj free #2
raw free #4 nested
t2 mark "phase two"
t2 raw free #1
END
expect 0 '' "$REHEAP" import --from text kinds.txt -o kinds.rht
expect 0 'like kinds.rht' "$REHEAP" generate --like kinds.rht -o b.rht
expect 0 sound "$REHEAP" check b.rht
diff <(sizes kinds.rht | grep -v ' raw malloc 1 ') <(sizes b.rht) || problem "like: other births than the original's"
for name in threads marks failed_allocations null_frees frees end_requested_bytes; do
    nested=$([ $name = frees ] && echo 1 || echo 0)
    same "like: $name" $(($(number kinds.rht $name) - nested)) "$(number b.rht $name)"
done

expect 0 '' "$REHEAP" generate peaks,live=5000,peaks=3 --events 300000 -o a.rht
expect 0 '' "$REHEAP" generate --like a.rht --seed 5 --json -o b.rht
/usr/bin/python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["events"] == d["original_events"] == 300000 and d["moved_share"] > 0.5, d' <out || problem "like: its JSON"
diff <(sizes a.rht) <(sizes b.rht) || problem "like: other sizes than the original's"
expect 0 sound "$REHEAP" check b.rht
about "like: most alive" "$(number a.rht peak_requested_bytes)" "$(number b.rht peak_requested_bytes)"
same "like: alive at the end" "$(number a.rht end_live_blocks)" "$(number b.rht end_live_blocks)"
expect 0 '' "$REHEAP" generate --like a.rht --seed 5 -o c.rht
cmp b.rht c.rht || problem "like: the same seed made another file"
expect 0 '' "$REHEAP" generate --like a.rht --seed 6 -o c.rht
! cmp -s b.rht c.rht || problem "like: another seed made the same file"
for events in 200000 1000000; do
    expect 0 '' "$REHEAP" generate --like a.rht --events $events -o c.rht
    expect 0 sound "$REHEAP" check c.rht
    about "like: $events events" $events "$(number c.rht events)"
    about "like: most alive in $events" "$(number a.rht peak_requested_bytes)" "$(number c.rht peak_requested_bytes)"
done

# How far the replays are: none from themselves (of our own heaps: where the C library's begins varies from process to
# process, and with it its last page or two), little from a likeness, much from something else.
expect 0 'score: 100.00 %, the largest difference 0.00 %' "$REHEAP" fidelity a.rht a.rht -a pymalloc -a bestfit
expect 0 'score: (99|100)\.' "$REHEAP" fidelity a.rht a.rht
expect 0 'score: 9[0-9]' "$REHEAP" fidelity a.rht b.rht --at-least 95
expect 1 'below 95 %' "$REHEAP" fidelity a.rht queue.rht --at-least 95
expect 0 '' "$REHEAP" fidelity a.rht b.rht -a bump -a pymalloc --json
/usr/bin/python3 -c 'import json, sys
d = json.load(sys.stdin)
assert d["schema"] == "reheap.fidelity/1" and 0.9 < d["score"] <= 1, d
assert [a["spec"] for a in d["allocators"]] == ["bump", "pymalloc"], d
one = d["allocators"][1]["numbers"]
assert one["peak_mapped_bytes"]["made"] > 0 and one["mapped_over_time"]["difference"] < 0.1, d' <out || problem "fidelity: its JSON"
refuses 2 'name two traces' "$REHEAP" fidelity a.rht
refuses 2 "no allocator 'pymallok'" "$REHEAP" fidelity a.rht b.rht -a pymallok
refuses 2 'from 0 to 100' "$REHEAP" fidelity a.rht b.rht --at-least lots
refuses 3 'missing.rht' "$REHEAP" fidelity a.rht missing.rht

# What cannot be.
makes_nothing() { # PATTERN WORD...
    local pattern=$1
    shift
    refuses 2 "$pattern" "$REHEAP" generate "$@" -o none.rht
    absent none.rht
}
makes_nothing "no model 'rmap'; did you mean 'ramp'" rmap
makes_nothing "ramp has no key 'lvie'; did you mean 'live'" ramp,lvie=3
makes_nothing "'live=x' is not allowed; live is a number from 1" ramp,live=x
makes_nothing "profile needs file=" profile
makes_nothing "min=2048 is above max=1024" random,min=2K,max=1K
makes_nothing "mean=128 is not between" random,min=1K
makes_nothing "no power of two from min=17 to max=31" random,sizes=powers,min=17,max=31
makes_nothing "100 events are too few" ramp --events 100
makes_nothing "live set alone" profile,file=fleet.csv --events 100
makes_nothing "do not ascend" robson,smallest=64,largest=16
makes_nothing "from=64 is above to=32" vectors,to=32
makes_nothing "nothing can follow" ramp+count
makes_nothing "one model" ramp queue
makes_nothing "not both" ramp --like a.rht
makes_nothing "a.rht: [0-9]* of its 300000 calls belong to blocks that last" --like a.rht --events 1000
makes_nothing "events=0" ramp --events 0
makes_nothing "seed=x" ramp --seed x
refuses 2 'name a model' "$REHEAP" generate
refuses 3 'missing.rht' "$REHEAP" generate --like missing.rht -o none.rht
refuses 3 'fleet.csv' "$REHEAP" generate --like fleet.csv -o none.rht
absent none.rht
refuses 5 'no/such' "$REHEAP" generate stack -o no/such/x.rht

# A profile that is none: file, line and reason.
bad_profile() { # PATTERN TEXT
    printf "$2" >bad.csv
    refuses 3 "bad.csv: $1" "$REHEAP" generate profile,file=bad.csv -o none.rht
    absent none.rht
}
bad_profile 'line 2: it is not three numbers' '1, 2, 3\n1, 2\n'
bad_profile 'line 1: it is not three numbers' '1, 2, 3, 4\n'
bad_profile 'line 3: the size is not a whole' '\n\n1.5, 2, 3\n'
bad_profile 'line 1: the size is not a whole' 'size, rate, live\n'
bad_profile 'line 1: the size is not a whole' '0x10, 2, 3\n'
bad_profile 'line 1: the size is above 1T' '1e13, 2, 3\n'
bad_profile 'line 1: the rate .* is not a number' '1, -2, 3\n'
bad_profile 'line 1: the rate .* is not a number' '1, nan, 3\n'
bad_profile 'line 1: how many live' '1, 2, 1e999\n'
bad_profile 'line 1: how many live' '1, 2, \n'
bad_profile 'there is nothing in it that is allocated' ''
bad_profile 'there is nothing in it that is allocated' '1, 0, 3\n'
bad_profile 'there is nothing in it that lives' '1, 2, 0\n'
bad_profile 'line 2' '1, 2, 3\n\001\002\003\n'
refuses 3 'missing.csv' "$REHEAP" generate profile,file=missing.csv -o none.rht
absent none.rht

# A real profile: its blocks live and go as often as it says.
if [ -n "${REHEAP_TEST_DATA:-}" ] && [ -d "$REHEAP_TEST_DATA/fleetbench" ]; then
    for profile in "$REHEAP_TEST_DATA"/fleetbench/TCMALLOC_[13].csv; do
        expect 0 '' "$REHEAP" generate "profile,file=$profile,live=16M" --events 1000000 -o a.rht
        expect 0 'sound' "$REHEAP" check a.rht
        "$REHEAP" export --to text a.rht | /usr/bin/python3 -c '
import collections, sys
born, steady, total = collections.Counter(), False, 0
for line in sys.stdin:
    words = line.split()
    if words[:1] == ["mark"]:
        steady = words[1] == "\"steady\""
    elif steady and words[0] == "malloc":
        born[int(words[1])] += 1
        total += 1
rates = {int(a): float(b) for a, b, c in (line.split(",") for line in open(sys.argv[1]))}
whole = sum(rates.values())
for size in sorted(rates, key=rates.get)[-5:]:
    share, got = rates[size] / whole, born[size] / total
    if abs(got / share - 1) > 0.05:
        sys.exit(f"{size} bytes: a share of {got:.4f} of the births, not {share:.4f}")' "$profile" || problem "$profile"
    done
else
    echo "SKIP: the profiles of fleetbench: no REHEAP_TEST_DATA"
fi
finish
