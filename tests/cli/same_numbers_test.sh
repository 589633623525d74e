#!/usr/bin/env bash
# Memory passes of the project's own heaps give the same numbers, bit for bit: in two runs, with one heap in a pass and with
# several, whatever the order. All metrics, all samples with all counters, the lives of arenas and how full they were, and what a
# heap says of itself. Only resident bytes and the address of the first arena are the kernel's. At every sample the parts of the waterfall sum to what is mapped.
. "${BASH_SOURCE[0]%/*}/lib.sh"

specs=(
    pymalloc pymalloc@3.7 pymalloc@3.9 pymalloc@3.13 pymalloc,arena=256K,pool=8K,policy=lowest-address
    pymalloc,policy=least-full,keep=4 pymalloc,policy=most-recent,metadata=side pymalloc,source=virtual
    pymalloc,source=cached,cache=4,arena=128K pymalloc,classes=geometric:2 bestfit bestfit,source=virtual bump
    pymalloc+freelist pymalloc+trace pymalloc+debug pymalloc+count pymalloc+debug,serial=on+freelist,max=20+trace,frames=2
    bestfit+freelist+count python@3.12 python@3.9,malloc=pymalloc_debug
)
expect 0 '' "$REHEAP" generate random,live=20000,lifetimes=bimodal --events=300000 -o made.rht
traces=(made.rht)
if [ -x /usr/bin/python3 ] && "$REHEAP" record --python -o program.rht -- /usr/bin/python3 -c 'import ast, json
text = "\n".join("def f%d(a, b=%d): return [a, b]" % (i, i) for i in range(300))
compile(ast.parse(text), "made", "exec"); json.loads(json.dumps({str(i): [i / 7] for i in range(3000)}))' 2>err; then
    traces+=(program.rht)
else
    echo "SKIP the recorded program: $(head -c 200 err)"
fi

all=()
for spec in "${specs[@]}"; do all+=(-a "$spec"); done
reversed=()
for ((i = ${#specs[@]} - 1; i >= 0; i--)); do reversed+=(-a "${specs[i]}"); done

# Python, whose text of a number has all its bits, for it is the shortest that reads back as the same one.
cat >dump.py <<'END'
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
skip = lambda name: "resident" in name
at = "address - (select min(address) from arena where run = %d)"  # how they lie to one another is the heap's
columns = lambda table: [r[1] for r in db.execute("pragma table_info(%s)" % table)]
tables = [t for t, in db.execute("select name from sqlite_master where type = 'table' order by name")
          if t != "run" and "run" in columns(t)]
runs = db.execute("""select run.id, trace.path, spec, status, provenance from run join trace on trace.id = run.trace
                     order by 2, 3""").fetchall()
for run, path, spec, status, provenance in runs:
    if len(sys.argv) > 2 and spec != sys.argv[2]:
        continue
    provenance = json.loads(provenance)
    print(path, spec, status, provenance["deterministic"], provenance.get("statistics"))
    for table in tables:
        names = [c for c in columns(table) if c != "run" and not skip(c)]
        for row in db.execute("select %s from %s where run = ? order by rowid" % (
                ", ".join(at % run if n == "address" else '"%s"' % n for n in names), table) if table != "metric" else
                "select name, value from metric where run = ? order by name", (run,)):
            if table != "metric" or not skip(row[0]):
                print(table, *map(repr, row))
END

for i in 1 2; do
    expect 0 '' "$REHEAP" replay "${traces[@]}" "${all[@]}" --measure memory -o "run$i.db"
    /usr/bin/python3 dump.py "run$i.db" >"run$i"
done
same "what is said to vary" "" "$(grep -o '^[^ ]* [^ ]* complete False' run1)"
same "lines that are compared" True "$([ "$(wc -l <run1)" -gt 50000 ] && echo True)"
cmp run1 run2 || problem "two runs differ: $(diff run1 run2 | head -n 5)"
expect 0 '' "$REHEAP" replay "${traces[@]}" "${reversed[@]}" --measure memory --seed 99 -o run3.db
/usr/bin/python3 dump.py run3.db >run3
cmp run1 run3 || problem "another order and seed differs: $(diff run1 run3 | head -n 5)"
for spec in "${specs[@]}"; do
    expect 0 '' "$REHEAP" replay "${traces[@]}" -a "$spec" --measure memory -o alone.db
    /usr/bin/python3 dump.py alone.db >alone
    /usr/bin/python3 dump.py run1.db "$spec" >company
    [ -s alone ] || problem "$spec: there is nothing to compare"
    cmp alone company || problem "$spec alone differs: $(diff alone company | head -n 5)"
done

same "samples whose parts do not sum to what is mapped" "[]" "$(/usr/bin/python3 - <<'END'
import sqlite3
db = sqlite3.connect("run1.db")
rows = db.execute("""select spec, event from sample join run on run.id = sample.run where
    block_bytes + header_bytes + page_header_bytes + page_tail_bytes + free_block_bytes + free_page_bytes + free_arena_bytes
    + metadata_bytes + other_bytes is not mapped_bytes or other_bytes is not 0""").fetchall()
print(rows[:3])
END
)"
same "samples with all parts" True "$(/usr/bin/python3 - <<'END'
import sqlite3
db = sqlite3.connect("run1.db")
print(db.execute("select count(*) from sample").fetchone()[0] > 20000)
END
)"
finish
