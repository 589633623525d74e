#!/usr/bin/env bash
# Both captures in one file: the interpreter's part is what --python records, the rest is every call of the C library, and
# those that the interpreter's allocators made for themselves are marked.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
find_pythons "$1"
programs=$runfiles/tests/record/programs.py
witness=$runfiles/tests/record/libcount_malloc.so

# counted FILE COUNTS: what an independent witness counted is in the file, to the call.
counted() {
    "$REHEAP" info --json "$1" >info.json
    "$debian" - "$2" info.json >compared <<'END' || problem "$python $1: $(cat compared)"
import json, struct, sys
names = "allocations", "reallocations", "frees", "null_frees", "failures"
counts, info = open(sys.argv[1], "rb").read(), json.load(open(sys.argv[2]))
if len(counts) == 40:
    counts = dict(zip(names, struct.unpack("=5Q", counts)))
else:
    counts = {name: int(value) for name, value in (line.split() for line in counts.decode().split("\n")[:-1])}
counts["failed_allocations"] = counts.pop("failures")
different = {name: (value, info[name]) for name, value in counts.items() if info[name] != value}
print("counted and recorded differ:", different)
sys.exit(bool(different) or counts["allocations"] < 1000 or info["dropped_events"] != 0)
END
}

kinds=(plain parser threads forks arenas sizes)
[ "$1" = debian ] || kinds=(threads forks sizes)

for python in "${pythons[@]}"; do
    for program in "${kinds[@]}"; do
        rm -f counts calls
        COUNT_PROGRAM=${python##*/} COUNT_CALLS=$TMP/calls LD_PRELOAD=$witness:$counter COUNT_OUT=$TMP/counts \
            records both.rht --python --malloc -- "$python" "$programs" "$program"
        expect 0 'events' "$REHEAP" filter both.rht --domain libc -o libc.rht
        expect 0 'events' "$REHEAP" filter both.rht --domain raw --domain mem --domain obj -o python.rht
        counted libc.rht calls
        counted python.rht counts
        same "$python $program: calls without a place" "0 0" \
            "$(fact both.rht undecided_events) $(fact both.rht foreign_frees)"
        records verified.rht --python --malloc -- "$python" "$programs" "$program"
        expect 0 'all equal' "$REHEAP" verify verified.rht
    done
done

# Event for event: addresses are fixed, for the interpreter goes by them (a set of classes, say), and the same libraries loaded.
same_events() { # PROGRAM
    PYTHONHASHSEED=0 records both.rht --python --malloc -- setarch -R "$debian" "$programs" "$1"
    PYTHONHASHSEED=0 records alone.rht --auto -- setarch -R "$debian" "$programs" "$1"
    same "$1: the capture" python "$(fact alone.rht capture)"
    for file in both alone; do
        "$REHEAP" filter $file.rht --domain raw --domain mem --domain obj -o part.rht 2>/dev/null
        "$REHEAP" export --to text part.rht | grep -v '^header\|^end' >$file.txt
    done
    [ "$(wc -l <both.txt)" -gt 100000 ] || problem "$1: it has hardly any events"
    cmp both.txt alone.txt || problem "$1: the interpreter's events are others with the C library's among them"
}
if [ "$1" = debian ] && setarch -R true 2>/dev/null; then
    same_events plain
    same_events arenas
fi
finish
