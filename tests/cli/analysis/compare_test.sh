#!/usr/bin/env bash
# reheap compare: its tables, its JSON, what it refuses.
. "$TEST_SRCDIR/$TEST_WORKSPACE/tests/cli/lib.sh"
make_results=$runfiles/tests/unit/analysis/make_results

"$make_results" runs.db
expect 0 '^pymalloc +11\.2 +1 +- +baseline$' "$REHEAP" compare runs.db
grep -qE '^malloc +19\.[0-9] +1\.7[0-9]+ +1\.[0-9]+ to 1\.[0-9]+ +slower$' out || problem "malloc is not slower"
grep -qE '^mimalloc +10\.1 .*faster$' out || problem "mimalloc is not faster"
grep -qE '^cpython +[0-9]+ MiB +1\.000 same' out || problem "the same memory is not the same"
grep -qE '^jemalloc .* < 22 ' out || problem "a quantile under the probe's cost is shown as a number"

expect 0 '^pymalloc .*faster$' "$REHEAP" compare runs.db --baseline malloc
expect 0 '"schema": "reheap.compare/1"' "$REHEAP" compare runs.db --json
/usr/bin/python3 - out <<'END' || problem "the JSON is not as it should be"
import json, sys
c = json.load(open(sys.argv[1]))
w = c["workloads"][0]
assert w["baseline"] == "pymalloc"
a = {x["spec"]: x["numbers"] for x in w["allocators"]}
assert a["malloc"]["ns_per_event"]["verdict"] == "slower" and a["malloc"]["ns_per_event"]["runs"] == 3
assert a["malloc"]["arenas_reused"]["median"] is None
assert a["mimalloc"]["peak_mapped_bytes"]["verdict"] == "more"
END

# Two runs give a ratio, but no verdict.
"$make_results" two.db reps=2
expect 0 '^malloc +19\.[0-9] +1\.7[0-9]+ +- +too few runs \(1 more\)$' "$REHEAP" compare two.db

# Two files.
"$make_results" slower.db slower=1.2
expect 0 '^pymalloc +ns/event +11\.2 +13\.4 +1\.20. .*slower$' "$REHEAP" compare runs.db slower.db
expect 0 '"newer"' "$REHEAP" compare runs.db slower.db --json

# All times are longer by the same, so held to one of them nothing is; memory is as it is.
expect 0 '^pymalloc +ns/event +11\.2 +13\.4 +1\.000 ' "$REHEAP" compare runs.db slower.db --reference malloc
expect 0 '^malloc +ns/event .* 1\.20. .*slower$' "$REHEAP" compare runs.db slower.db --reference malloc
expect 0 '"reference": "malloc"' "$REHEAP" compare runs.db slower.db --reference malloc --json
expect 2 "no allocator 'nothing'" "$REHEAP" compare runs.db slower.db --reference nothing
expect 2 'for two files' "$REHEAP" compare runs.db --reference malloc

# What cannot be told apart, and how many more runs would tell.
expect 0 '^pymalloc .*(same|not distinguishable)' "$REHEAP" compare runs.db runs.db
"$make_results" near.db slower=1.005
expect 0 '^pymalloc +ns/event .*not distinguishable \(.*more\)$' "$REHEAP" compare runs.db near.db

# Gates.
expect 0 '^0 of [1-9][0-9]* conditions failed$' "$REHEAP" compare runs.db slower.db --fail-if 'peak_mapped_bytes > +3%'
expect 1 '^ns_per_event > \+10% +pymalloc +\+20\.[0-9]+ % .*FAILS$' "$REHEAP" compare runs.db slower.db \
    --fail-if 'ns_per_event > +10%' --fail-if 'peak_mapped_bytes > 1T'
grep -q '^reheap compare: [1-9][0-9]* of [0-9]* conditions failed$' err || problem "the failure is not told"
expect 0 '' "$REHEAP" compare runs.db slower.db --fail-if 'ns_per_event > +30%' --fail-if 'ns_per_event < -1%'
expect 1 '^fragmentation_mean > 1% ' "$REHEAP" compare runs.db --fail-if 'fragmentation_mean > 1%'
expect 1 '"outcome": "FAILS"' "$REHEAP" compare runs.db slower.db --json --fail-if 'ns_per_event > +10%'
expect 1 '^ns_per_event<\+0% +mimalloc ' "$REHEAP" compare runs.db --fail-if 'ns_per_event<+0%'
for wrong in '' x 'x >' '> 3' 'ns_per_event 3%' 'ns_per_event > 3%' 'ns_per_event > +3' 'ns_per_event > +3% or so' 'ns_per_event > +nan%' \
    'ns_per_event > -100%' 'ns_per_event > +%' 'ns_per_event = 3' 'ns_per_event > 5%'; do
    refuses 2 'is no condition' "$REHEAP" compare runs.db --fail-if "$wrong"
done
refuses 2 "no allocator has a number 'peak_maped_bytes'" "$REHEAP" compare runs.db --fail-if 'peak_maped_bytes > +3%'
# An allocator that fails does not pass.
cp slower.db crashed.db
/usr/bin/python3 - crashed.db <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE run SET status = 'failed' WHERE spec = 'malloc'")
db.execute("DELETE FROM metric WHERE run IN (SELECT id FROM run WHERE status = 'failed')")
db.commit()
END
expect 1 '^peak_mapped_bytes > \+3% +malloc +- +- +FAILS$' "$REHEAP" compare runs.db crashed.db --fail-if 'peak_mapped_bytes > +3%'

# Unlike runs.
"$make_results" pages.db touch=pages
refuses 2 'pages\.db: runs that differ in touch' "$REHEAP" compare runs.db pages.db
"$make_results" other.db hash=ffff
refuses 2 'other\.db: runs that differ in trace' "$REHEAP" compare runs.db other.db

# Of real runs: whatever the provenance holds makes them unlike, but for what differs from run to run and, in two files, the
# build of the program.
expect 0 '' "$REHEAP" generate random,live=500 --events=20000 -o made.rht
expect 0 '' "$REHEAP" replay made.rht -a pymalloc -a bump --reps 1 --measure memory,throughput -o real.db
alter() { # FILE FIELD PASS: gives that field of the first such run another value
    /usr/bin/python3 - "$@" <<'END'
import json, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
run, text = db.execute("select id, provenance from run where pass = ? order by id", (sys.argv[3],)).fetchone()
provenance = json.loads(text)
provenance[sys.argv[2]] = "another"
db.execute("update run set provenance = ? where id = ?", (json.dumps(provenance), run))
db.commit()
END
}
fields=$(/usr/bin/python3 -c 'import json, sqlite3
print(*sorted(set().union(*[json.loads(p) for p, in sqlite3.connect("real.db").execute("select provenance from run")])))')
for field in program build compiler assertions host processor processors kernel huge_pages governor memory_bytes seed touch domain \
    threads trace_hash samples; do
    case " $fields " in *" $field "*) ;; *) problem "the provenance does not tell $field" ;; esac
done
for field in $fields; do
    pass=throughput
    case $field in samples | deterministic) pass=memory ;; esac
    cp real.db altered.db
    alter altered.db "$field" $pass
    case $field in
    seed | ticks_per_ns | statistics | opened | library | preload | environment_padding | trace_hash | host | memory_bytes | deterministic)
        expect 0 '' "$REHEAP" compare altered.db
        expect 0 '' "$REHEAP" compare real.db altered.db ;;
    program | build | compiler)
        refuses 2 "altered\.db: runs that differ in $field are not compared" "$REHEAP" compare altered.db
        /usr/bin/python3 -c 'import sqlite3, sys
db = sqlite3.connect("altered.db")
db.execute("update run set provenance = json_set(provenance, ?, ?)", ("$." + sys.argv[1], "another"))
db.commit()' "$field"
        expect 0 'older: real\.db' "$REHEAP" compare real.db altered.db
        grep -q 'builds of reheap differ' out && problem "another $field is called another build" ;;
    *)
        refuses 2 "altered\.db: runs that differ in $field are not compared" "$REHEAP" compare altered.db
        refuses 2 "altered\.db: runs that differ in $field are not compared" "$REHEAP" compare real.db altered.db ;;
    esac
done
cp real.db altered.db
/usr/bin/python3 -c 'import sqlite3
db = sqlite3.connect("altered.db")
db.execute("update run set provenance = json_set(provenance, \"$.build\", \"0123456789abcdef0123456789abcdef\")")
db.commit()'
expect 0 '^the builds of reheap differ: [0-9a-f]{8} and 01234567$' "$REHEAP" compare real.db altered.db
cp real.db altered.db
alter altered.db assertions memory
expect 0 '' "$REHEAP" compare altered.db

# Bad words and bad files.
refuses 2 "no allocator 'nonesuch'; it has: pymalloc cpython" "$REHEAP" compare runs.db --baseline nonesuch
refuses 2 'name the results file' "$REHEAP" compare
refuses 2 'two results files at most' "$REHEAP" compare runs.db runs.db runs.db
refuses 3 'absent\.db: .*No such file' "$REHEAP" compare absent.db
echo "some text, and more of it" >text
refuses 3 'text: ' "$REHEAP" compare text
: >empty
refuses 3 'empty: ' "$REHEAP" compare empty
head -c 3000 runs.db >cut.db
refuses 3 'cut\.db: ' "$REHEAP" compare cut.db
# Damage that leaves the head of the file whole: tables that are gone, pages overwritten.
cp runs.db lacking.db
/usr/bin/python3 -c 'import sqlite3; sqlite3.connect("lacking.db").execute("drop table metric")'
refuses 3 'lacking\.db: .*no such table' "$REHEAP" compare lacking.db
cp runs.db overwritten.db
pages=$(($(stat -c %s runs.db) / 4096))
yes | dd of=overwritten.db bs=4096 seek=1 count=$((pages - 1)) conv=notrunc iflag=fullblock status=none
refuses 3 'overwritten\.db: ' "$REHEAP" compare overwritten.db
finish
