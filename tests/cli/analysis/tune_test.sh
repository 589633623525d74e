#!/usr/bin/env bash
# reheap tune: a small real tuning, its JSON, what it refuses.
. "$TEST_SRCDIR/$TEST_WORKSPACE/tests/cli/lib.sh"

refuses 2 'name a recording' "$REHEAP" tune
refuses 2 '--vary arena' "$REHEAP" tune x.rht --vary arena
refuses 2 'begins above its end' "$REHEAP" tune x.rht --vary arena=2M:1M
refuses 2 '--budget soon' "$REHEAP" tune x.rht --budget soon
refuses 2 "--reps is a number .*'0'" "$REHEAP" tune x.rht --reps 0
refuses 2 '--by size' "$REHEAP" tune x.rht --by size
refuses 2 'already sets it' "$REHEAP" tune x.rht --base pymalloc,arena=1M --vary arena=1M,2M
refuses 2 'nonesuch' "$REHEAP" tune x.rht --base nonesuch --vary arena=1M,2M
refuses 2 'none of the 2 combinations is possible' "$REHEAP" tune x.rht --vary arena=1,3 --vary pool=16K
refuses 2 'shoe' "$REHEAP" tune x.rht --vary shoe=1,3
refuses 3 'x\.rht' "$REHEAP" tune x.rht -o out.db
echo "some text, and more of it" >text
refuses 3 'text' "$REHEAP" tune text -o out.db
absent out.db

[ -x /usr/bin/python3 ] || skip "/usr/bin/python3 is not installed"
for seed in 1 2; do
    "$REHEAP" record -o "small$seed.rht" --python -- /usr/bin/python3 -c \
        "import json; json.dumps([str(n) * $seed for n in range(20000)])" 2>err || { cat err; problem "cannot record"; }
done

refuses 5 'nowhere/out\.db' "$REHEAP" tune small1.rht --reps 1 -o nowhere/out.db

# 8 combinations, two of them impossible: no pool fits an arena that is not larger.
expect 0 '"schema": "reheap.tune/1"' "$REHEAP" tune small1.rht --vary arena=256K:2M --vary pool=4K,16K --vary \
    policy=most-full --reps 3 --holdout small2.rht --json -o tuned.db
/usr/bin/python3 - out <<'END' || problem "the JSON is not as it should be"
import json, sys
t = json.load(open(sys.argv[1]))
assert t["baseline"]["spec"] == "pymalloc" and t["baseline"]["memory_ratio"] == 1
assert len(t["candidates"]) + len(t["skipped"]) == 8, (len(t["candidates"]), t["skipped"])
specs = {c["spec"] for c in t["candidates"]}
assert "pymalloc,arena=1M,pool=16K,policy=most-full" in specs
for c in t["candidates"]:
    assert c["ns_per_event"] > 0 and c["fragmentation_mean"] > -1 and c["speed"] in ("same", "not distinguishable", "faster", "slower")
same = [c for c in t["candidates"] if c["spec"] == "pymalloc,arena=1M,pool=16K,policy=most-full"][0]
assert abs(same["memory_ratio"] - 1) < 1e-9, same
best = min([t["baseline"]] + t["candidates"], key=lambda c: c["memory_ratio"])
assert any(c["pareto"] and c["memory_ratio"] == best["memory_ratio"] for c in [t["baseline"]] + t["candidates"])
assert t["recommended"]["gain"]
assert (t["recommended"]["spec"] == "pymalloc") == (t["holdout"] is None)
END
expect 0 '^pymalloc,arena=512K' "$REHEAP" compare tuned.db
mkdir temporary
expect 0 '^Worth having' env TMPDIR="$TMP/temporary" "$REHEAP" tune small1.rht --vary arena=256K,1M --reps 1 --by peak --budget 1s
[ -z "$(ls -A temporary)" ] ||
    problem "results that nobody asked for are left behind"

# With a comma, colons belong to the values.
expect 0 '"schema": "reheap.tune/1"' "$REHEAP" tune small1.rht --vary classes=linear:16,geometric:4,16:32:64:128:256:512 \
    --reps 1 --json
grep -q '"pymalloc,classes=16:32:64:128:256:512"' out || problem "a list of classes was not tried"

# Aged heaps, the recording again and again.
expect 0 '' "$REHEAP" tune small1.rht --vary arena=256K,1M --reps 1 --age 1 --loop 2,end=free --touch first -o aged.db
expect 0 '--touch first --age 1,keep=10%,seed=1 --loop 2,end=free' "$REHEAP" compare aged.db
refuses 2 'keep=PERCENT' "$REHEAP" tune small1.rht --age much

# A budget that is over at once: one round of everything, and a recommendation that does not call itself sure.
expect 0 'the likely ones with 1 repetition' "$REHEAP" tune small1.rht --vary arena=256K,1M,2M --reps 9 --budget 0.01s
grep -qE 'too few runs|keep it' out || problem "one run is called sure"

# Combinations that cannot be are left out, counted and named.
expect 0 '1 combinations? left out' "$REHEAP" tune small1.rht --vary arena=256K,1M,3M --reps 1
# A holdout that is one of the recordings says nothing.
cp small1.rht again.rht
"$REHEAP" tune small1.rht --vary arena=256K --reps 1 --holdout again.rht >out 2>err
got=$?
if grep -q 'keep it' out; then echo "ok: nothing to hold out"; else judge 2 'hold out another' "$got" "holdout of the same recording"; fi
finish
