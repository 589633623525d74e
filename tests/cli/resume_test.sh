#!/usr/bin/env bash
# replay --resume: an experiment that was interrupted goes on and ends with the runs it would have had.
. "${BASH_SOURCE[0]%/*}/lib.sh"
set -m

"$REHEAP" record -o a.rht -- /usr/bin/python3 -c 'import json
text = json.dumps([str(i) * 3 for i in range(30000)])
for i in range(2): json.loads(text)' >out 2>err || problem "cannot record"
specs=(-a pymalloc -a malloc -a mimalloc)

# runs_of FILE: pass, allocator and repetition of every run, and the exact numbers of pymalloc's memory.
runs_of() {
    /usr/bin/python3 - "$1" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for row in sorted(db.execute("SELECT pass, spec, rep, status FROM run")):
    print(*row)
for row in sorted(db.execute("SELECT m.name, m.value FROM metric m JOIN run r ON m.run = r.id WHERE r.pass = 'memory' AND"
                             " r.spec = 'pymalloc' AND m.name NOT LIKE '%resident%' AND m.name NOT LIKE '%fault%'"
                             " AND m.name NOT LIKE '%context%'"), key=str):
    print(*row)
END
}

expect 0 '' "$REHEAP" replay a.rht "${specs[@]}" --reps 3 -o whole.db
runs_of whole.db >whole
same "runs of an experiment that was left alone" 28 "$(grep -c complete whole)"

# Interrupted at several moments; where it was done before, it only has nothing left to do.
for after in 0.2 0.5; do
    rm -f part.db*
    "$REHEAP" replay a.rht "${specs[@]}" --reps 3 -o part.db >out 2>err </dev/null &
    job=$!
    sleep $after
    kill -INT -- -$job 2>/dev/null
    wait $job
    [ -e part.db ] || continue
    expect 0 '' "$REHEAP" replay --resume -o part.db
    runs_of part.db >part
    same "runs of one interrupted after $after s" "" "$(diff whole part)"
done

# The same words with --resume added, and more repetitions.
expect 0 '' "$REHEAP" replay a.rht "${specs[@]}" --reps 4 -o whole.db --resume
same "runs with one repetition more" 37 "$(runs_of whole.db | grep -c complete)"
expect 0 '' "$REHEAP" compare whole.db

for words in "--touch lines" "--seed 2" "--measure memory" "-a bump" "--samples 7" "--domain raw" "--threads recorded" "--pace 2x" "--loop 2" "--age 1" "b.rht"; do
    refuses 2 'begun with other' "$REHEAP" replay --resume -o whole.db $words
done
refuses 2 'fewer' "$REHEAP" replay --resume -o whole.db --reps 2
refuses 2 '-o names' "$REHEAP" replay --resume
refuses 3 'No such file.*without --resume' "$REHEAP" replay --resume -o nowhere.db
refuses 2 'latenc' "$REHEAP" replay a.rht --measure throughput --sizes
refuses 3 '' "$REHEAP" replay --resume -o a.rht

# What failed is tried again.
library=$(find /usr/lib -name 'libmimalloc.so*' | head -n 1)
expect 4 'libmine' "$REHEAP" replay a.rht -a bump -a preload,so="$PWD/libmine.so" --measure throughput --reps 2 -o failed.db
cp "$library" libmine.so
expect 0 '' "$REHEAP" replay --resume -o failed.db
same "all of it complete" 4 "$(runs_of failed.db | grep -c complete)"

# Another recording under the name, and another machine.
cp a.rht b.rht
expect 0 '' "$REHEAP" replay b.rht -a bump --measure throughput --reps 2 -o b.db
"$REHEAP" record -o c.rht -- /usr/bin/python3 -c pass >out 2>err
mv c.rht b.rht
refuses 2 'another recording' "$REHEAP" replay --resume -o b.db --reps 3
/usr/bin/python3 - failed.db <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE run SET provenance = json_set(provenance, '$.kernel', 'Linux 0.01')")
db.commit()
END
refuses 2 'another kernel' "$REHEAP" replay --resume -o failed.db --reps 3
/usr/bin/python3 - whole.db <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE run SET provenance = json_set(provenance, '$.build', 'older')")
db.commit()
END
refuses 2 'another build' "$REHEAP" replay --resume -o whole.db --reps 5

# What keeps arenas is looked at again, at the same moments.
expect 0 '' "$REHEAP" generate pinning,objects=20000 -o pins.rht
expect 0 '' "$REHEAP" arenas pins.rht -a pymalloc -a pymalloc,arena=64K --at pinned --at 30000 --under 33 -o pins.db
pins_of() {
    /usr/bin/python3 - "$1" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for table in "pin_point", "pin_sum", "pin_table", "pin", "pin_arena":
    columns = [c[1] for c in db.execute("PRAGMA table_info(%s)" % table) if c[1] not in ("run", "address")]
    for row in sorted(db.execute("SELECT run.spec, %s FROM %s t JOIN run ON run.id = t.run" % (
            ", ".join('t."%s"' % c for c in columns), table)), key=repr):
        print(table, *row)
END
}
pins_of pins.db >pins.whole
grep -q ' 30000 ' pins.whole || problem "the moment is not there"
/usr/bin/python3 - pins.db <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
run, = db.execute("SELECT id FROM run WHERE spec LIKE '%64K'").fetchone()
for table, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
    if "run" in [column[1] for column in db.execute("PRAGMA table_info(%s)" % table)]:
        db.execute("DELETE FROM %s WHERE run = ?" % table, (run,))
db.execute("DELETE FROM run WHERE id = ?", (run,))
db.commit()
END
expect 0 '' "$REHEAP" replay --resume -o pins.db
pins_of pins.db >pins.again
cmp pins.whole pins.again || problem "pins after going on: $(diff pins.whole pins.again | head -n 4)"
expect 0 '' "$REHEAP" tune a.rht --vary arena=256K:1M -o tuned.db
refuses 2 'was not made by `reheap replay`' "$REHEAP" replay --resume -o tuned.db
finish
