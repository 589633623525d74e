/* The common interface: every allocator under test is a heap.
 *
 * A heap is opened from a spec string ("pymalloc@3.9,arena=4M"), driven through its three domains
 * like CPython's own allocators, asked for counters and walks, and closed. Instances are
 * independent; one heap is used by one thread at a time unless its allocator says otherwise
 * (rh_allocator's `threads`).
 */
#ifndef REHEAP_ALLOC_HEAP_H
#define REHEAP_ALLOC_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "alloc/counters.h"
#include "alloc/pymem.h"
#include "base/error.h"

#define RH_DOMAINS 3 /* indexed by PyMemAllocatorDomain */

typedef struct rh_heap rh_heap;

/* What a walk meets, outermost first: an arena, then its pages (pools), then their blocks. */
typedef enum rh_region_kind { RH_REGION_ARENA, RH_REGION_PAGE, RH_REGION_BLOCK } rh_region_kind;

typedef struct rh_region {
    rh_region_kind kind;
    uintptr_t address;
    size_t size_bytes;
    size_t block_bytes; /* page: the size of its blocks; 0 when it has no class yet */
    uint32_t used;      /* arena: pages in use; page: blocks in use; block: 1 in use, 0 free */
    uint32_t capacity;  /* arena: pages it has, 0 where it is not cut into pages; page: blocks that
                           fit */
} rh_region;

/* Returns false to end the walk. */
typedef bool rh_region_visitor(void *ctx, const rh_region *region);

/* Takes a figure that is no counter of every heap: a layer's own, named LAYER_WHAT
 * ("count_obj_mallocs"), or a plug-in's. */
typedef void rh_figure_taker(void *ctx, const char *name, uint64_t value);

/* Told of every arena that comes and goes, during the call that causes it. `slot`: its entry in the
 * heap's table of arenas, which a later one may have after it. */
typedef struct rh_arena_watch {
    void *ctx;
    void (*born)(void *ctx, uint32_t slot, uintptr_t address, size_t size_bytes);
    void (*died)(void *ctx, uint32_t slot, uintptr_t address);
} rh_arena_watch;

/* One per allocator. A member may be NULL where the allocator cannot do it; the rh_heap_… functions
 * below cope. */
typedef struct rh_heap_operations {
    void *(*aligned_alloc)(rh_heap *, PyMemAllocatorDomain, size_t alignment, size_t size);
    size_t (*usable_size)(rh_heap *, PyMemAllocatorDomain, const void *block);
    size_t (*block_bytes)(rh_heap *, PyMemAllocatorDomain, const void *block);
    void (*get_arenas)(rh_heap *, PyObjectArenaAllocator *);
    rh_status (*set_arenas)(rh_heap *, const PyObjectArenaAllocator *, rh_error *);
    void (*set_raw)(rh_heap *, const PyMemAllocatorEx *);
    void (*snapshot)(rh_heap *, rh_counters *);
    bool (*print_stats)(rh_heap *, FILE *);
    bool (*walk)(rh_heap *, rh_region_visitor *, void *ctx);
    bool (*walk_pages)(rh_heap *, rh_region_visitor *, void *ctx);
    void (*watch_arenas)(rh_heap *, const rh_arena_watch *);
    rh_status (*check)(rh_heap *, rh_error *);
    void (*trim)(rh_heap *);
    void (*figures)(rh_heap *, rh_figure_taker *, void *ctx);
    void (*close)(rh_heap *);
} rh_heap_operations;

/* Whether what is written into a block can be read back. */
typedef enum rh_contents {
    RH_CONTENTS_KEPT,
    RH_CONTENTS_NONE, /* addresses are numbers, nothing may be touched */
    RH_CONTENTS_LOST  /* blocks overlap */
} rh_contents;

/* The part of a heap that callers use without a call between; an allocator's own state follows it.
 */
struct rh_heap {
    PyMemAllocatorEx domain[RH_DOMAINS];
    const rh_heap_operations *operations;
    const uint64_t
        *mapped_bytes; /* always current, so that a peak is exact; NULL when the heap cannot tell */
    size_t natural_alignment; /* every block has at least this alignment; a power of two */
    rh_contents contents;
    size_t block_header_bytes; /* of a foreign allocator: what it keeps with each block in use, and
                                  counts nowhere; 0: nothing that is known */
    bool raw_uncounted;        /* blocks that RAW serves are in no counter and no walk */
};

/* Opens the heap that `spec` names. Fails with RH_USAGE (a bad spec: the message names the bad part
 * and what is allowed) or RH_CANNOT_RUN (a library that will not load, or one that this process
 * would have to be started with). */
rh_status rh_heap_open(const char *spec, rh_heap **heap, rh_error *error);

/* Gives back everything the heap holds, live blocks included. NULL is allowed. */
void rh_heap_close(rh_heap *heap);

/* A block of `size` bytes at a multiple of `alignment` (a power of two), freed by the domain's
 * free. NULL on failure. */
void *rh_heap_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment,
                            size_t size);

/* Bytes that may be used at `block`, at least what was requested; 0 when the heap cannot tell. */
size_t rh_heap_usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block);

/* What a block in use adds to the counter block_bytes; 0 when the heap counts it nowhere (the C
 * library's blocks in a heap of pools). The usable size, unless the heap says otherwise. */
size_t rh_heap_block_bytes(rh_heap *heap, PyMemAllocatorDomain domain, const void *block);

/* The source of arenas, by value. get returns false, and set RH_USAGE, when the allocator has none.
 * After set, every arena is got from and given back to the new source, those that the old one gave
 * too; an allocator that cannot change it once it has arenas refuses then (RH_USAGE). */
bool rh_heap_get_arenas(rh_heap *heap, PyObjectArenaAllocator *arenas);
rh_status rh_heap_set_arenas(rh_heap *heap, const PyObjectArenaAllocator *arenas, rh_error *error);

/* Who serves what the heap's MEM and OBJ domains pass on to RAW (pymalloc: zero bytes and what no
 * pool serves); it stays where it is as long as the heap lives. Without this call, the heap's own
 * RAW domain does. A heap that passes nothing on ignores it. Before the first allocation. */
void rh_heap_set_raw(rh_heap *heap, const PyMemAllocatorEx *raw);

/* Copies the counters of this moment; unknown ones are RH_UNKNOWN. */
void rh_heap_snapshot(rh_heap *heap, rh_counters *counters);

/* Prints the statistics in CPython's own text; false, printing nothing, when the allocator has no
 * such text. */
bool rh_heap_print_stats(rh_heap *heap, FILE *out);

/* Shows every arena, page and block to `visit`, in address order within its parent. False when the
 * allocator cannot be walked or the visitor ended the walk. */
bool rh_heap_walk(rh_heap *heap, rh_region_visitor *visit, void *ctx);

/* The same of the arenas that are cut into pages, and their pages, alone: what else the heap holds
 * is passed over, and blocks are not looked at, so that it costs a visit for each page. Pages that
 * hold no block may be left out. False also for a heap that can be walked but has no such arenas
 * ever. */
bool rh_heap_walk_pages(rh_heap *heap, rh_region_visitor *visit, void *ctx);

/* From now on `watch`, which is copied, is told of arenas. It must not use the heap. False when the
 * heap cannot tell. Before the first allocation; with NULL, nobody is told any more. It may change
 * the heap's domains: whoever copied them copies them again. */
bool rh_heap_watch_arenas(rh_heap *heap, const rh_arena_watch *watch);

/* Verifies every invariant. RH_DIFFERENT with a message that names the broken one and where. */
rh_status rh_heap_check(rh_heap *heap, rh_error *error);

/* Gives back what can be given back without moving a block. */
void rh_heap_trim(rh_heap *heap);

/* Shows `take` the figures of this moment that only this kind of heap has, those of what lies under
 * a layer first. A replay stores them beside the metrics. */
void rh_heap_figures(rh_heap *heap, rh_figure_taker *take, void *ctx);

#endif
