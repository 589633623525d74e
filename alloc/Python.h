/* What a C file that includes CPython's Python.h for the sake of memory finds there: the memory
 * interface, objects as far as memory goes, and the standard headers that Python.h brings along.
 *
 * Compile with this folder and the one above it as include paths (Bazel: //alloc:python_header),
 * and link libpymem.so. There is no interpreter behind it, and nothing that would pretend to start
 * one: Py_Initialize and PyPreConfig are missing on purpose (rh_pymem_configure stands for
 * PyPreConfig.allocator).
 */
#ifndef Py_PYTHON_H
#define Py_PYTHON_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/pybytes.h"
#include "alloc/pymem.h"
#include "alloc/pyobject.h"

#endif
