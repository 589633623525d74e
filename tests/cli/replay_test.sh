#!/usr/bin/env bash
# replay and verify from the command line: exit codes, messages, the shape of the JSON, what is left behind.
. "${BASH_SOURCE[0]%/*}/lib.sh"

[ -x /usr/bin/python3 ] || skip "there is no /usr/bin/python3 to record"
cat >program.py <<'END'
import ast, json
text = "\n".join("def f%d(a, b=%d):\n    return [a, b, {'k': a * %d}]" % (i, i, i) for i in range(300))
for _ in range(3):
    compile(ast.parse(text), "made", "exec")
table = {str(i): [i, i / 7, "x" * (i % 50)] for i in range(5000)}
for _ in range(3):
    table = json.loads(json.dumps(table))
END
"$REHEAP" record --python -o program.rht -- /usr/bin/python3 program.py 2>record.err ||
    problem "cannot record: $(cat record.err)"

# json EXPRESSION: of the last command's output, called `it`; prints its value
json() {
    /usr/bin/python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$TMP/out" "$1"
}

# What succeeds.
expect 0 'all equal' "$REHEAP" verify program.rht
expect 0 '' "$REHEAP" verify --json program.rht
same "schema of verify" reheap.verify/1 "$(json 'it["schema"]')"
same "nothing differs" "0 0 0" "$(json '" ".join(str(it[k + "_different"]) for k in ("addresses", "checkpoints", "arenas"))')"
same "much is compared" True "$(json 'it["addresses_compared"] > 100000 and it["checkpoints_compared"] > 1')"

expect 0 'ns/event' "$REHEAP" replay program.rht --reps 1
expect 0 'pymalloc.*complete' "$REHEAP" replay program.rht -a pymalloc -a malloc -a bump --reps 1 --touch read
# Latencies: by operation and size, with bump as control where nobody asked for it.
expect 0 'bump \(control\)' "$REHEAP" replay program.rht -a malloc --reps 2 --measure latency --sizes
grep -qE '^malloc +free +to 512 B ' out || problem "no latencies of frees of up to 512 bytes"
grep -q 'the probe that takes them: [0-9.]* ns.*p99.99' out || problem "no calibration of the probe"
expect 0 '' "$REHEAP" replay program.rht -a malloc -a bestfit --reps 2 --measure latency --json
same "the control is beside the runs" "[('bump', 0), ('bump', 1)] 4" \
    "$(json '"%s %d" % (sorted((r["allocator"]["spec"], r["rep"]) for r in it["control"]), len(it["runs"]))')"
same "ranges of sizes have all calls" True "$(json 'all(sum(h["calls"] for h in r["passes"]["latency"]["latencies"] if
    h["operation"] == op) == r["metrics"][op + "_timed_calls"] for r in it["runs"] for op in ("malloc", "calloc", "realloc", "free"))')"
same "quantiles rise" True "$(json 'all(h["p50_ns"] <= h["p90_ns"] <= h["p99_ns"] <= h["p999_ns"] <= h["p9999_ns"] <= h["max_ns"]
    for r in it["runs"] for h in r["passes"]["latency"]["latencies"])')"
expect 0 '' "$REHEAP" replay program.rht -a malloc -a bump --reps 1 --measure latency --json
same "bump among the allocators is the control" "[]" "$(json 'it["control"]')"
"$REHEAP" replay program.rht -a malloc --reps 1 --measure latency -o controlled.db >/dev/null 2>&1
expect 0 latency-malloc "$REHEAP" plot controlled.db -o controlled
same "the control is drawn, last" "bump" "$(sed -n 's/^.*# index 1: .\(.*\).$/\1/p' controlled/latency-malloc.tsv)"
expect 0 'malloc.*complete' "$REHEAP" replay program.rht -a malloc -a bestfit --reps 1 --measure memory -o runs.db
[ -s runs.db ] || problem "no results were written"
# What the kernel is asked for. Untouched blocks of pymalloc with headers beside fault nothing in; a page written into each does.
expect 0 'left after' "$REHEAP" replay program.rht -a pymalloc -a malloc --reps 1 --measure system --touch pages
expect 0 '' "$REHEAP" replay program.rht -a pymalloc,large=space -a malloc --reps 1 --measure system --json
if [ "$(json 'it["runs"][0]["metrics"]["mmap_calls"]')" != None ]; then
    same "pymalloc maps its arenas" True "$(json 'all(r["metrics"]["mmap_calls"] > 0 for r in it["runs"] if r["allocator"]["name"] == "pymalloc")')"
    same "the C library extends its heap" True "$(json 'any(r["metrics"]["brk_calls"] > 0 for r in it["runs"] if r["allocator"]["name"] == "malloc")')"
fi
# Arenas of whole huge pages, written to, lie in such where the machine gives any.
expect 0 '' "$REHEAP" replay program.rht -a pymalloc,source=huge -a pymalloc --reps 1 --measure system --touch pages --json
same "coverage is a share" True "$(json 'all(0 <= (r["metrics"]["huge_coverage"] or 0) <= 1.05 for r in it["runs"])')"
if grep -qE '\[(always|madvise)\]' /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null; then
    same "huge pages cover source=huge" True "$(json 'next(r["metrics"]["huge_coverage"] for r in it["runs"] if "huge" in
        r["allocator"]["spec"]) > .3')"
fi
# Threads as recorded: for allocators that threads may share.
cat >threads.py <<'END'
import threading
def work():
    for i in range(3000):
        [str(j) for j in range(20)]
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
END
"$REHEAP" record --malloc -o threads.rht -- /usr/bin/python3 threads.py 2>record.err || problem "cannot record: $(cat record.err)"
expect 0 '' "$REHEAP" replay threads.rht -a malloc -a mimalloc --threads recorded --measure throughput --reps 2 --json
same "threads" '[5]' "$(json 'sorted({r["metrics"]["threads"] for r in it["runs"]})')"
same "all calls" True "$(json 'all(r["metrics"]["failed_allocations"] + r["metrics"]["skipped_events"] == 0 for r in it["runs"])')"
refuses 2 'which --measure leaves out' "$REHEAP" replay threads.rht -a malloc --threads recorded --measure memory,system -o none.db
refuses 2 'one thread at a time' "$REHEAP" replay threads.rht -a pymalloc --threads recorded
refuses 2 "no way of threads 'some'" "$REHEAP" replay threads.rht --threads some
# Latencies in those threads, and paced. A pace that nobody can hold is told; one of no hurry has nobody waiting for seconds.
"$REHEAP" record --malloc --timestamps=exact -o times.rht -- /usr/bin/python3 threads.py 2>record.err || problem "cannot record: $(cat record.err)"
for way in one recorded; do
    expect 0 'the pace was not held' "$REHEAP" replay times.rht -a malloc --threads $way --measure latency --reps 1 --pace 100000x -o paced.db
    begun=$(date +%s%N)
    expect 0 '' "$REHEAP" replay times.rht -a malloc --threads $way --measure latency --reps 1 --pace 100000x --json
    took=$(($(date +%s%N) - begun))
    same "nobody was late before the run began ($way)" True "$(json "all(r['metrics']['latest_ns'] < $took for r in it['runs'])")"
    same "response times of all calls ($way)" "True True" "$(json '(lambda h, m: "%s %s" % (
        all(sum(x["calls"] for x in h if x["operation"] == op and x["time"] == time) == m[op + "_timed_calls"]
            for op in ("malloc", "calloc", "realloc", "free") for time in ("service", "response")),
        m["malloc_response_p50_ns"] >= m["malloc_p50_ns"] and m["late_share"] > 0 and m["pace_slowdown"] > 1.01))(
        it["runs"][0]["passes"]["latency"]["latencies"], it["runs"][0]["metrics"])')"
    same "provenance ($way)" "100000x $way" "$(json '"%(pace)s %(threads)s" % it["runs"][0]["passes"]["latency"]["provenance"]')"
done
expect 0 '' "$REHEAP" replay times.rht -a malloc --measure latency,throughput --reps 1 --pace 10x -o ten.db
expect 0 'malloc +response +free' "$REHEAP" replay times.rht -a malloc --measure latency --reps 1 --pace 20x -o twenty.db
refuses 2 'differ in pace .*"20x".*"10x"' "$REHEAP" compare ten.db twenty.db
expect 0 'Response +malloc p50' "$REHEAP" compare ten.db
refuses 2 'begun with other --pace' "$REHEAP" replay --resume -o ten.db --pace 20x
expect 0 '' "$REHEAP" replay --resume -o ten.db --pace 10x --reps 2
# Memory and system passes keep to a pace; the numbers of a heap that knows no clock do not change by it.
for pace in none 1000x; do
    expect 0 '' "$REHEAP" replay times.rht -a pymalloc -a malloc --measure memory,system --reps 1 --pace $pace --json
    json '{k: v for k, v in it["runs"][0]["metrics"].items() if "resident" not in k and "pace" not in k and "faults" not in k
        and "_calls" not in k and "huge" not in k}' >unhurried.$pace
done
same "both passes" "['1000x', '1000x', '1000x', '1000x'] True" "$(json '"%s %s" % ([r["passes"][p]["provenance"]["pace"] for r in it["runs"]
    for p in ("memory", "system")], all(r["metrics"][p + "_pace_slowdown"] >= .9 for r in it["runs"] for p in ("memory", "system")))')"
cmp unhurried.none unhurried.1000x || problem "a pace changes what pymalloc holds"
"$REHEAP" record --malloc --timestamps=none -o timeless.rht -- /usr/bin/python3 -c pass 2>record.err || problem "cannot record: $(cat record.err)"
refuses 2 'timeless.rht.*--timestamps=coarse' "$REHEAP" replay timeless.rht --pace 1x -o none.db
refuses 2 '10x or 0.5x' "$REHEAP" replay times.rht --pace 10
refuses 2 '--measure leaves out' "$REHEAP" replay times.rht --pace 10x --measure throughput -o none.db
absent none.db
# Again and again: what the recording leaves alive is left each time, or freed.
expect 0 'a round more: mapped' "$REHEAP" replay program.rht -a pymalloc -a malloc -a bestfit --reps 1 --loop 3 -o loop.db
expect 0 '' "$REHEAP" replay program.rht -a pymalloc -a malloc --reps 1 --loop 3 --json
same "it grows by exactly that" True "$(json 'all((lambda ends: len(ends) == 3 and ends[0] > 0 and
    ends == [ends[0], 2 * ends[0], 3 * ends[0]] and r["metrics"]["round_growth_requested_bytes"] == ends[0])(
    [x["end_requested_bytes"] for x in r["passes"]["memory"]["rounds"]]) for r in it["runs"])')"
same "every pass has its rounds" "[3, 3, 3]" "$(json '[len(p["rounds"]) for p in it["runs"][0]["passes"].values()]')"
same "and is not steady" True "$(json 'all(r["metrics"]["steady_round"] is None for r in it["runs"])')"
expect 0 'is not steady after 4 rounds: each leaves .*end=free' "$REHEAP" replay program.rht -a pymalloc --reps 1 --measure memory --loop steady,most=4
# Of what is recorded, the rounds that come back may be many; of this they are as few as can be.
expect 0 '' "$REHEAP" generate random --events 50000 -o random.rht
expect 0 '' "$REHEAP" replay random.rht -a pymalloc -a bestfit --reps 1 --measure memory,throughput,system --loop steady,end=free --json
same "it ends when it is steady" "[(3, 1), (3, 1)]" \
    "$(json '[(r["metrics"]["rounds"], r["metrics"]["steady_round"]) for r in it["runs"]]')"
same "and each round ends empty" True "$(json 'all(x["end_requested_bytes"] == 0
    for r in it["runs"] for p in r["passes"].values() for x in p["rounds"])')"
# A heap that is steady soon is looked at often for all that, and the control, which never is, ends as soon.
expect 0 '' "$REHEAP" replay random.rht -a pymalloc --reps 1 --measure memory,latency --loop steady,end=free --over-time --json
same "many samples, a short control" True "$(json 'all([len(it["runs"][0]["passes"]["memory"]["samples"]) >= 90 * it["runs"][0]["metrics"]["rounds"],
    it["control"][0]["metrics"]["latency_rounds"] == 3])')"
expect 0 '' "$REHEAP" replay threads.rht -a malloc --threads recorded --measure throughput,latency --reps 1 --loop 4,end=free --json
same "threads go around too" "4 4" "$(json '"%(throughput_rounds)d %(latency_rounds)d" % it["runs"][0]["metrics"]')"
same "all calls of all rounds" "0" "$(json 'it["runs"][0]["metrics"]["failed_allocations"] + it["runs"][0]["metrics"]["skipped_events"]')"
expect 0 '' "$REHEAP" replay program.rht -a pymalloc -a malloc -a bestfit --reps 1 --loop 2 -o twice.db
refuses 2 'differ in loop .*"2,end=keep".*"3,end=keep"' "$REHEAP" compare loop.db twice.db
refuses 2 'begun with other --loop' "$REHEAP" replay --resume -o twice.db --loop 2,end=free
expect 0 '' "$REHEAP" replay --resume -o twice.db --loop 2,end=keep --reps 2
refuses 2 'number of rounds' "$REHEAP" replay program.rht --loop 0
refuses 2 'number of rounds' "$REHEAP" replay program.rht --loop steady,end=never
printf 'reheap-text 1\nheader {"domains":true}\nraw malloc 4294967296 #1\n' >huge.txt
"$REHEAP" import --from text huge.txt -o huge.rht 2>import.err || problem "cannot import: $(cat import.err)"
refuses 2 'leaves 4.00 GiB behind in each' "$REHEAP" replay huge.rht --loop 10000 -o none.db
# Aged: the same past for the same seed, in no number of the recording's own.
for age in none 2 2 2,seed=2; do
    expect 0 '' "$REHEAP" replay program.rht -a pymalloc -a bestfit -a malloc --reps 1 --measure memory --age $age --json
    json '[[r["metrics"].get(m) for m in ("aged_blocks", "aged_bytes", "aged_mapped_bytes", "peak_mapped_bytes", "aged_block_bytes",
        "fragmentation_mean")] for r in it["runs"] if r["allocator"]["spec"] != "malloc"]' >>aged
    json '[[r["metrics"][m] for m in ("events", "peak_requested_bytes", "peak_live_blocks", "end_requested_bytes")] for r in it["runs"]]' >>ageless
    same "the parts add up ($age)" True "$(json 'all(sum(r["metrics"][p + "_bytes"] for p in ("requested", "rounding", "header",
        "page_header", "page_tail", "free_block", "free_page", "free_arena", "metadata", "aged_block", "other")) == r["metrics"]["mapped_bytes"] and r["metrics"]["other_bytes"] == 0
        for r in it["runs"] if r["allocator"]["spec"] != "malloc")')"
done
same "what the recording asked for" 1 "$(sort -u ageless | wc -l)"
same "the same seed twice, another, and none" "1 2 1" "$(uniq -c aged | /usr/bin/awk '{ printf "%s%s", s, $1; s = " " }')"
for measure in throughput latency system; do
    expect 0 complete "$REHEAP" replay threads.rht -a malloc --reps 1 --measure $measure --age 3,keep=50% --touch first
done
expect 0 complete "$REHEAP" replay threads.rht -a malloc --reps 1 --measure throughput --age 3 --threads recorded --loop 2
expect 0 '' "$REHEAP" replay program.rht -a pymalloc --reps 1 --age 1 -o young.db
expect 0 '' "$REHEAP" replay program.rht -a pymalloc --reps 1 --age 1,seed=2 -o old.db
refuses 2 'differ in age .*"1,keep=10%,seed=2".*"1,keep=10%,seed=1"' "$REHEAP" compare young.db old.db
refuses 2 'begun with other --age' "$REHEAP" replay --resume -o young.db --age 2
refuses 2 'blocks are exchanged' "$REHEAP" replay program.rht --age old
# Results replace results, and nothing that somebody else keeps there.
/usr/bin/python3 -c 'import sqlite3; d = sqlite3.connect("other.db"); d.execute("create table t(a)"); d.commit()'
echo 'a letter to the bank' >letter
ln -s letter link
for kept in other.db letter link program.rht; do
    before=$(cksum <"$kept")
    refuses 2 'no results file; it is not replaced' "$REHEAP" replay program.rht -a bump --reps 1 --measure memory -o "$kept"
    same "$kept is as it was" "$before" "$(cksum <"$kept")"
    absent "$kept.unfinished"
done
: >empty.db
expect 0 'bump' "$REHEAP" replay program.rht -a bump --reps 1 --measure memory -o empty.db
expect 0 'malloc' "$REHEAP" replay program.rht -a malloc --reps 1 --measure memory -o empty.db
expect 0 '' "$REHEAP" replay program.rht -a pymalloc -a malloc --reps 2 --touch pages --json
same "schema of replay" reheap.replay/1 "$(json 'it["schema"]')"
same "runs are allocators by repetitions" "[('malloc', 0), ('malloc', 1), ('pymalloc', 0), ('pymalloc', 1)]" \
    "$(json 'sorted((r["allocator"]["spec"], r["rep"]) for r in it["runs"])')"
same "each has every measure" True "$(json 'all(r["metrics"][m] is not None for r in it["runs"] for m in
    ("events", "ns_per_event", "wall_ns", "peak_mapped_bytes", "peak_resident_bytes", "fragmentation_mean",
     "malloc_p50_ns", "free_max_ns", "probe_ns", "peak_requested_bytes"))')"
same "the parts add up" True "$(json 'all(sum(r["metrics"][p + "_bytes"] for p in
    ("requested", "rounding", "header", "page_header", "page_tail", "free_block", "free_page", "free_arena", "metadata",
     "other")) == r["metrics"]["mapped_bytes"] == r["metrics"]["peak_mapped_bytes"]
    for r in it["runs"] if r["allocator"]["name"] == "pymalloc")')"
same "failures are told" "{0}" "$(json '{r["metrics"]["failed_allocations"] for r in it["runs"]}')"
same "the trace is described" True "$(json '(it["runs"][0]["trace"]["path"] == "program.rht" and
    it["runs"][0]["trace"]["events"] > 100000 and len(it["runs"][0]["trace"]["hash"]) == 32)')"
# Of foreign allocators, too: what they tell of themselves, and the rest.
for name in malloc mimalloc mimalloc@3.13t jemalloc tcmalloc scudo tbb cpython malloc+debug jemalloc+freelist; do
    "$REHEAP" replay program.rht -a $name --measure memory --reps 1 --json --over-time --touch first >out 2>err
    case $? in
    0) ;;
    4) echo "not installed: $name"; continue ;;
    *) problem "$name: $(cat err)" ;;
    esac
    same "the parts of $name add up" "0 True True" "$(json '(lambda s: "%d %s %s" % (sum(x["block_bytes"] + sum(x[p + "_bytes"] or 0 for p in
        ("header", "page_header", "page_tail", "free_block", "free_page", "free_arena", "metadata", "other")) != x["mapped_bytes"]
        for x in s), len(s) > 500, all(x["resident_bytes"] is not None for x in s)))(it["runs"][0]["passes"]["memory"]["samples"])')"
    same "$name tells parts of itself" "$([ $name = tbb ] || echo "free blocks")" "$(json '("free blocks" if
        it["runs"][0]["metrics"]["free_block_bytes"] is not None else "")')"
done
# Over time: the parts add up at every sample, not only at the peak.
expect 0 '' "$REHEAP" replay program.rht -a pymalloc -a malloc --measure memory --reps 1 --samples 200 --json --over-time
same "the parts add up at every sample" True "$(json '(lambda s: len(s) > 150 and all(sum(x[p + "_bytes"] for p in
    ("requested", "rounding", "header", "page_header", "page_tail", "free_block", "free_page", "free_arena", "metadata",
     "other")) == x["mapped_bytes"] for x in s))(next(r["passes"]["memory"]["samples"] for r in it["runs"]
    if r["allocator"]["name"] == "pymalloc"))')"
refuses 2 'is for --json' "$REHEAP" replay program.rht -a pymalloc --over-time
# Allocators out of libraries, where those are installed.
for pair in jemalloc:libjemalloc.so.2 tcmalloc:libtcmalloc_minimal.so.4 mimalloc:libmimalloc.so.2 cpython:libpython3.11.so.1.0; do
    name=${pair%%:*}
    if ! /sbin/ldconfig -p | grep -q "${pair#*:}"; then
        echo "not installed: ${pair#*:}"
        continue
    fi
    expect 0 '' "$REHEAP" replay program.rht -a "$name" --reps 1 --json
    same "$name runs" "1 $name ['complete', 'complete', 'complete'] True" "$(json '(lambda r: "%d %s %s %s" % (len(it["runs"]),
        r["allocator"]["name"], [p["status"] for p in r["passes"].values()], r["allocator"]["version"] is not None and
        r["metrics"]["peak_mapped_bytes"] >= r["metrics"]["peak_requested_bytes"] * .9))(it["runs"][0])')"
done

expect 0 'Example' "$REHEAP" replay --help
expect 0 'Example' "$REHEAP" verify --help

# What the call's words get wrong.
refuses 2 'recording' "$REHEAP" replay
refuses 2 'recording' "$REHEAP" verify
refuses 2 'nosuch' "$REHEAP" replay program.rht -a nosuch -o none.db
refuses 2 'arena' "$REHEAP" replay program.rht -a pymalloc,arena=3 -o none.db
refuses 2 'reps' "$REHEAP" replay program.rht --reps 0
refuses 2 'touch mode' "$REHEAP" replay program.rht --touch all
refuses 2 'domain' "$REHEAP" replay program.rht --domain heap
refuses 2 'measure' "$REHEAP" replay program.rht --measure speed
refuses 2 'virtual' "$REHEAP" replay program.rht -a pymalloc,source=virtual --touch first -o none.db
refuses 2 'own use' "$REHEAP" replay-child 0 0

# What the input gets wrong.
printf 'not a trace at all, but long enough to be looked at for a while\n' >other.rht
: >empty.rht
head -c "$(($(stat -c %s program.rht) / 2))" program.rht >half.rht
cp program.rht flipped.rht
size=$(stat -c %s program.rht)
printf '\377\377\377\377' | dd of=flipped.rht bs=1 seek=$((size / 2)) conv=notrunc status=none
for file in other empty flipped half; do
    refuses 3 "$file.rht" "$REHEAP" replay $file.rht -a bump -o none.db
    refuses 3 "$file.rht" "$REHEAP" verify $file.rht
done
refuses 3 'missing.rht' "$REHEAP" replay missing.rht -o none.db
refuses 3 'missing.rht' "$REHEAP" verify missing.rht

refuses 2 'large=libc.*--measure' "$REHEAP" replay program.rht -a pymalloc,large=libc -o none.db
expect 0 'complete' "$REHEAP" replay program.rht -a pymalloc,large=libc --measure throughput --reps 1

# What cannot run, or be written.
refuses 4 'nowhere/lib.so' "$REHEAP" replay program.rht -a preload,so=/nowhere/lib.so --measure throughput --reps 1
expect 4 'bump.*complete' "$REHEAP" replay program.rht -a preload,so=/nowhere/lib.so -a bump --measure throughput --reps 1
printf 'no library\n' >text.so
refuses 4 'text.so' "$REHEAP" replay program.rht -a "preload,so=$PWD/text.so" --measure throughput --reps 1
refuses 5 'nowhere/none.db' "$REHEAP" replay program.rht -o nowhere/none.db
absent none.db nowhere

# Interrupted, as a terminal does it, parent and children at once: complete runs or nothing, and never a part under the
# final name.
setsid "$REHEAP" replay program.rht -a bump -a malloc --reps 300 -o cut.db >/dev/null 2>cut.err &
child=$!
for _ in $(seq 300); do [ -s cut.db ] && break; sleep 0.1; done
kill -INT -- -$child
wait $child
same "exit code of an interruption" 130 $?
grep -q 'complete are in it' cut.err || problem "nothing is said of complete runs: $(cat cut.err)"
[ -z "$(compgen -G 'cut.db?*')" ] || problem "left behind: $(compgen -G 'cut.db?*')"
same "no interrupted run is stored as failed" 0 "$(/usr/bin/python3 -c 'import sqlite3
print(sqlite3.connect("cut.db").execute("select count(*) from run where status <> \"complete\"").fetchone()[0])')"
expect 0 '' "$REHEAP" compare cut.db
finish
