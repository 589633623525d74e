#!/usr/bin/env bash
# reheap demo from end to end: every file it promises, the grid it promises, the sentences at its end.
. "$TEST_SRCDIR/$TEST_WORKSPACE/tests/cli/lib.sh"
[ -x /usr/bin/python3 ] && [ -r /usr/lib/python3.11/lib2to3/main.py ] || skip "python3-lib2to3 is not installed"
command -v gnuplot >/dev/null || skip "gnuplot is not installed"

"$REHEAP" demo >out 2>err
status=$?
if [ "$status" = 4 ] && grep -q 'some allocators could not be run' err; then
    skip "not every allocator is installed: $(grep -m1 ' failed: ' out)"
fi
judge 0 'At its peak the program asks for [0-9.]+ MiB; pymalloc holds' "$status" "demo"
tail -n 30 err
for file in demo.rht replay.db tuning.db rewritten/turtle.py figures/figures.html figures/{memory,fragmentation,arenas}.png \
    figures/{waterfall,latency-malloc,latency-free,speed-memory}.{gp,tsv,svg,png} figures-of-tuning/{grid-memory,grid-speed}.svg; do
    [ -s "reheap-demo/$file" ] || problem "reheap-demo/$file is not there"
done
grep -qE 'addresses +[0-9,]+ compared, all equal' out || problem "the recording was not verified"
grep -qE '^A call takes pymalloc [0-9.]+ ns; ' out || problem "no sentence on speed"
grep -qE '^(pymalloc,arena=.* holds [0-9.]+ % less memory|Nothing tried needs less)' out || problem "no sentence on tuning"
for allocator in pymalloc cpython mimalloc malloc jemalloc tcmalloc; do
    grep -qE "^$allocator +[0-9.]+ +[0-9]" out || problem "$allocator is not in the tables"
done
cells=$(grep -cE '^[0-9]' reheap-demo/figures-of-tuning/grid-memory.tsv)
same "cells of the map" 24 "$cells"
grep -q NaN reheap-demo/figures-of-tuning/grid-memory.tsv && problem "a cell of the map of memory is empty"

# Every line it shows can be run again by hand.
compare=$(sed -n 's/^\$ reheap \(compare .*\)/\1/p' out)
eval "expect 0 'baseline: pymalloc' \"\$REHEAP\" $compare"
finish
