#!/usr/bin/env bash
# Measures whether comparisons can be believed: alike_bench.py says how. ./dev bench alike [OPTION...]
runfiles=${RUNFILES_DIR:-$0.runfiles}/reheap
exec /usr/bin/python3 "$runfiles/tests/bench/alike_bench.py" "$(readlink -f "$runfiles/reheap_program")" "$@"
