#!/usr/bin/env bash
# Nothing is lost: the counts in the file are those of an independent hook, for each interpreter and way of allocating.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
find_pythons "$1"
programs=$runfiles/tests/record/programs.py

for python in "${pythons[@]}"; do
    for program in plain parser threads forks arenas sizes; do
        rm -f counts
        LD_PRELOAD=$counter COUNT_OUT=$TMP/counts records "$program.rht" -- "$python" "$programs" "$program"
        "$REHEAP" info --json "$program.rht" >info.json
        "$debian" - counts info.json >compared <<'END' || problem "$python $program: $(cat compared)"
import json, sys
counts = {name: int(value) for name, value in (line.split() for line in open(sys.argv[1]))}
info = json.load(open(sys.argv[2]))
counts["failed_allocations"] = counts.pop("failures")
different = {name: (value, info[name]) for name, value in counts.items() if info[name] != value}
print("counted and recorded differ:", different)
sys.exit(bool(different) or counts["allocations"] < 10000 or info["dropped_events"] != 0)
END
    done
    [ "$(fact sizes.rht failed_allocations)" -ge 4 ] || problem "$python: failures are not recorded"
    [ "$(fact threads.rht threads)" -ge 100 ] || problem "$python: threads are not told apart"
done
finish
