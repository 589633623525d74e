#!/usr/bin/env bash
# A real recording through layers: every number that follows from its events, recounted by recount.py.
. "${TEST_SRCDIR:?}/${TEST_WORKSPACE:?}/tests/cli/lib.sh"

[ -x /usr/bin/python3 ] || skip "there is no /usr/bin/python3 to record"
recount() { # WHAT: of out
    /usr/bin/python3 "$runfiles/tests/cli/layers/recount.py" events.json "$TMP/out" >recounted || problem "$1: $(head -n 12 recounted)"
    tail -n 1 recounted
}
cat >program.py <<'END'
import ast, collections, json, re
text = "\n".join("def f%d(a, b=%d):\n    return [a, b, {'k': a * %d}]" % (i, i, i) for i in range(15))
compile(ast.parse(text), "made", "exec")
table = {str(i): [i, i / 7, "x" * (i % 900)] for i in range(200)}
table = json.loads(json.dumps(table))
words = collections.Counter(re.findall(r"\w+", text * 2))
big = bytearray(10)
for i in range(200):
    big.extend(b"y" * 5000)
END
"$REHEAP" record --python -o program.rht -- /usr/bin/python3 -I -S program.py 2>record.err ||
    problem "cannot record: $(cat record.err)"
"$REHEAP" dump --json program.rht >events.json

# Each layer, over allocators of every kind, and stacks in both orders.
layers=$("$REHEAP" allocators | sed -n 's/^+\([a-z]*\).*/\1/p')
specs=()
for base in pymalloc malloc bestfit bump mimalloc plugin,so=$runfiles/alloc/kingsley.so; do
    [ "$base" != mimalloc ] || "$REHEAP" allocators mimalloc | grep -q version || continue
    specs+=(-a "$base" -a "$base+count+fault,every=1000+count" -a "$base+fault,nth=77+count+fault,odds=300,seed=5")
    for layer in $layers; do
        specs+=(-a "$base+$layer")
        [[ $layer = count || $base = bump || $base = bestfit ]] || specs+=(-a "$base+count+$layer+count" -a "$base+$layer+fault,every=777+count")
    done
done
expect 0 '' "$REHEAP" replay program.rht "${specs[@]}" --reps 1 --measure memory --json
recount "layers over allocators"

# Lists of other lengths and sizes; beneath and above other layers; two of a kind.
specs=()
for base in pymalloc malloc plugin,so=$runfiles/alloc/kingsley.so; do
    for stack in freelist,max=1 freelist,max=2000,small=64+count freelist,grain=64,small=1000 count+freelist,grain=8+count \
        freelist+debug debug+freelist+count freelist+trace+fault,odds=100 fault,odds=100+freelist+trace freelist,max=3+freelist,max=5 \
        trace+freelist+count+trace debug+fault,every=500+debug; do
        [ "$base $stack" = 'pymalloc debug+fault,every=500+debug' ] || # where pymalloc asks RAW again is not in the recording
            specs+=(-a "$base+$stack")
    done
done
expect 0 '' "$REHEAP" replay program.rht "${specs[@]}" --reps 1 --measure memory --json
recount "free lists"

# The recount can fail: it does for a recording that lacks one event.
cp events.json whole.json
sed -i '0,/"operation":"malloc"/{/"operation":"malloc"/d}' events.json
/usr/bin/python3 "$runfiles/tests/cli/layers/recount.py" events.json "$TMP/out" >recounted && problem "the recount misses an event"
mv whole.json events.json

# Failure of the Nth call for memory, up to beyond the last, in the passes of time as well.
calls=$(/usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["runs"][0]["metrics"]["fault_calls"])' <(
    "$REHEAP" replay program.rht -a bump+fault,nth=1 --reps 1 --measure memory --json 2>/dev/null))
[ "$calls" -gt 10000 ] || problem "only $calls calls for memory"
specs=()
for n in 1 2 3 10 1000 $((calls / 2)) $((calls - 1)) "$calls" $((calls + 1)); do
    specs+=(-a "malloc+fault,nth=$n" -a "pymalloc+fault,nth=$n+count")
done
expect 0 'flagged' "$REHEAP" replay program.rht "${specs[@]}" --reps 1 --measure memory,throughput --json
recount "the Nth call fails"
/usr/bin/python3 - "$TMP/out" "$calls" <<'PYTHON' || problem "one failure is not one failure"
import json, re, sys
last = int(sys.argv[2])
for run in json.load(open(sys.argv[1]))["runs"]:
    nth, m = int(re.search(r"nth=(\d+)", run["allocator"]["spec"]).group(1)), run["metrics"]
    # One call fails; what was to happen to that block afterwards is skipped, a death at most and the reallocs before it.
    assert m["failed_allocations"] == m["fault_failures"] == (nth <= last), (nth, m["failed_allocations"])
    assert m["skipped_events"] == 0 if nth > last else m["skipped_events"] <= 1000
PYTHON
expect 0 'is flagged: 1 call failed' "$REHEAP" replay program.rht -a malloc+fault,nth=10 --reps 1 --measure memory

# Rules of all kinds.
specs=()
for rule in every=1 every=3 odds=2 odds=50,seed=9 from=512,every=2 from=1K domain=raw,every=5 domain=mem,odds=3,seed=0 \
    domain=obj,from=100,nth=500,every=900; do
    specs+=(-a "pymalloc+fault,$rule" -a "malloc+count+fault,$rule+count")
done
expect 0 'flagged' "$REHEAP" replay program.rht "${specs[@]}" --reps 1 --measure memory --json
recount "rules of failure"

finish
