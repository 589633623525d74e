#!/usr/bin/env bash
# What `info` tells of a program's habits, recounted from the text of the trace.
. "${BASH_SOURCE[0]%/*}/lib.sh"

cat >recount.py <<'END'
"""The same numbers from `reheap export --to text`, in the plainest way."""
import json, sys

alive, lifetimes, growths, threads = {}, {}, {}, {}
phases, calls, resized, resizes = [{"name": None, "events": 0, "requests": 0, "bytes": 0, "peak": 0}], 0, 0, {}
for line in open(sys.argv[1]):
    if line.startswith(("reheap-text", "header", "end ")):
        continue
    words = line.split()
    while words[0][0] == "@" or words[0] in ("raw", "mem", "obj") or (words[0][0] == "t" and words[0][1:].isdigit()):
        words.pop(0)
    thread = next((int(word[1:]) for word in line.split()[:2] if word[0] == "t" and word[1:].isdigit()), 0)
    what, flags = words[0], {"failed", "nested", "null", "foreign"} & set(words)
    if what == "mark":
        phases[-1].update(end=sum(size for _, size, _, _ in alive.values()))
        phases.append({"name": json.loads(line[line.index("mark") + 5:]), "events": 0, "requests": 0, "bytes": 0, "peak": 0})
        phases[-1]["peak"] = phases[-2]["end"]
    if what in ("mark", "checkpoint", "arena-alloc", "arena-free") or "nested" in flags:
        continue
    calls += 1
    mine = threads.setdefault(thread, [0, 0, 0, 0])
    mine[0] += 1
    phases[-1]["events"] += 1
    slot = next((word for word in words if word[0] == "#"), None)
    if slot is None or "failed" in flags:
        continue
    if what == "free":
        if slot in alive:
            birth, size, owner, _ = alive.pop(slot)
            lived, limit = calls - birth, 1
            while limit < lived:
                limit *= 4
            entry = lifetimes.setdefault(limit, [0, 0])
            entry[0] += 1
            entry[1] += size
            mine[3] += owner != thread
        continue
    size = int(words[1]) * int(words[2]) if what == "calloc" else int(words[1])
    if what == "realloc" and not flags:
        if slot not in alive:
            continue
        birth, before, owner, count = alive[slot]
        ratio = (size > before) + (size > before + before // 4) + (size > before + before // 2) + (size > 2 * before)
        name = ["same", "to_1.25_times", "to_1.5_times", "to_2_times", "more"][ratio] if size >= before else "smaller"
        growths[name] = growths.get(name, 0) + 1
        resized += before
        alive[slot] = birth, size, owner, count + 1
        resizes[slot, birth] = count + 1
    else:
        alive[slot] = calls, size, thread, 0
    mine[1] += 1
    mine[2] += size
    phases[-1]["requests"] += 1
    phases[-1]["bytes"] += size
    if len(sys.argv) > 3:
        phases[-1]["peak"] = max(phases[-1]["peak"], sum(size for _, size, _, _ in alive.values()))
info = json.load(open(sys.argv[2]))
told = {
    "lifetimes": {entry["up_to_calls"]: [entry["blocks"], entry["bytes"]] for entry in info["lifetimes"]},
    "growths": {name: count for name, count in info["resizes"].items() if count},
    "threads": {i: [t["events"], t["requests"], t["bytes"], t["frees_of_others"]] for i, t in enumerate(info["by_thread"])},
    "resized": [info["resized_bytes"], info["most_resizes"]],
    "phases": [[p["name"], p["events"], p["requests"], p["bytes"]] for p in info["phases"]],
}
counted = {
    "lifetimes": lifetimes, "growths": growths, "threads": threads,
    "resized": [resized, max(resizes.values(), default=0)],
    "phases": [[p["name"], p["events"], p["requests"], p["bytes"]] for p in phases],
}
if len(sys.argv) > 3:
    told["peaks"] = [p["peak_requested_bytes"] for p in info["phases"]]
    counted["peaks"] = [p["peak"] for p in phases]
for name in counted:
    if counted[name] != told[name]:
        print(name, "told:", told[name], "counted:", counted[name])
        sys.exit(1)
END
recounted() { # FILE [peaks]
    "$REHEAP" export --to text "$1" -o recounted.txt
    "$REHEAP" info --json "$1" >recounted.json
    /usr/bin/python3 recount.py recounted.txt recounted.json ${2:-} || problem "$1: info tells other numbers"
    echo "ok: $1 recounted"
}

cat >small.txt <<'END'
reheap-text 1
header {"timestamps":"none","domains":true}
obj malloc 100 #0
obj malloc 50 #1
t1 obj free #0
mark "one"
raw calloc 4 25 #0
raw realloc 120 #0
raw realloc 150 #0
raw realloc 225 #0
raw realloc 450 #0
raw realloc 2000 #0
raw realloc 2000 #0
raw realloc 10 #0
raw realloc 10 failed
obj malloc 9 #2 nested
mark "two\nlines"
obj free #2 nested
obj free null
obj free foreign
END
expect 0 '' "$REHEAP" import --from text small.txt -o small.rht
recounted small.rht peaks
expect 0 'grow by up to half' "$REHEAP" info small.rht
expect 0 'two lines' "$REHEAP" info small.rht

expect 0 '' "$REHEAP" record -o python.rht -- /usr/bin/python3 -c '
import ctypes, threading
mark = ctypes.CDLL(None).rh_record_mark
mark(b"strings")
kept = [str(i) * (i % 7) for i in range(5000)]
mark(b"threads")
threads = [threading.Thread(target=lambda: [bytearray(i) for i in range(900)]) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
mark(b"growing")
buffer = bytearray()
for i in range(3000):
    buffer += b"0123456789"
'
recounted python.rht
expect 0 'strings' "$REHEAP" info python.rht

# diff: of a trace and itself, and of two; as many in both as info says.
expect 0 'allocations .* =$' "$REHEAP" diff small.rht small.rht
expect 0 'requests of up to' "$REHEAP" diff small.rht python.rht
"$REHEAP" diff --json small.rht python.rht >diff.json
for side in old new; do
    "$REHEAP" info --json $([ $side = old ] && echo small.rht || echo python.rht) >side.json
    /usr/bin/python3 - $side <<'END' || problem "diff: the $side side differs from info"
import json, sys
diff, info, side = json.load(open("diff.json")), json.load(open("side.json")), sys.argv[1]
for name in "events", "allocations", "frees", "peak_requested_bytes", "threads":
    assert diff["counts"][name][side] == info[name], name
for told, mine, key, count in ("requests", "sizes", "up_to_bytes", "requests"), ("lifetimes", "lifetimes", "up_to_calls", "blocks"):
    assert {e[key]: e[side] for e in diff[told] if e[side]} == {e[key]: e[count] for e in info[mine]}, told
END
done
refuses 2 'two traces' "$REHEAP" diff small.rht
refuses 3 '' "$REHEAP" diff small.rht missing.rht
expect 0 '' "$REHEAP" record --malloc -o malloc.rht -- /usr/bin/python3 -c 'print(sum(len(str(i)) for i in range(1000)))'
recounted malloc.rht
finish
