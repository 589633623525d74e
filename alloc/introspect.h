/* What the C library's malloc of this process really is, and what it says of itself.
 *
 * A program started with LD_PRELOAD runs on another malloc without knowing it. Every question is
 * asked of the shared object that defines this process's `malloc`: a name that the object lacks
 * would silently be answered by the C library's own, and its answer would be about an idle heap.
 */
#ifndef REHEAP_ALLOC_INTROSPECT_H
#define REHEAP_ALLOC_INTROSPECT_H

#include <stdbool.h>
#include <stddef.h>

#include "alloc/counters.h"

#define RH_MALLOC_SYMBOLS 2 /* the most that a kind needs */

/* A malloc that can be asked. */
typedef struct rh_malloc_kind {
    const char *name;
    /* What it is recognised by and asked through; NULL after the last. */
    const char *symbol[RH_MALLOC_SYMBOLS];
    size_t block_header_bytes; /* with each block in use, outside its usable size; 0: unknown */
    /* Fills the reported_… counters, and those parts of the waterfall that it tells: what it holds
     * beside blocks in use. `symbol` are the addresses of the names above. */
    void (*report)(void *const symbol[], rh_counters *counters);
    void (*version)(void *const symbol[], char *text, size_t capacity);
    void (*trim)(void *const symbol[]); /* NULL when it cannot */
} rh_malloc_kind;

/* The malloc of this process, found once and asked often. */
typedef struct rh_malloc_probe {
    char library[4096];         /* the file that defines malloc */
    const void *base;           /* where it is mapped */
    const rh_malloc_kind *kind; /* NULL: nobody we can ask */
    void *symbol[RH_MALLOC_SYMBOLS];
} rh_malloc_probe;

void rh_malloc_probe_process(rh_malloc_probe *probe);

/* The address of `name` in the object that defines malloc; NULL when that object lacks it. */
void *rh_malloc_probe_symbol(const rh_malloc_probe *probe, const char *name);

/* The malloc is the C library's own. */
bool rh_malloc_probe_is_libc(const rh_malloc_probe *probe);

extern const rh_malloc_kind rh_malloc_kind_glibc;
extern const rh_malloc_kind rh_malloc_kind_jemalloc;
extern const rh_malloc_kind rh_malloc_kind_tcmalloc;
extern const rh_malloc_kind rh_malloc_kind_scudo;
extern const rh_malloc_kind rh_malloc_kind_mimalloc;

#endif
