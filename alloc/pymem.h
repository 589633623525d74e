/* CPython's documented memory types, under their documented names.
 *
 * Every allocator here is driven through a PyMemAllocatorEx, exactly as CPython drives its own, so
 * whatever is written against the Python/C API's memory chapter fits. Nothing of ours begins with
 * Py.
 */
#ifndef REHEAP_ALLOC_PYMEM_H
#define REHEAP_ALLOC_PYMEM_H

#include <stddef.h>

/* Which family of functions a block belongs to; a block is freed in the domain that gave it. */
typedef enum {
    PYMEM_DOMAIN_RAW, /* PyMem_Raw…: any thread, no interpreter lock */
    PYMEM_DOMAIN_MEM, /* PyMem_…: buffers of the interpreter */
    PYMEM_DOMAIN_OBJ  /* PyObject_…: objects */
} PyMemAllocatorDomain;

/* A domain's allocator. Each function gets `ctx` first. A size of 0 yields a distinct pointer; a
 * failed realloc leaves the old block as it was; free of NULL does nothing. */
typedef struct {
    void *ctx;
    void *(*malloc)(void *ctx, size_t size);
    void *(*calloc)(void *ctx, size_t nelem, size_t elsize);
    void *(*realloc)(void *ctx, void *ptr, size_t new_size);
    void (*free)(void *ctx, void *ptr);
} PyMemAllocatorEx;

/* Where a heap gets its arenas. `alloc` returns NULL when it has none to give. */
typedef struct {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *ptr, size_t size);
} PyObjectArenaAllocator;

#endif
