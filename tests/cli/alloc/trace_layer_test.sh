#!/usr/bin/env bash
# A recording of a real program through the layer `trace`, against a count by other means: what the events of the dump say.
. "${TEST_SRCDIR:?}/${TEST_WORKSPACE:?}/tests/cli/lib.sh"

[ -x /usr/bin/python3 ] || skip "there is no /usr/bin/python3 to record"
cat >program.py <<'END'
import ast, json, os
text = "\n".join("def f%d(a, b=%d):\n    return [a, b, {'k': a * %d}]" % (i, i, i) for i in range(200))
for _ in range(2):
    compile(ast.parse(text), "made", "exec")
table = {str(i): [i, i / 7, "x" * (i % 50)] for i in range(3000)}
for _ in range(2):
    table = json.loads(json.dumps(table))
os._exit(0)  # with everything alive
END
"$REHEAP" record --python -o program.rht -- /usr/bin/python3 program.py 2>record.err ||
    problem "cannot record: $(cat record.err)"
"$REHEAP" dump --json program.rht >events.json || problem "cannot dump"

specs=(pymalloc+trace pymalloc,arena=64K,pool=4K+trace,peak=sizes bestfit+trace,peak=sizes pymalloc@3.8,metadata=side+trace,frames=4,stack=return bestfit+trace malloc+trace
    pymalloc+debug+trace pymalloc+trace+debug pymalloc+trace+trace pymalloc+count+trace+fault,nth=1000000000)
[ ! -e /usr/lib/x86_64-linux-gnu/libmimalloc.so.2 ] || specs+=(mimalloc+trace)
options=()
for spec in "${specs[@]}"; do options+=(-a "$spec"); done
expect 0 '' "$REHEAP" replay program.rht "${options[@]}" --measure memory --reps 1 --samples 500 --json -o runs.db
cp "$TMP/out" runs.json

/usr/bin/python3 - "${specs[@]}" <<'END' || problem "the numbers are not those of the events"
import collections, json, sqlite3, sys

events = json.load(open("events.json"))["events"]

# What lives, by the events alone: at the end, or right after one. A heap that is not CPython's is asked for 1 byte where
# realloc was for 0. Also the most there was, and the first event with so much.
def recount(zero_becomes, last=None):
    live, total, peak, first = {}, 0, 0, None
    for event in events[:last]:
        flags = event["flags"]
        if "failed" in flags or "nested" in flags:
            continue
        operation, slot = event["operation"], event.get("slot")
        if operation in ("malloc", "calloc", "aligned") or (operation == "realloc" and slot is not None):
            resized = operation == "realloc" and slot in live
            total -= live.pop(slot, 0)
            live[slot] = event["size"] or (zero_becomes if resized else 0)
            total += live[slot]
            if total > peak:
                peak, first = total, event["event"]
        elif operation == "free" and slot is not None:
            total -= live.pop(slot)
    return live, total, peak, first

def groups(live, more):
    found = collections.Counter(size + more for size in live.values())
    return sorted(((size * count, count, size) for size, count in found.items()),
                  key=lambda group: (-group[0], -group[1], group[2]))

# A table by size in a text, the first after `heading`: bytes, blocks, size; of the others bytes, blocks, how many.
def groups_of(text, heading):
    text = text[text.index(heading):]
    table = text[text.index("average  size\n"):].split("\n\n")[0].splitlines()[1:]
    rows = [line.replace(",", "").split() for line in table]
    shown = [(int(row[0]), int(row[1]), int(row[3])) for row in rows if row[-1] != "others"]
    rest = [(int(row[0]), int(row[1]), int(row[3])) for row in rows if row[-1] == "others"]
    return shown, rest[0] if rest else (0, 0, 0)

def check_groups(spec, heading, counted):
    shown, rest = groups_of(runs[spec]["passes"]["memory"]["statistics"], heading)
    assert shown == counted[:20], (spec, heading, shown, counted[:20])
    others = counted[20:]
    assert rest == (sum(g[0] for g in others), sum(g[1] for g in others), len(others)), (spec, heading, rest)

database = sqlite3.connect("runs.db")
database.row_factory = sqlite3.Row
recounted = {0: recount(0), 1: recount(1)}
runs = {run["allocator"]["spec"]: run for run in json.load(open("runs.json"))["runs"]}
for spec in sys.argv[1:]:
    exact = spec.startswith("pymalloc")
    own = exact or spec.startswith("bestfit")
    decoration = 24 if spec.endswith("+trace+debug") else 0  # the layer sees what the hooks above it ask for
    live, total, peak, first = recounted[0 if exact else 1]
    metrics, samples = runs[spec]["metrics"], database.execute(
        "select sample.* from sample join run on run.id = sample.run where run.spec = ?", (spec,)).fetchall()
    assert len(samples) > 400, spec
    for sample in samples:
        assert sample["traced_blocks"] == sample["live_blocks"], (spec, dict(sample))
        if exact:
            wanted = sample["requested_bytes"] + decoration * sample["live_blocks"]
            assert sample["traced_bytes"] == wanted, (spec, dict(sample))
        if own:
            assert sample["mapped_bytes"] == sum(sample[part + "_bytes"] for part in (
                "block", "header", "page_header", "page_tail", "free_block", "free_page", "free_arena", "metadata",
                "other")), (spec, dict(sample))
        assert sample["trace_table_bytes"] <= sample["metadata_bytes"], (spec, dict(sample))
    assert metrics["traced_blocks"] == len(live) > 10000, (spec, metrics["traced_blocks"], len(live))
    assert metrics["traced_bytes"] == total + decoration * len(live), (spec, metrics["traced_bytes"], total)
    if not decoration:
        assert metrics["peak_traced_bytes"] == peak, (spec, metrics["peak_traced_bytes"], peak)
    if exact and not decoration:
        assert metrics["peak_traced_bytes"] == metrics["peak_requested_bytes"], spec
    check_groups(spec, "# traced blocks", groups(live, decoration))
    if "peak=sizes" in spec:
        at_peak = recount(0 if exact else 1, first + 1)[0]
        assert sum(at_peak.values()) == peak
        check_groups(spec, "at the peak:", groups(at_peak, 0))
print(len(sys.argv) - 1, "heaps agree with", len(live), "live blocks")
END

# Without the layer nobody knows.
"$REHEAP" replay program.rht -a pymalloc --measure memory --reps 1 --json >plain.json 2>/dev/null
same "unknown is null" "None None" "$(/usr/bin/python3 -c 'import json
it = json.load(open("plain.json"))["runs"][0]["metrics"]; print(it["traced_bytes"], it["peak_traced_bytes"])')"
expect 0 '3 arenas \* 1048576|arenas \* 1048576 bytes' "$REHEAP" replay program.rht -a pymalloc --measure memory --reps 1 --statistics
expect 0 '^pymalloc\+trace:$' "$REHEAP" replay program.rht -a pymalloc+trace --measure memory --reps 1 --statistics
refuses 2 "frames is a number from 1 to 65535" "$REHEAP" replay program.rht -a pymalloc+trace,frames=65536 --reps 1
finish
