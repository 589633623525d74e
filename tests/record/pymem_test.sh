#!/usr/bin/env bash
# A program on libpymem.so is recorded like an interpreter, and its addresses are those of the heap that imitates its version.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
program=$runfiles/tests/record/pymem_program

for version in 3.7 3.9 3.11 3.13; do
    export REHEAP_PYTHON_VERSION=$version
    for name in '' pymalloc_debug; do
        PYTHONMALLOC=$name records pymem.rht -- "$program"
        same "$version ${name:-as it is}: version and allocator" "$version ${name:-pymalloc}" \
            "$(fact pymem.rht python_version) $(fact pymem.rht allocator)"
        expect 0 'all equal' "$REHEAP" verify pymem.rht
        [ "$("$REHEAP" dump pymem.rht | grep -c arena-free)" -gt 10 ] || problem "$version: no arenas are given back"
        [ "$(fact pymem.rht checkpoints)" -ge 4 ] || problem "$version: no checkpoints"
    done
done
LD_PRELOAD=$counter COUNT_OUT=$TMP/counts records counted.rht -- "$program"
same "allocations, as an independent hook counted them" "$(sed -n 's/^allocations //p' counts)" "$(fact counted.rht allocations)"
records both.rht --python --malloc -- "$program"
expect 0 'all equal' "$REHEAP" verify both.rht
REHEAP_PYTHON_VERSION=3.13 REHEAP_PYTHON_BUILD=free-threaded expect 4 'free-threaded' "$REHEAP" record -o no.rht -- "$program"
absent no.rht
finish
