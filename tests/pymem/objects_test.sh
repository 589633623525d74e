#!/usr/bin/env bash
# Objects with free lists over every configuration: a dead row is the next row, and asks nobody for memory.
# usage: objects_test.sh PROGRAM
set -u
. tests/pymem/pymem_lib.sh
program=$1

for name in "" malloc pymalloc debug malloc_debug pymalloc_debug; do
    run 0 env PYTHONMALLOC=$name "$program"
    holds "$out" "after 1,000 rows: 4 births, 0 deaths"
    holds "$out" "           3 free PyFloatObjects * 24 bytes each =                   72"
    holds "$out" "   1 free 3-sized PyTupleObjects * 48 bytes each =                   48"
    holds "$out" "   0 free 1-sized PyTupleObjects * 32 bytes each =                    0"
    holds "$out" "kept rows need no memory: yes"
    holds "$out" "the next one does: yes"
    holds "$out" "PyObject_New: refused"
    [ "$(grep -c 'noted: MemoryError' "$out")" = 2 ] || complain "MemoryError is not noted: $(cat "$out")"
    holds "$out" "left: 4"
    holds "$out" "left at last: 0"
done
exit $failed
