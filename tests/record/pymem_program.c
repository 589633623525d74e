/* A program on libpymem.so: small and large blocks of all domains, enough of them for many arenas,
 * which it gives back. */
#include <stdio.h>
#include <string.h>

#include "alloc/pymem.h"

enum { BLOCKS = 60000, SIZES = 700 };

static void *block[BLOCKS];

int
main(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        size_t size = (size_t)(i % SIZES);
        block[i] = i % 4 ? PyObject_Malloc(size) : PyObject_Calloc(1, size);
        memset(block[i], 1, size);
    }
    for (int i = 0; i < BLOCKS; i += 3) {
        PyObject_Free(block[i]);
        block[i] = NULL;
    }
    void *raw = PyMem_RawMalloc(1000), *grown = NULL;
    for (size_t size = 1; size < 3000; size += 7)
        grown = PyMem_Realloc(grown, size);
    PyMem_Free(grown);
    PyMem_RawFree(raw);
    for (int i = 0; i < BLOCKS; i++)
        PyObject_Free(block[i]);
    puts("done");
    return 0;
}
