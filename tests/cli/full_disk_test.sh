#!/usr/bin/env bash
# A disk that fills while a command writes: the command says so with code 5, no half file stands under the final name, and
# the recorded program does not notice. The disk is a small file system in memory, in a namespace of this test's own where that is allowed.
. "${BASH_SOURCE[0]%/*}/lib.sh"
python=/usr/bin/python3

# An ordinary user may mount in a namespace of his own, root also without.
if [ "${1:-}" != inside ] && unshare -rm true 2>/dev/null; then
    exec unshare -rm bash "${BASH_SOURCE[0]}" inside
fi
mkdir disk
mount -t tmpfs -o size=64k none disk 2>/dev/null || skip "neither unshare -rm nor mount is allowed here: no small disk to fill"
trap 'umount "$TMP/disk"; rm -rf "$TMP"' EXIT

program='import json
for i in range(300): json.loads(json.dumps([str(i * j) for j in range(1000)]))
print("program done")'
"$REHEAP" record -o good.rht -- "$python" -c "$program" >/dev/null 2>&1 || problem "cannot record"
[ "$(stat -c %s good.rht)" -gt 70000 ] || problem "the recording is too small to fill the disk"
"$REHEAP" replay good.rht -o good.db -a pymalloc -a bump >/dev/null 2>&1 || problem "cannot replay"

expect 5 'disk/full.rht.*[Nn]o space|[Nn]o space.*disk/full.rht' "$REHEAP" record -o disk/full.rht -- "$python" -c "$program"
grep -q 'program done' out || problem "the program did not run to its end"
# What is there is a recording up to the moment the disk was full, and does not look like a whole one.
expect 0 'ended early' "$REHEAP" check disk/full.rht.partial
rm disk/full.rht.partial
same "nothing else on the disk" "" "$(ls disk)"

head -c 60000 /dev/zero >disk/filler
expect 5 'full.db' "$REHEAP" replay good.rht -o disk/full.db -a pymalloc
same "after replay, only the filler" filler "$(ls disk)"
expect 5 'figures' "$REHEAP" plot good.db -o disk/figures
[ -z "$(find disk/figures -name '*.svg' -size -1k 2>/dev/null)" ] || problem "an empty figure was left"

# A limit on the size of files is a full disk of another kind.
(ulimit -f 8 && exec "$REHEAP" replay good.rht -o limited.db -a pymalloc >/dev/null 2>&1)
same "replay under a limit on file sizes: exit code" 5 $?
same "what it left" "" "$(ls -d limited.db* 2>/dev/null)"

# Standard output that cannot be written.
for command in "info good.rht" "dump good.rht" "info --json good.rht" "allocators" "compare good.db"; do
    "$REHEAP" $command >/dev/full 2>err </dev/null
    same "$command to a full disk: exit code" 5 $?
    [ -s err ] || problem "$command to a full disk: no message"
done
finish
