#!/usr/bin/env bash
# libpymem.so offers what its headers declare, documented names and ours, and nothing else: not malloc,
# not a helper. What it needs of others it does not define: no name of Python's is left open.
# usage: symbols_test.sh LIBRARY HEADER...
set -u
library=$1
shift
declared=$(cat "$@" | grep -oE '\b(_?Py[A-Za-z]+_[A-Za-z_]+|rh_[a-z_]+)(\(|;|\[)' | tr -d '(;[' | sort -u)
offered=$(nm -D --defined-only --extern-only "$library" | awk '{print $3}' | sort -u)
open=$(nm -D --undefined-only "$library" | awk '{print $2}' | grep -E '^_?Py|^rh_')
failed=0
undeclared=$(comm -13 <(echo "$declared") <(echo "$offered"))
[ -z "$undeclared" ] || { echo "offered, and in no header: $undeclared"; failed=1; }
[ -z "$open" ] || { echo "left open: $open"; failed=1; }
for name in PyMem_{,Raw}{Malloc,Calloc,Realloc,Free} PyObject_{Malloc,Calloc,Realloc,Free} PyMem_{Get,Set}Allocator \
    PyObject_{Get,Set}ArenaAllocator _PyObject_DebugMallocStats; do
    grep -qx "$name" <<<"$offered" || { echo "missing: $name"; failed=1; }
done
exit $failed
