#include "alloc/c_library.h"

#include <stdlib.h>

static void *
libc_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size ? size : 1);
}

static void *
libc_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    return nelem && elsize ? calloc(nelem, elsize) : calloc(1, 1);
}

static void *
libc_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return realloc(block, size ? size : 1);
}

static void
libc_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

const PyMemAllocatorEx rh_c_library = {NULL, libc_malloc, libc_calloc, libc_realloc, libc_free};
