#!/usr/bin/env bash
# The C library's functions: every call that reaches them is in the file, in an order that makes sense, whatever the
# threads do and however the program ends.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
program=$runfiles/tests/record/malloc_program
witness=$runfiles/tests/record/libcount_malloc.so

for threads in 1 4 64; do
    LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records work$threads.rht --malloc -- "$program" work $threads \
        $((400000 / threads))
    compare_counts work$threads.rht 0
    same "$threads threads: threads recorded" $((threads + 1)) "$(fact work$threads.rht threads)"
    foreign=$(fact work$threads.rht foreign_frees)
    undecided=$(fact work$threads.rht undecided_events)
    [ "$foreign" -le "$undecided" ] && [ "$foreign" -le 40 ] || problem "$threads threads: $foreign frees of blocks never seen"
done

# More threads than there are rings, though never at once.
LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records relay.rht --malloc -- "$program" relay 6000
compare_counts relay.rht 0
same "threads one after the other" 6001 "$(fact relay.rht threads)"

for way in kill abort segv overflow; do
    LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records $way.rht --malloc -- "$program" $way 4 50000
    compare_counts $way.rht 4
    same "$way: the recording is complete" True "$(fact $way.rht complete)"
done

# Rings that were full, and have moved into larger memory, by then.
for way in kill work; do
    LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records large.rht --malloc -- "$program" $way 4 1000000
    compare_counts large.rht 4
    expect 0 sound "$REHEAP" check large.rht
done

# Little address space: neither side maps more of it than there are threads.
limited() { # KIB COMMAND...
    (ulimit -v "$1" && shift && exec "$@")
}
expect 0 '0 dropped' limited 300000 "$REHEAP" record -o small.rht -- "$debian" -c 'print(1)'
expect 0 '0 dropped' limited 300000 "$REHEAP" record --malloc -o small.rht -- "$debian" -c 'print(1)'
LD_PRELOAD=$witness COUNT_OUT=$TMP/counts expect 0 '0 dropped' limited 4000000 \
    "$REHEAP" record --malloc -o small.rht -- "$program" work 64 5000
expect 0 sound "$REHEAP" check small.rht
compare_counts small.rht 0

LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records fork.rht --malloc -- "$program" fork 2 50000
compare_counts fork.rht 0
# Each program that the process becomes is a recording; the last has the name.
LD_PRELOAD=$witness COUNT_OUT=$TMP/counts records exec.rht --malloc -- env "$program" exec 2 50000
compare_counts exec.rht.image2 0
same "programs that it was" "env malloc_program true" "$(for file in exec.rht.image* exec.rht; do
    basename "$(fact "$file" program)"; done | xargs)"
# An executable at a fixed address, as Debian's interpreter is; and what --children makes of a shell.
records python.rht --malloc -- "$debian" -c 'print(1)'
[ "$(fact python.rht events)" -gt 1000 ] || problem "python: events are missing"
records shell.rht --malloc --children -- sh -c 'ls; /bin/true; :'
[ "$(ls shell.rht* | wc -l)" -gt 2 ] || problem "children have no recordings: $(ls)"
finish
