#!/usr/bin/env bash
# Measures what recording costs: record_bench.py says how. ./dev bench record [PYTHON]
set -eu
runfiles=${RUNFILES_DIR:-$0.runfiles}/reheap
exec /usr/bin/python3 "$runfiles/tests/bench/record_bench.py" "$(readlink -f "$runfiles/reheap_program")" "$@"
