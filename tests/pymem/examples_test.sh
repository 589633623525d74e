#!/usr/bin/env bash
# The manual's examples do what the manual says, under every configuration.
# usage: examples_test.sh PROGRAM
set -u
. tests/pymem/pymem_lib.sh
program=$1
ABORTED=134

for name in "" default malloc pymalloc debug malloc_debug pymalloc_debug; do
    run 0 env PYTHONMALLOC=$name "$program" buffers
    run 0 env PYTHONMALLOC=$name "$program" arrays
done

# The C library's free of a block of Python's is fatal under the debug hooks: the block begins before its address, so that
# the library finds the hooks' bytes where it expects its own, and aborts or stumbles over them.
for name in debug malloc_debug pymalloc_debug; do
    run "$ABORTED|139" env PYTHONMALLOC=$name "$program" errors
    holds "$out" "two released"
    lacks "$out" "all released"
done

# A block of one domain released by another: the hooks tell, and only they.
for name in "" malloc pymalloc; do
    run 0 env PYTHONMALLOC=$name "$program" domains
    holds "$out" "both released"
done
for name in debug malloc_debug pymalloc_debug; do
    run $ABORTED env PYTHONMALLOC=$name "$program" domains
    holds "$out" "one released"
    lacks "$out" "both released"
    holds "$err" "bad ID: Allocated using API 'o', verified using API 'm'"
    holds "$err" "Fatal Python error: _PyMem_DebugRawFree"
done
exit $failed
