#!/usr/bin/env bash
# Measures what recording costs: record_bench.py says how. ./dev bench record [OPTION...]
set -eu
runfiles=${RUNFILES_DIR:-$0.runfiles}/reheap
here=$runfiles/tests/bench
paths=reheap=$(readlink -f "$runfiles/reheap_program")
for name in documents threads; do
    paths+=,$name=$(readlink -f "$here/${name}_program")
done
paths+=,mtrace_on=$(readlink -f "$here/libmtrace_on.so")
exec /usr/bin/python3 "$here/record_bench.py" "$paths" "$@"
