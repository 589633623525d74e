#!/usr/bin/env bash
# Bad days of a recording: whatever becomes of the program, the collector, the disk or the shared memory, the program goes
# on, what was recorded can be read, and where both live, nothing is missing.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
program=$runfiles/tests/record/malloc_program
programs=$runfiles/tests/record/programs.py
witness=$runfiles/tests/record/libcount_malloc.so
safe=$runfiles/tests/record/libsafe_malloc.so

# An ordinary user may mount in a namespace of his own, root also without.
if [ "${1:-}" != inside ] && unshare -rm true 2>/dev/null; then
    exec unshare -rm bash "${BASH_SOURCE[0]}" inside
fi

# The shared-memory file system is full: recordings do not lie there.
if mount -t tmpfs -o size=4k none /dev/shm 2>/dev/null; then
    head -c 100000 /dev/zero >/dev/shm/filler 2>/dev/null
    ! head -c 5000 /dev/zero >/dev/shm/more 2>/dev/null || problem "/dev/shm is not full"
    LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records shm.rht --malloc -- "$program" work 4 50000
    compare_counts shm.rht 0
    records shm.rht -- "$debian" "$programs" plain
    umount /dev/shm
else
    echo "SKIP: mounting is not allowed here: no full shared memory, no full disk"
fi

# The stack is full: a handler on another one allocates before it ends the program.
for threads in 1 4; do
    LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records altstack.rht --malloc -- "$program" altstack $threads 50000
    compare_counts altstack.rht "$threads"
    same "status after a handler on another stack" 768 "$(fact altstack.rht exit_status)"
done

# Handlers that allocate in the midst of a call that allocates.
for threads in 1 4; do
    LD_PRELOAD=$safe COUNT_OUT=$TMP/counts records handler.rht --malloc -- "$program" handler $threads 150000
    compare_counts handler.rht 0
    [ "$(sed -n 's/^handlers //p' words)" -ge 20 ] || problem "hardly a handler has run: $(head -n 1 words)"
done

# Other processes, begun in each way: without a trace in the file, or in one of their own.
LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records spawn.rht --malloc -- "$program" spawn 2 50000
compare_counts spawn.rht 0
absent spawn.rht.
LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records spawns.rht --malloc --children -- "$program" spawn 2 50000
compare_counts spawns.rht 0
same "programs that were started" "true true" "$(for file in spawns.rht.*; do "$REHEAP" check "$file" >/dev/null ||
    echo unsound; basename "$(fact "$file" program)"; done | grep -E 'unsound|true' | xargs)"
# One that leaves a process behind: the recording waits for it.
LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records daemon.rht --malloc --children -- "$program" daemon 2 50000
daemon=(daemon.rht.*)
same "files of what it left behind" 1 ${#daemon[@]}
expect 0 sound "$REHEAP" check "${daemon[0]}"
same "the daemon's recording is complete" True "$(fact "${daemon[0]}" complete)"
[ "$(fact "${daemon[0]}" events)" -gt 100000 ] || problem "what the daemon did is not in its file"

# start FILE OPTIONS... -- PROGRAM...: records a program that waits for the file `go`, until something of it is written.
start() {
    rm -f go program.out
    "$REHEAP" record -o "$@" >program.out 2>program.err &
    recorder=$!
    await eval '[ "$(stat -c %s '"$1"'.partial 2>/dev/null || echo 0)" -gt 20000 ]'
}

# A collector that stands still: the program waits for it, and nothing is lost.
stand_still() { # FILE
    kill -STOP $recorder
    touch go
    local before
    until before=$(cksum <counts) && sleep 0.3 && [ "$before" = "$(cksum <counts)" ]; do :; done
    ! grep -q finished program.out || problem "$1: the program did not wait for the collector"
    kill -CONT $recorder
    wait $recorder
    same "$1: exit code" 0 $?
    grep -q finished program.out || problem "$1: the program did not finish"
    grep -q ' 0 dropped' program.err || problem "$1: $(cat program.err)"
    expect 0 sound "$REHEAP" check "$1"
}
for threads in 1 4 64; do
    LD_PRELOAD=$witness COUNT_OUT=$TMP/counts start slow.rht --malloc -- "$program" patient $threads \
        $((threads < 64 ? 150000 : 80000)) "$TMP/go"
    stand_still slow.rht
    compare_counts slow.rht 0
done
LD_PRELOAD=$counter COUNT_OUT=$TMP/python_counts start slow.rht -- "$debian" "$programs" patient "$TMP/go"
: >counts
stand_still slow.rht

# A collector that is killed: the program goes on and says so once, in each of its processes.
LD_PRELOAD=$witness COUNT_OUT=$TMP/counts start orphan.rht --malloc -- "$program" patient 4 400000 "$TMP/go"
kill -9 $recorder
wait $recorder 2>/dev/null
touch go
await grep -q finished program.out
same "it says so once" 1 "$(grep -c 'goes on unrecorded' program.err)"
[ ! -e orphan.rht ] || problem "a part of a recording stands under its final name"
expect 0 'recording ended early' "$REHEAP" check orphan.rht.partial
[ "$(fact orphan.rht.partial events)" -gt 0 ] || problem "what was recorded before is not readable"

# A full disk. (As a Python program meets it: tests/cli/full_disk_test.sh.)
mkdir disk
if mount -t tmpfs -o size=1m none disk 2>/dev/null; then
    expect 5 'No space left.*recorded until then is in disk/full.rht.partial' "$REHEAP" record --malloc -o disk/full.rht -- \
        "$program" work 4 500000
    grep -q 'ended with status 0' err || problem "a full disk: the program did not end by itself"
    [ ! -e disk/full.rht ] || problem "a full disk: a part of a recording stands under its final name"
    expect 0 'ended early' "$REHEAP" check disk/full.rht.partial
    [ "$(fact disk/full.rht.partial events)" -gt 100000 ] || problem "a full disk: what was recorded is not readable"
    umount disk
fi
finish
