#!/usr/bin/env bash
# produce.sh DIR: what `reheap arenas` prints of a trace that is made by formula, and what `reheap plot` would give gnuplot.
set -eu
reheap=$PWD/reheap_program
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$reheap" generate pinning,objects=40000,min=16,max=400,one-in=60 --events 100000 -o made.rht 2>/dev/null
"$reheap" arenas made.rht -a pymalloc@3.9 -a pymalloc,arena=64K,pool=4K,classes=geometric:4 -a malloc --at pinned --at end \
    --by size,lifetime,lifetime_from,domain,birth,size_lifetime --rows 4 -o runs.db >"$1/arenas.txt"
"$reheap" arenas made.rht --list --at 50000 --under 40 --by birth >"$1/list.txt"
# Without a gnuplot on its path the command leaves scripts and tables, and says so with status 4.
status=0
env PATH="$work/nothing" "$reheap" plot runs.db -o figures 2>/dev/null || status=$?
[ "$status" = 4 ]
cp figures/occupancy* figures/pins* "$1"
