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
makes_nothing "events=0" ramp --events 0
makes_nothing "seed=x" ramp --seed x
refuses 2 'name a model' "$REHEAP" generate
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
