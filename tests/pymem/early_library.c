/* A library that allocates before main, in its constructor, and after it, in its destructor. */
#include <stdlib.h>

#include "alloc/pymem.h"

void *early_blocks[3];

__attribute__((constructor)) static void
begin(void)
{
    early_blocks[0] = PyMem_RawMalloc(30);
    early_blocks[1] = PyMem_Malloc(30);
    early_blocks[2] = PyObject_Calloc(3, 1000);
    if (!early_blocks[0] || !early_blocks[1] || !early_blocks[2])
        abort();
}

__attribute__((destructor)) static void
end(void)
{
    PyMem_RawFree(early_blocks[0]);
    PyMem_Free(early_blocks[1]);
    PyObject_Free(early_blocks[2]);
    PyObject_Free(PyObject_Malloc(100));
}
