#!/usr/bin/env bash
# Limits of a recording, and pauses: what is in the file is sound, whenever it ended or went on.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
program=$runfiles/tests/record/malloc_program

# A program that works until a file is there, and says so when it has come to its end.
cat >busy.py <<'END'
import os, sys
print("at work", flush=True)
kept = []
while not os.path.exists(sys.argv[1]):
    kept.append([str(i) for i in range(500)])
    if len(kept) > 40:
        kept = kept[20:]
        kept[0].extend("more and more " * 10 for i in range(100))
print("came to its end")
END
busy=("$debian" busy.py)

# Events: exactly so many, the beginning of what would have been recorded, so that it can be verified.
expect 0 'limits\.rht: ended at the limit of 40,000 events; process' "$REHEAP" record -o limits.rht --max-events 40000 -- \
    "$debian" -c 'kept = [str(i) for i in range(200000)]; print("came to its end")'
grep -q 'came to its end' out || problem "the program did not go on"
expect 0 'sound' "$REHEAP" check limits.rht
same "limit of events" 40000 "$(fact limits.rht events)"
same "why it ended" "at the limit of 40,000 events" "$(fact limits.rht ended)"
expect 0 'all equal' "$REHEAP" verify limits.rht
expect 0 'ended at the limit' "$REHEAP" record --malloc -o limits.rht --max-events 30000 -- "$program" work 4 50000
expect 0 'sound' "$REHEAP" check limits.rht
same "limit of events, of four threads" 30000 "$(fact limits.rht events)"

# Bytes: the file is no larger, and not much smaller.
expect 0 'ended at the limit of 128K' "$REHEAP" record --malloc -o limits.rht --max-bytes 128K -- "$program" work 4 300000
expect 0 'sound' "$REHEAP" check limits.rht
size=$(stat -c %s limits.rht)
[ "$size" -le 131072 ] && [ "$size" -ge 80000 ] || problem "a limit of 128K made $size bytes"
# One that is not reached changes nothing.
expect 0 '' "$REHEAP" record -o whole.rht --max-bytes 1G --max-events 1G -- "$debian" -c 'pass'
same "a limit that is not reached" None "$(fact whole.rht ended)"
expect 0 'all equal' "$REHEAP" verify whole.rht

# Time. The program works until its recording has ended.
: >"$TMP/err"
(await grep -q 'ended after 0.2 s' "$TMP/err"; touch time.end) &
expect 0 'came to its end' "$REHEAP" record -o time.rht --duration 200ms --timestamps=coarse -- "${busy[@]}" time.end
wait
same "why it ended" "after 0.2 s" "$(fact time.rht ended)"
expect 0 'sound' "$REHEAP" check time.rht

# Many threads fill their rings as fast as those are read: it ends nevertheless, and goes back to no more than they held.
expect 0 'ended after 0.1 s' "$REHEAP" record --malloc -o many.rht --duration 100ms -- "$program" work 64 200000
same "why it ended" "after 0.1 s" "$(fact many.rht ended)"
[ "$(fact many.rht events)" -lt 20000000 ] || problem "--duration recorded the program to its end"
expect 0 'sound' "$REHEAP" check many.rht

# Paused at first, begun, paused, gone on with. The lines on stderr say when a signal has been heard.
heard() { # TIMES WORD
    [ "$(grep -c "^reheap record: $2" signals.err)" -ge "$1" ]
}
: >signals.err && : >signals.out
"$REHEAP" record --paused -o signals.rht -- "${busy[@]}" signals.end >signals.out 2>signals.err &
record=$!
await grep -q 'at work' signals.out # so it is attached
await heard 1 paused
for turn in 1 2 3; do
    kill -USR1 $record
    await heard $turn recording
    kill -USR2 $record
    await heard $((turn + 1)) paused
done
kill -USR1 $record
await heard 4 recording
touch signals.end
wait $record || problem "the paused recording ended with $?"
expect 0 'sound' "$REHEAP" check signals.rht
same "pauses" 4 "$(fact signals.rht pauses)"
same "frees of blocks never seen" "" "$("$REHEAP" dump signals.rht | grep -B 5 -A 5 foreign)"
same "phases" "resumed paused resumed paused resumed paused resumed " "$("$REHEAP" info --json signals.rht | "$debian" -c '
import json, sys
for phase in json.load(sys.stdin)["phases"][1:]: print(phase["name"], end=" ")')"
refuses 2 'not a whole recording' "$REHEAP" verify signals.rht
# As text, too, a trace tells of its pauses and its end.
for file in signals limits; do
    expect 0 '' "$REHEAP" export --to text $file.rht -o text
    expect 0 '' "$REHEAP" import --from text text -o again.rht
    same "pauses, through text" "$(fact $file.rht pauses)" "$(fact again.rht pauses)"
    same "the end, through text" "$(fact $file.rht ended)" "$(fact again.rht ended)"
done

# Through the C library, threads that hand blocks to one another, as often as it goes.
: >signals.err
"$REHEAP" record --malloc --paused -o often.rht -- "$program" work 4 400000 >often.out 2>signals.err &
record=$!
await heard 1 paused
while kill -USR2 $record 2>/dev/null && kill -USR1 $record 2>/dev/null; do :; done
wait $record || problem "the recording that was paused often ended with $?"
expect 0 'sound' "$REHEAP" check often.rht
[ "$(fact often.rht foreign_frees)" -le "$(fact often.rht undecided_events)" ] || problem "pauses made foreign frees"

# Never begun: a file without an event, and a word about it.
expect 0 'nothing was recorded: SIGUSR1 never came' "$REHEAP" record --paused -o never.rht -- "$debian" -c pass
expect 0 'sound' "$REHEAP" check never.rht
same "events" 0 "$(fact never.rht events)"

for wrong in --max-events=0 --max-events=x --max-bytes=1K --max-bytes=10 --duration=5 --duration=0s; do
    refuses 2 "${wrong%=*}" "$REHEAP" record $wrong -o no.rht -- true
done
absent no.rht
finish
