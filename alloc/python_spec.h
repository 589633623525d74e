/* `python`: the memory of a CPython of some version, started with some PYTHONMALLOC. It is no
 * allocator of its own: `python@3.13,malloc=mimalloc_debug` stands for the allocator that such an
 * interpreter has, under the debug hooks where it has them. */
#ifndef REHEAP_ALLOC_PYTHON_SPEC_H
#define REHEAP_ALLOC_PYTHON_SPEC_H

#include "alloc/spec.h"

extern const rh_allocator rh_python_allocator;

#endif
