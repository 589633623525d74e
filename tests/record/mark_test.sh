#!/usr/bin/env bash
# Phases: announced from C and from Python, in both captures; told by info and dump, kept in results, drawn in figures.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
program=$runfiles/tests/record/mark_program

# phases FILE: "name events" of each, in their order.
phases() {
    "$REHEAP" info --json "$1" | "$debian" -c 'import json, sys
for phase in json.load(sys.stdin)["phases"][1:]: print(phase["name"], phase["events"])'
}

expect 0 '^not recorded$' "$program"
records c.rht --malloc -- "$program"
grep -q '^recorded$' words || problem "the program did not see its recorder"
same "phases of a C program" "first 200
second, it's \`longer\` 2000" "$(phases c.rht | head -n 2)"
[ "$("$REHEAP" dump c.rht | grep -c "mark.*\(first\|longer\|rest\)")" = 3 ] || problem "dump does not show three marks"

cat >phases.py <<'END'
import ctypes
mark = ctypes.CDLL(None).reheap_mark
mark(b"loading")
kept = [str(i) for i in range(20000)]
mark("größer".encode())
more = [[] for i in range(20000)]
mark(b"end")
END
records python.rht -- "$debian" phases.py
same "phases of a Python program" "loading größer end" "$(phases python.rht | cut -d' ' -f1 | tr '\n' ' ' | sed 's/ $//')"
[ "$(phases python.rht | sed -n 's/loading //p')" -ge 20000 ] || problem "the phase has no events"
records malloc.rht --malloc -- "$debian" phases.py
same "the same through the C library" 3 "$(phases malloc.rht | wc -l)"

# The clock of a results file is calls replayed, at which the first mark of the C program stands before 200 more.
expect 0 '' "$REHEAP" replay c.rht -a bump -a malloc --reps 1 --measure memory -o c.db
same "marks in the results" "200 2000" "$("$debian" - <<'END'
import sqlite3
marks = sqlite3.connect("c.db").execute("select event, text from mark order by rowid").fetchall()
assert [text for event, text in marks] == ["first", "second, it's `longer`", "rest"], marks
print(marks[1][0] - marks[0][0], marks[2][0] - marks[1][0])
END
)"
if command -v gnuplot >/dev/null; then
    expect 0 '' "$REHEAP" plot c.db -o figures
    for figure in memory fragmentation; do
        same "$figure: names" 3 "$(grep -c '^set label .* rotate by 90' figures/$figure.gp)"
        same "$figure: lines" 3 "$(grep -c '^set arrow' figures/$figure.gp)"
    done
    grep -q 'in \".*longer' figures/waterfall.gp || problem "the phase of the peak is not in the waterfall"
fi
finish
