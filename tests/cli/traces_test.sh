#!/usr/bin/env bash
# info, dump and check: on sound traces, damaged ones, and files of other kinds.
. "$(dirname "$0")/lib.sh"

golden=$runfiles/tests/golden/traces/version1
cp "$golden/example.rht" "$golden/every.rht" .
chmod u+w ./*.rht

json() { # FILE EXPRESSION: what python makes of it
    /usr/bin/python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}

expect 0 'python3 -c pass' "$REHEAP" info example.rht
expect 0 'events .* 6 ' "$REHEAP" info example.rht
expect 0 '"schema": "reheap.info/1"' "$REHEAP" info --json example.rht
same "events" "6 3 1 2" "$(json out '" ".join(str(d[k]) for k in ("events","allocations","reallocations","frees"))')"
same "bytes" "$(stat -c %s example.rht) 0 1" "$(json out '"%d %d %d" % (d["file_bytes"], d["dropped_events"], d["threads"])')"
same "bytes an event" "True" "$(json out 'abs(d["bytes_per_event"] * d["events"] - d["file_bytes"]) < 1e-6')"

expect 0 'arena-alloc 1048576' "$REHEAP" dump example.rht
same "lines of a dump" 8 "$(wc -l <out)"
expect 0 'free +56 #1' "$REHEAP" dump --from 4 --count 1 example.rht
same "lines of --count 1" 1 "$(wc -l <out)"
expect 0 '' "$REHEAP" dump --from 390 every.rht
same "lines to the end" 10 "$(wc -l <out)"
cp out tail
"$REHEAP" dump every.rht | tail -n 10 | sed 's/#[0-9]*//' >whole
same "a dump from the middle, slots apart" "$(cat whole)" "$(sed 's/#[0-9]*//' tail)"
expect 0 'ends before event 1000' "$REHEAP" dump --from 1000 every.rht
same "beyond the end" 0 "$(wc -l <out)"
expect 0 '' "$REHEAP" dump --json --from 2 --count 3 example.rht
same "dump --json" "reheap.dump/1 3 calloc" "$(json out '"%s %d %s" % (d["schema"], len(d["events"]), d["events"][1]["operation"])')"
refuses 2 'takes a number' "$REHEAP" dump --from x example.rht

expect 0 'sound, 400 events' "$REHEAP" check every.rht
expect 0 '"sound": true' "$REHEAP" check --json every.rht
size=$(stat -c %s every.rht)

# Cut within the index: whole, and it is told.
head -c $((size - 5)) every.rht >no_index.rht
expect 0 'there is no index' "$REHEAP" check no_index.rht
expect 0 'no index' "$REHEAP" info no_index.rht
expect 0 '"complete": false' "$REHEAP" info --json no_index.rht

# Cut in the middle of a block: damaged.
head -c $((size / 2)) every.rht >cut.rht
expect 3 'damaged: .*\(at byte [0-9]+\)' "$REHEAP" check cut.rht
expect 3 'cut.rht: .*\(at byte [0-9]+, event [0-9]+\)' "$REHEAP" info cut.rht
expect 3 'at byte' "$REHEAP" dump cut.rht

# A byte turned over in a block: what is lost is named.
cp every.rht turned.rht
printf '\xa5' | dd of=turned.rht bs=1 seek=$((size / 2)) conv=notrunc status=none
expect 3 'events [0-9]+ to [0-9]+ are lost' "$REHEAP" check turned.rht
expect 3 '"lost_events": [1-9]' "$REHEAP" check --json turned.rht

: >empty.rht
echo "malloc 10" >text.rht
{ head -c 8 example.rht; printf '\x07\x00'; tail -c +11 example.rht; } >future.rht
head -c 20 example.rht >short.rht
for command in info dump check; do
    refuses 3 "reheap $command: empty.rht: the file is empty" "$REHEAP" $command empty.rht
    refuses 3 "text.rht: this is not a reheap trace" "$REHEAP" $command text.rht
    refuses 3 "format version 7, and this program reads version 1" "$REHEAP" $command future.rht
    refuses 3 "ends at byte 20, inside its header" "$REHEAP" $command short.rht
    refuses 3 "absent.rht: cannot open it: No such file" "$REHEAP" $command absent.rht
    refuses 3 "not a regular file" "$REHEAP" $command .
    refuses 2 'name a trace' "$REHEAP" $command
    refuses 2 'one trace at a time' "$REHEAP" $command example.rht every.rht
    refuses 2 'unrecognized option' "$REHEAP" $command --nonsense example.rht
    expect 0 "Example:" "$REHEAP" $command --help
done
refuses 3 'blocks are alive at once, more than the limit of 1 .*--max-live' "$REHEAP" check --max-live 1 every.rht
refuses 2 'takes a number of blocks' "$REHEAP" check --max-live 0 every.rht
if [ -w /dev/full ]; then
    "$REHEAP" dump every.rht >/dev/full 2>err
    same "dump to a full disk" 5 $?
    "$REHEAP" info every.rht >/dev/full 2>err
    same "info to a full disk" 5 $?
    "$REHEAP" check every.rht >/dev/full 2>err
    same "check to a full disk" 5 $?
fi
finish
