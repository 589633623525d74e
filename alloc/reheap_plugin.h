/* The interface between reheap and an allocator in a shared library of its own.
 *
 * Copy this file into your project; it needs nothing but the standard headers, in C (from C99 on)
 * and in C++. Fill in one table, export it under the name reheap_plugin, build a shared library,
 * and replay recordings into it:
 *
 *     const reheap_plugin_table reheap_plugin = {
 *         REHEAP_PLUGIN_HEAD,
 *         .name = "mine",
 *         .version = "0.1",
 *         .natural_alignment = 16,
 *         .open = mine_open,
 *         .close = mine_close,
 *         .functions = {mine_malloc, mine_calloc, mine_realloc, mine_free},
 *     };
 *
 *     cc -shared -fPIC -O2 -o mine.so mine.c
 *     reheap replay program.rht -a plugin,so=./mine.so
 *
 * That much is required; all else is optional, and NULL (or 0) where you leave it out. What a
 * plug-in does not tell is unknown to reheap, and never counted as 0.
 *
 * A heap is whatever `open` returns. One thread uses a heap at a time, unless the table says
 * otherwise; heaps of one library may be open side by side if it says so. Each run of a replay is a
 * process of its own, so that a plug-in may crash or hang without harm to the others.
 *
 * Versions: a table carries the version of the interface, which changes when old plug-ins could not
 * be run any more, and its own size. Members are added at the end alone: a table from an older copy
 * of this file lacks the last ones, which are then taken for NULL; of a newer one, reheap ignores
 * what it does not know.
 */
#ifndef REHEAP_PLUGIN_H
#define REHEAP_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REHEAP_PLUGIN_MAGIC   UINT32_C(0x70686572) /* "rehp" in memory */
#define REHEAP_PLUGIN_VERSION 1u

/* The first three members of the table. */
#define REHEAP_PLUGIN_HEAD REHEAP_PLUGIN_MAGIC, REHEAP_PLUGIN_VERSION, sizeof(reheap_plugin_table)

/* Which of CPython's families of functions a call belongs to. A block goes back to the domain that
 * it came from. An allocator that makes no difference between them need not look. */
enum { REHEAP_RAW, REHEAP_MEM, REHEAP_OBJ, REHEAP_DOMAINS };

/* The four functions of every domain; `ctx` is the heap, or what `get_domain` put there.
 *
 * As CPython's: a size of 0 yields a block of its own, which differs from every other; realloc of
 * NULL is malloc; realloc to 0 keeps a block; a failed realloc leaves the old block as it was; free
 * of NULL does nothing; calloc clears, and refuses a product that overflows. NULL says that there
 * is no memory. */
typedef struct reheap_functions {
    void *(*malloc)(void *ctx, size_t size);
    void *(*calloc)(void *ctx, size_t count, size_t size);
    void *(*realloc)(void *ctx, void *block, size_t size);
    void (*free)(void *ctx, void *block);
} reheap_functions;

/* A domain with a context and functions of its own. */
typedef struct reheap_domain {
    void *ctx;
    reheap_functions functions;
} reheap_domain;

/* Where a heap gets its arenas, if it takes memory in such pieces. `alloc` returns NULL when there
 * is none to be had. */
typedef struct reheap_arenas {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *arena, size_t size);
} reheap_arenas;

/* What a walk shows: each arena, followed by its pages, each page by its blocks, in the order of
 * addresses. Blocks may follow an arena directly where there are no pages. */
enum { REHEAP_ARENA, REHEAP_PAGE, REHEAP_BLOCK };

typedef struct reheap_region {
    int kind;
    uintptr_t address;
    size_t size_bytes;
    size_t block_bytes; /* page: the size of its blocks; 0 while it has none */
    uint32_t used;      /* page: blocks in use; block: 1 in use, 0 free */
    uint32_t capacity;  /* page: blocks that fit */
} reheap_region;

/* Returns 0 to end the walk. */
typedef int reheap_visitor(void *ctx, const reheap_region *region);

/* Takes a counter and its value of this moment. */
typedef void reheap_teller(void *ctx, const char *counter, uint64_t value);

/* Flags. */
#define REHEAP_MANY          1u /* any number of heaps side by side in one process */
#define REHEAP_DETERMINISTIC 2u /* the same calls give the same counters, every time */
#define REHEAP_THREADS                                                                             \
    4u /* threads may share a heap, and free blocks that other threads were given */

typedef struct reheap_plugin_table {
    uint32_t magic;   /* REHEAP_PLUGIN_MAGIC */
    uint32_t abi;     /* REHEAP_PLUGIN_VERSION */
    size_t size;      /* of this struct, as you compiled it */
    const char *name; /* of the allocator, for people */
    const char *version;
    uint32_t flags; /* REHEAP_MANY and so on; 0: none of them */
    size_t
        natural_alignment; /* that every block has, the smallest included; a power of two; 0: 8 */

    /* Opens a heap. `options` is what the spec says after options=, "" when it says nothing; by
     * custom KEY=VALUE, separated by colons. On failure: NULL, and why in `message` (of `capacity`
     * bytes, empty at first). */
    void *(*open)(const char *options, char *message, size_t capacity);

    /* Gives back all that the heap holds, its live blocks included. */
    void (*close)(void *heap);

    /* All three domains, each with the heap for its ctx. Not looked at when get_domain is there. */
    reheap_functions functions;

    /* ---- from here on, everything is optional ---- */

    /* Sets *domain to the allocator of one domain (REHEAP_RAW…). Called once for each after open.
     */
    void (*get_domain)(void *heap, int which, reheap_domain *domain);

    /* A block at a multiple of `alignment`, a power of two above the natural alignment; the
     * domain's free takes it back. Without it such requests fail, and are counted. */
    void *(*aligned_alloc)(void *heap, int domain, size_t alignment, size_t size);

    /* Bytes that may be used at `block`, at least what was asked for; 0 when it is not known. */
    size_t (*usable_size)(void *heap, int domain, const void *block);

    /* The bytes of writable memory that the heap holds: a number of yours that is right at every
     * moment, and lives as long as the heap. With it peaks are exact; without it the kernel is
     * asked, now and then. */
    const uint64_t *(*mapped_bytes)(void *heap);

    /* Calls `tell` for each counter that you can answer for, under these names:
     *
     *   mapped_bytes        writable memory held, the parts below summed: as mapped_bytes() says
     *   block_bytes         blocks in use, at the size they were given
     *   header_bytes        headers of blocks in use
     *   page_header_bytes   headers of pages that hold a block
     *   page_tail_bytes     ends of such pages too short for a block
     *   free_block_bytes    free blocks in such pages
     *   free_page_bytes     wholly free pages in arenas that hold a block
     *   free_arena_bytes    arenas that hold no block
     *   metadata_bytes      tables outside arenas and pages
     *   other_bytes         the rest
     *   live_blocks         blocks in use
     *   arenas_allocated arenas_released          arenas obtained and given back, ever
     *   arenas_current arenas_highwater           arenas held; the most held at once
     *   arena_bytes                               size of the arenas held
     *   arenas_reused arena_slots_reused          a kept empty arena received a block; a new arena
     *                                             took the table entry of a released one
     *   pools_in_use pools_free                   pages that hold a block; that hold none
     *   pools_recycled pools_reclassed            a wholly freed page was taken again; and for
     *                                             another size
     *   reported_allocated_bytes reported_mapped_bytes reported_metadata_bytes
     *                                             your own figures of the same, where they do not
     *                                             follow the definitions above
     *
     * Whoever tells mapped_bytes and its parts must have them sum exactly. A counter that is not
     * told is unknown. A name that is not in the list is a figure of your own: a replay stores its
     * last value as plugin_NAME beside the other metrics (letters, digits and _, up to 40). */
    void (*statistics)(void *heap, reheap_teller *tell, void *ctx);

    /* Shows everything to `visit`. 1 when the walk came to its end; 0 when the visitor ended it. */
    int (*walk)(void *heap, reheap_visitor *visit, void *ctx);

    /* Verifies whatever must hold. 0 when it does; else 1, with what is broken and where in
     * `message`. */
    int (*check)(void *heap, char *message, size_t capacity);

    /* Gives back to the system what can be given back without moving a block. */
    void (*trim)(void *heap);

    /* Where arenas come from, both or neither. set: 0, or 1 when it is too late (the first arena
     * has been taken). */
    void (*get_arenas)(void *heap, reheap_arenas *arenas);
    int (*set_arenas)(void *heap, const reheap_arenas *arenas);
} reheap_plugin_table;

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
extern const reheap_plugin_table reheap_plugin;

#ifdef __cplusplus
}
#endif

#endif
