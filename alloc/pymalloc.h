/* pymalloc: CPython's allocator for small objects, with every constant a parameter.
 *
 * The problem. An interpreter asks for millions of blocks of a few dozen bytes and frees most of
 * them soon. A general allocator spends a header and a search on each. Here a block has no header,
 * and giving or taking one is a handful of instructions.
 *
 * The picture.
 *
 *   heap ── classes: 16, 32, 48 … 512 bytes, each with a ring of its partly used pools
 *    │
 *    └── arenas (1 MiB from the arena source)
 *          ├── pool (16 KiB) │ header │ block │ block │ block │ … │ tail │    one class
 *          ├── pool          │ header │ block  │ block  │ …           │      another
 *          └── …
 *
 * A request is rounded up to its class and served by the first pool of the class's ring; the pool
 * of a block that is freed is the block's address rounded down. Pools without a block go back to
 * their arena, arenas without a pool in use to their source. What is larger than the small
 * threshold, or zero, and everything in the RAW domain, is not for pools: the heap's large space
 * (bestfit.h) serves it, or the C library.
 *
 * Who has what:
 *   pymalloc_geometry  sizes, and the constants of each version of CPython; size_classes: the table
 *   pymalloc_domains   the functions of the three domains; pymalloc_paths: the inlined fast paths
 *   pymalloc_pools     rings, and pools coming and going
 *   pymalloc_arenas    slots, arenas coming and going; arena_order: which arena is used next
 *   address_map        whose address is this; arena_map_census: what CPython's own map would cost
 *   arena_supply       where arenas come from: arena_ground, _malloc, _huge, _recorded, _cache
 *   pymalloc_statistics, pymalloc_check: what a heap says of itself
 *
 * Fidelity. With the constants of a version, and arenas at the same addresses, every block gets the
 * address that CPython's allocator gives it and the statistics are the same text, byte for byte.
 * Where the headers lie (`metadata`) changes no address: "side" keeps a block's link and its pool's
 * header outside the memory that is given out, so a heap whose blocks nobody touches never makes a
 * page of it resident, and an overrun cannot damage it. `source=virtual` goes further: its
 * addresses are numbers, nothing behind them exists, and its counters are those of the same heap
 * with source=mmap and metadata=in-band, byte for byte.
 *
 * Accounting. mapped_bytes are the arenas (those kept in a cache, too), the heap's own tables, and
 * what the large space holds; the waterfall's parts sum to it after every call. With large=libc,
 * blocks of the C library are in no counter at all: they are not this heap's memory. Time is best
 * measured with large=libc, as CPython does it, and memory with large=space, which is complete and
 * the same in every run.
 *
 * Cost. malloc and free are constant and short: at most one arena is got or released by a call, and
 * policies by address or by emptiness add a logarithm of the number of arenas when a pool changes
 * hands. One heap is used by one thread at a time; with large=libc its RAW domain by any.
 *
 * Source: the behaviour of CPython's Objects/obmalloc.c, versions 3.7 to 3.15.
 */
#ifndef REHEAP_ALLOC_PYMALLOC_H
#define REHEAP_ALLOC_PYMALLOC_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/arena_order.h"
#include "alloc/arena_supply.h"
#include "alloc/heap.h"
#include "alloc/spec.h"
#include "base/error.h"

typedef enum rh_metadata_place { RH_METADATA_IN_BAND, RH_METADATA_SIDE } rh_metadata_place;
typedef enum rh_large_kind { RH_LARGE_SPACE, RH_LARGE_LIBC } rh_large_kind;

typedef struct rh_pymalloc_config {
    uint64_t arena_bytes, pool_bytes, alignment, small_bytes;
    const char *classes; /* as in a spec: "geometric:4" (size_classes.h), read by the opening; NULL:
                            the multiples of the alignment. A list with small_bytes 0 tells that too
                          */
    rh_policy policy;
    uint32_t keep; /* wholly free arenas kept. With most-full, 1 is CPython's rule: one is kept when
                      it is last in the order */
    unsigned map_address_bits; /* of the version's address map, for the statistics; 0: none */
    rh_arena_source_kind source;
    uint32_t cache;     /* arenas given back that are kept mapped */
    const char *places; /* RH_SOURCE_RECORDED: the file of addresses, read by the opening */
    rh_metadata_place metadata;
    rh_large_kind large;
} rh_pymalloc_config;

/* The configuration of a version of CPython ("3.9", "3.11.2"; NULL: the standard preset), with
 * headers in-band, arenas from mmap and the heap's own large space. RH_USAGE when there is no
 * preset for it. */
rh_status rh_pymalloc_config_init(rh_pymalloc_config *config, const char *version, rh_error *error);

/* Opens a heap. RH_USAGE, with the reason, when the parts of the configuration do not fit;
 * RH_SYSTEM when there is no memory. rh_heap_set_arenas brings another source of arenas; a virtual
 * heap never touches what it gets from it. */
rh_status rh_pymalloc_open(const rh_pymalloc_config *config, rh_heap **heap, rh_error *error);

/* What rh_heap_set_arenas does, at any time: the arenas there are stay in use, and go back through
 * the new source, as CPython documents it. `heap` comes from rh_pymalloc_open. */
void rh_pymalloc_exchange_arenas(rh_heap *heap, const PyObjectArenaAllocator *arenas);

/* From now on the heap asks `raw` for the memory that CPython would take for its tables of arenas,
 * at the moments when CPython does, so that hooks on RAW see it and may refuse it: then there is no
 * arena. `raw` stays where it is; for a heap that is never closed. */
void rh_pymalloc_keep_books(rh_heap *heap, const PyMemAllocatorEx *raw);

/* From now on `announce` is called before the heap asks its source for an arena, while the arenas
 * are still as they were; it may print the heap's statistics, and must not allocate from it. NULL:
 * nobody is called. `heap` as above. */
void rh_pymalloc_announce_arenas(rh_heap *heap, void (*announce)(void *ctx), void *ctx);

extern const rh_allocator rh_pymalloc_allocator;

#endif
