/* What PYTHONMALLOC means: which allocator serves each domain, by its name, the version of CPython
 * and how that was built. One table of names; the process's API, the spec allocator `python` and
 * the listing read it. Nothing here allocates or touches a domain.
 */
#ifndef REHEAP_ALLOC_PYTHONMALLOC_H
#define REHEAP_ALLOC_PYTHONMALLOC_H

#include <stdbool.h>

#include "alloc/pymem.h"
#include "base/error.h"

/* How a CPython was built, as far as its memory goes. All false: as it comes. */
typedef struct rh_python_build {
    bool debug;            /* --with-pydebug: the hooks are in its defaults */
    bool free_threaded;    /* --disable-gil, since 3.13: pymalloc is not in it */
    bool without_pymalloc; /* --without-pymalloc */
    bool without_mimalloc; /* --without-mimalloc; a free-threaded build cannot do without */
    bool huge_pages;       /* --with-pymalloc-hugepages, since 3.15: arenas of 2 MiB */
} rh_python_build;

typedef enum rh_python_kind {
    RH_PYTHON_MALLOC,
    RH_PYTHON_PYMALLOC,
    RH_PYTHON_MIMALLOC
} rh_python_kind;

/* The allocators of a configuration: RAW has one, MEM and OBJ share another. */
typedef struct rh_python_memory {
    rh_python_kind raw, objects;
    bool debug; /* under the debug hooks, all three */
} rh_python_memory;

/* Resolves a value of PYTHONMALLOC, exact and case-sensitive; "" and NULL stand for the build's
 * defaults. `version` is "3.13", or longer ("3.13.0rc1"). RH_USAGE, with the reason, when that
 * CPython has no such name, or when there is no such build of it. */
rh_status rh_pythonmalloc_resolve(const char *name, const char *version,
                                  const rh_python_build *build, rh_python_memory *memory,
                                  rh_error *error);

/* What a value of PYTHON_PYMALLOC_HUGEPAGES asks a build with huge pages for: a number above 0
 * does, and so does what is below or no number. NULL: it is unset. */
bool rh_pythonmalloc_wants_huge_pages(const char *value);

/* The name whose number is `number` ("pymalloc_debug"); NULL for not-set and for what is no number
 * of a name. */
const char *rh_pythonmalloc_name(PyMemAllocatorName number);

#endif
