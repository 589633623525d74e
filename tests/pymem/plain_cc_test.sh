#!/usr/bin/env bash
# A program is compiled and linked as docs/python-memory.md says, by the C compiler alone, in C and in C++.
# usage: plain_cc_test.sh LIBPYMEM
set -u
. tests/pymem/pymem_lib.sh
library=$(readlink -f "$1")
command -v cc >/dev/null || { echo "SKIP: there is no cc"; exit 0; }

run 0 cc -Wall -Wextra -Werror -pedantic -std=c11 -I. -Ialloc tests/pymem/examples.c -o "$TEST_TMPDIR/program" \
    -L"$(dirname "$library")" -lpymem -Wl,-rpath,"$(dirname "$library")"
run 0 "$TEST_TMPDIR/program" buffers
run 0 "$TEST_TMPDIR/program" arrays

if command -v c++ >/dev/null; then
    cat >"$TEST_TMPDIR/program.cc" <<'PROGRAM'
#include "Python.h"

int
main()
{
    double *numbers = PyMem_New(double, 10);
    PyMem_Resize(numbers, double, 100);
    PyMemAllocatorEx allocator;
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &allocator);
    PyMem_Del(numbers);
    PyObject *bytes = PyBytes_FromString("seven..");
    int wrong = allocator.malloc == nullptr || PyBytes_Size(bytes) != 7;
    Py_DECREF(bytes);
    return wrong;
}
PROGRAM
    run 0 c++ -Wall -Wextra -Werror -I. -Ialloc "$TEST_TMPDIR/program.cc" -o "$TEST_TMPDIR/program" \
        -L"$(dirname "$library")" -lpymem -Wl,-rpath,"$(dirname "$library")"
    run 0 "$TEST_TMPDIR/program"
else
    echo "SKIP: there is no c++; C alone was compiled"
fi
exit $failed
