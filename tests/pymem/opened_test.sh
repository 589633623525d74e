#!/usr/bin/env bash
# libpymem.so opened, beside a real libpython in either order, in a real interpreter, preloaded, and used by a library's
# constructor.
# usage: opened_test.sh BESIDE LIBPYMEM EARLY
set -u
. tests/pymem/pymem_lib.sh
beside=$1 library=$(readlink -f "$2") early=$3

run 0 "$beside" "$library" first
[ "$failed" = 0 ] || cat "$err"
python=$(ls /usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0 2>/dev/null)
if [ -n "$python" ]; then
    for order in first second; do
        run 0 "$beside" "$library" "$order" "$python"
    done
else
    echo "SKIP: libpython3.11 is not installed; beside it nothing was opened"
fi

run 0 env PYTHONMALLOCSTATS=1 "$early"
run 0 env PYTHONMALLOC=debug "$early"
run 0 env PYTHONMALLOC=malloc "$early"

# An interpreter has functions of the same names for everybody: ours must not call them.
run 0 /usr/bin/python3 - "$library" <<'PYTHON'
import ctypes, sys
ours = ctypes.CDLL(sys.argv[1])
for name in "PyMem_Malloc", "PyObject_Malloc", "PyMem_RawMalloc":
    getattr(ours, name).restype = ctypes.c_void_p
    getattr(ours, name).argtypes = [ctypes.c_size_t]
ours.PyMem_Free.argtypes = ours.PyMem_RawFree.argtypes = [ctypes.c_void_p]
ours.rh_pymem_current_name.restype = ctypes.c_char_p
before = sys.getallocatedblocks()
blocks = [ours.PyMem_Malloc(size % 600) for size in range(20000)]
# The list of the addresses is theirs; the blocks are not.
assert sys.getallocatedblocks() - before < 20100, "our blocks are in the interpreter's count"
assert all(blocks) and len(set(blocks)) == len(blocks)
assert ours.rh_pymem_current_name() == b"pymalloc"
for block in blocks:
    ours.PyMem_Free(block)
ours.PyMem_RawFree(ours.PyMem_RawMalloc(10))
PYTHON

# Preloaded, it changes nothing for a program that does not ask for memory by these names.
run 0 env LD_PRELOAD="$library" ls /
exit $failed
