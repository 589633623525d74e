/* CPython's documented memory interface, under its documented names.
 *
 * The types at the top are what every allocator here is driven through, exactly as CPython drives
 * its own. The functions below them act on the three allocators that a process has at a time; they
 * are in //alloc:libpymem.so, which stands in for libpython where only memory is asked of it.
 * Nothing of ours begins with Py.
 *
 * Sizes are bytes. A request of more than PY_SSIZE_T_MAX bytes yields NULL without reaching an
 * allocator. A size of 0 yields a distinct pointer, a failed realloc leaves the old block as it
 * was, free of NULL does nothing. No function sets an exception or prints.
 */
#ifndef REHEAP_ALLOC_PYMEM_H
#define REHEAP_ALLOC_PYMEM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef ssize_t Py_ssize_t;
#define PY_SSIZE_T_MAX ((Py_ssize_t)(((size_t)-1) >> 1))
#define PY_SSIZE_T_MIN (-PY_SSIZE_T_MAX - 1)

/* Which family of functions a block belongs to; a block is freed in the domain that gave it. */
typedef enum {
    PYMEM_DOMAIN_RAW, /* PyMem_Raw…: any thread, no interpreter lock */
    PYMEM_DOMAIN_MEM, /* PyMem_…: buffers of the interpreter */
    PYMEM_DOMAIN_OBJ  /* PyObject_…: objects */
} PyMemAllocatorDomain;

/* The names that PYTHONMALLOC knows, numbered as in PyPreConfig.allocator. */
typedef enum {
    PYMEM_ALLOCATOR_NOT_SET = 0,
    PYMEM_ALLOCATOR_DEFAULT = 1,
    PYMEM_ALLOCATOR_DEBUG = 2,
    PYMEM_ALLOCATOR_MALLOC = 3,
    PYMEM_ALLOCATOR_MALLOC_DEBUG = 4,
    PYMEM_ALLOCATOR_PYMALLOC = 5,
    PYMEM_ALLOCATOR_PYMALLOC_DEBUG = 6,
    PYMEM_ALLOCATOR_MIMALLOC = 7,
    PYMEM_ALLOCATOR_MIMALLOC_DEBUG = 8
} PyMemAllocatorName;

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

/* ---- the three domains ---- */

/* RAW: may be called by any thread at any time. */
void *PyMem_RawMalloc(size_t size);
void *PyMem_RawCalloc(size_t nelem, size_t elsize);
void *PyMem_RawRealloc(void *ptr, size_t new_size);
void PyMem_RawFree(void *ptr);

/* MEM: by one thread at a time. */
void *PyMem_Malloc(size_t size);
void *PyMem_Calloc(size_t nelem, size_t elsize);
void *PyMem_Realloc(void *ptr, size_t new_size);
void PyMem_Free(void *ptr);

/* OBJ: by one thread at a time. */
void *PyObject_Malloc(size_t size);
void *PyObject_Calloc(size_t nelem, size_t elsize);
void *PyObject_Realloc(void *ptr, size_t new_size);
void PyObject_Free(void *ptr);

/* An array of n elements of a type; NULL when it would be larger than PY_SSIZE_T_MAX. Resize always
 * overwrites `p`, with NULL on failure: keep the old pointer if you still want it. */
#define PyMem_New(type, n)                                                                         \
    (((size_t)(n) > (size_t)PY_SSIZE_T_MAX / sizeof(type))                                         \
         ? NULL                                                                                    \
         : (type *)PyMem_Malloc((size_t)(n) * sizeof(type)))
#define PyMem_Resize(p, type, n)                                                                   \
    ((p) = ((size_t)(n) > (size_t)PY_SSIZE_T_MAX / sizeof(type))                                   \
               ? NULL                                                                              \
               : (type *)PyMem_Realloc((p), (size_t)(n) * sizeof(type)))
#define PyMem_Del PyMem_Free

/* Older names for the same. */
#define PyMem_MALLOC             PyMem_Malloc
#define PyMem_REALLOC            PyMem_Realloc
#define PyMem_FREE               PyMem_Free
#define PyMem_DEL                PyMem_Free
#define PyMem_NEW(type, n)       PyMem_New(type, n)
#define PyMem_RESIZE(p, type, n) PyMem_Resize(p, type, n)
#define PyObject_MALLOC          PyObject_Malloc
#define PyObject_REALLOC         PyObject_Realloc
#define PyObject_FREE            PyObject_Free

/* ---- allocators exchanged ---- */

/* Copies a domain's current allocator out; all NULL for a domain that there is not. */
void PyMem_GetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator);
/* From the next call on, the domain is served by *allocator; nothing for a domain that there is
 * not. */
void PyMem_SetAllocator(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator);
/* Wraps each domain's current allocator into the debug hooks, unless it is them already. */
void PyMem_SetupDebugHooks(void);

/* The source of arenas of the process's pymalloc; a new one takes over the arenas of the old. */
void PyObject_GetArenaAllocator(PyObjectArenaAllocator *allocator);
void PyObject_SetArenaAllocator(PyObjectArenaAllocator *allocator);

/* ---- tracemalloc ---- */

/* Notes a block of `size` bytes at `ptr` in a domain of one's own (0 is the interpreter's). 0:
 * done; -1: no memory for it; -2: nothing is traced at the moment. */
int PyTraceMalloc_Track(unsigned int domain, uintptr_t ptr, size_t size);
/* Forgets it; 0 also for one that is not known, -2 when nothing is traced. */
int PyTraceMalloc_Untrack(unsigned int domain, uintptr_t ptr);

/* ---- statistics ---- */

/* Prints what the allocator of OBJ says of itself, in CPython's own text. 1, or 0 and nothing when
 * that is neither pymalloc nor mimalloc. */
int _PyObject_DebugMallocStats(FILE *out);

#ifdef __cplusplus
}
#endif

#endif
