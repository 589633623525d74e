/* The documented memory functions of a library, found by their names: of libpython or of what
 * stands in for it. */
#ifndef REHEAP_TESTS_ORACLE_PYTHON_API_H
#define REHEAP_TESTS_ORACLE_PYTHON_API_H

#include <stdbool.h>
#include <stdio.h>

#include "alloc/pymem.h"

/* A domain's public functions. */
struct domain_functions {
    const char *name;
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t nelem, size_t elsize);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
};

struct python_api {
    void *handle;
    struct domain_functions domain[3]; /* by PyMemAllocatorDomain */
    void (*get_allocator)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*set_allocator)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*setup_debug_hooks)(void);
    void (*get_arenas)(PyObjectArenaAllocator *);
    void (*set_arenas)(PyObjectArenaAllocator *);
    int (*track)(unsigned domain, uintptr_t block, size_t size);
    int (*untrack)(unsigned domain, uintptr_t block);
    int (*print_stats)(FILE *out);
};

/* Opens `library` and finds all of them (track and untrack may be NULL). False, with a line on
 * stderr that names what is missing.
 */
bool python_api_open(struct python_api *api, const char *library);

#endif
