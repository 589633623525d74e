#!/usr/bin/env bash
# produce.sh DIR: what `reheap plot` would give gnuplot for made-up results, and what `reheap compare` says of them.
set -eu
tree=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tree/tests/unit/analysis/make_results" "$work/runs.db" grid marks=60 samples=5
# Without a gnuplot on its path the command leaves scripts and tables, and says so with status 4.
status=0
env PATH="$work/nothing" "$tree/reheap_program" plot "$work/runs.db" -o "$work/figures" 2>/dev/null || status=$?
[ "$status" = 4 ]
cp "$work"/figures/* "$1"
cd "$work" && "$tree/reheap_program" compare runs.db >"$1/compare.txt"
