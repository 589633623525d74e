#!/usr/bin/env bash
# However a program ends, what it did is in the file; and the recorder's own end does not touch the program.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
programs=$runfiles/tests/record/programs.py

ends() { # PROGRAM PATTERN EXIT-STATUS
    records "$1.rht" -- "$debian" "$programs" "$1"
    grep -qE "$2" words || problem "$1: its end is not told: $(cat words)"
    same "status of $1 in the file" "$3" "$(fact "$1.rht" exit_status)"
    [ "$(fact "$1.rht" events)" -gt 70000 ] || problem "$1: events are missing"
}
ends plain 'ended with status 0' 0
ends daemon 'ended with status 0' 0
ends leaves 'ended with status 7' 1792
ends killed 'signal 9' 9
ends aborts 'signal 6' "$(($(ulimit -c | sed 's/^0$/6/;s/^[^6].*/134/')))"

expect 7 'ended with status 7' "$REHEAP" record --pass-status -o leaves.rht -- "$debian" "$programs" leaves
expect 137 'signal 9' "$REHEAP" record --pass-status -o killed.rht -- "$debian" "$programs" killed

# SIGKILL from outside, in the middle of its work.
"$REHEAP" record -o middle.rht -- "$debian" "$programs" forever 2>words &
recorder=$!
await eval '[ "$(stat -c %s middle.rht.partial 2>/dev/null || echo 0)" -gt 5000 ]'
kill -9 $(cat /proc/$recorder/task/$recorder/children)
wait $recorder
same "the program was killed: exit code" 0 $?
expect 0 sound "$REHEAP" check middle.rht
same "status of the killed program" 9 "$(fact middle.rht exit_status)"
same "the recording of a killed program is complete" True "$(fact middle.rht complete)"

# SIGKILL of the collector: the program runs to its end and says once that it is alone.
"$REHEAP" record -o orphan.rht -- "$debian" "$programs" patient "$TMP/go" >program.out 2>program.err &
recorder=$!
await eval '[ "$(stat -c %s orphan.rht.partial 2>/dev/null || echo 0)" -gt 5000 ]'
kill -9 $recorder
wait $recorder 2>/dev/null
touch go
await grep -q finished program.out
same "it says so once" 1 "$(grep -c 'goes on unrecorded' program.err)"
[ ! -e orphan.rht ] || problem "a part of a recording stands under its final name"
expect 0 'recording ended early' "$REHEAP" check orphan.rht.partial
[ "$(fact orphan.rht.partial events)" -gt 100000 ] || problem "what was recorded before is not readable"

# A signal to the recorder reaches the program, which ends as it likes; the rest is recorded.
# (A shell has what it puts into the background ignore the signal; env undoes that.)
env --default-signal=INT "$REHEAP" record -o signal.rht -- "$debian" "$programs" interrupted >signal.out 2>signal.err &
recorder=$!
await grep -qs ready signal.out
kill -INT $recorder
wait $recorder
same "the program was interrupted: exit code" 0 $?
grep -q 'cleaned up' signal.out || problem "the program could not clean up"
grep -q 'ended with status 9' signal.err || problem "its status is not told"
expect 0 sound "$REHEAP" check signal.rht
# ... also where it comes before there was anything to record.
env --default-signal=INT "$REHEAP" record --python -o early.rht -- /bin/sh -c 'echo ready; exec sleep 1000' >early.out 2>early.err &
recorder=$!
await grep -qs ready early.out
kill -INT $recorder
wait $recorder
same "interrupted before it was a Python: exit code" 130 $?
absent early.rht
finish
