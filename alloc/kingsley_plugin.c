/* An example of a plug-in: Kingsley's allocator, that of BSD 4.2. Every size is rounded up to a
 * power of two, header included; each power has a list of free blocks; a block is cut off the end
 * of the memory when its list is empty, and never joined or split afterwards. */
#define _GNU_SOURCE
#include "reheap_plugin.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { BITS_LEAST = 5, BITS_MOST = 40, STEP_BYTES = 1 << 20 };

typedef struct header {  /* before each block */
    struct header *next; /* free block: of its list */
    uint32_t bits, used; /* it has 1 << bits bytes with this header */
} header;

typedef struct heap {
    char *base, *end, *limit; /* reserved addresses; memory up to `limit` */
    char *top;                /* blocks up to here */
    uint64_t mapped_bytes, live_blocks, live_bytes;
    header *list[BITS_MOST + 1];
} heap;

/* A fresh block off the end, where memory is made of the reserved addresses as needed. */
static header *
cut(heap *h, uint32_t bits)
{
    size_t bytes = (size_t)1 << bits;
    if (bytes > (size_t)(h->end - h->top))
        return NULL;
    if (bytes > (size_t)(h->limit - h->top)) {
        size_t grow = bytes - (size_t)(h->limit - h->top) + STEP_BYTES - 1;
        grow -= grow % STEP_BYTES;
        if (mprotect(h->limit, grow, PROT_READ | PROT_WRITE) != 0)
            return NULL;
        h->limit += grow;
        h->mapped_bytes += grow;
    }
    header *block = (header *)h->top;
    block->bits = bits;
    h->top += bytes;
    return block;
}

static void *
k_malloc(void *ctx, size_t size)
{
    heap *h = ctx;
    uint32_t bits = BITS_LEAST;
    if (size > ((size_t)1 << BITS_MOST) - sizeof(header))
        return NULL;
    if (size > ((size_t)1 << BITS_LEAST) - sizeof(header))
        bits = 64 - (uint32_t)__builtin_clzll(size + sizeof(header) - 1);
    header *block = h->list[bits];
    if (block)
        h->list[bits] = block->next;
    else if (!(block = cut(h, bits)))
        return NULL;
    block->used = 1;
    h->live_blocks++;
    h->live_bytes += (uint64_t)1 << bits;
    return block + 1;
}

static void
k_free(void *ctx, void *freed)
{
    heap *h = ctx;
    if (!freed)
        return;
    header *block = (header *)freed - 1;
    block->used = 0;
    block->next = h->list[block->bits];
    h->list[block->bits] = block;
    h->live_blocks--;
    h->live_bytes -= (uint64_t)1 << block->bits;
}

static void *
k_calloc(void *ctx, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *block = k_malloc(ctx, total);
    return block ? memset(block, 0, total) : NULL;
}

static size_t
k_usable_size(void *ctx, int domain, const void *block)
{
    (void)ctx, (void)domain;
    return ((size_t)1 << ((const header *)block - 1)->bits) - sizeof(header);
}

static void *
k_realloc(void *ctx, void *block, size_t size)
{
    size_t had = block ? k_usable_size(ctx, 0, block) : 0;
    if (block && size <= had)
        return block;
    void *moved = k_malloc(ctx, size);
    if (moved && block) {
        memcpy(moved, block, had);
        k_free(ctx, block);
    }
    return moved;
}

static const uint64_t *
k_mapped_bytes(void *ctx)
{
    return &((heap *)ctx)->mapped_bytes;
}

static void
k_statistics(void *ctx, reheap_teller *tell, void *to)
{
    const heap *h = ctx;
    uint64_t headers = h->live_blocks * sizeof(header);
    tell(to, "mapped_bytes", h->mapped_bytes);
    tell(to, "block_bytes", h->live_bytes - headers);
    tell(to, "header_bytes", headers);
    tell(to, "free_block_bytes", (uint64_t)(h->top - h->base) - h->live_bytes);
    tell(to, "free_page_bytes", (uint64_t)(h->limit - h->top));
    tell(to, "metadata_bytes", sizeof *h);
    tell(to, "live_blocks", h->live_blocks);
}

/* One arena, and its blocks in a row. */
static int
k_walk(void *ctx, reheap_visitor *visit, void *to)
{
    const heap *h = ctx;
    reheap_region region = {.kind = REHEAP_ARENA, .address = (uintptr_t)h->base};
    region.size_bytes = (size_t)(h->limit - h->base);
    int goes_on = visit(to, &region);
    region.kind = REHEAP_BLOCK;
    for (const char *at = h->base; goes_on && at < h->top; at += region.size_bytes) {
        region.address = (uintptr_t)at;
        region.size_bytes = (size_t)1 << ((const header *)at)->bits;
        region.used = ((const header *)at)->used;
        goes_on = visit(to, &region);
    }
    return goes_on;
}

static void *
k_open(const char *options, char *message, size_t capacity)
{
    unsigned gigabytes = 64; /* of addresses; none of them is memory yet */
    if (*options && (sscanf(options, "reserve=%u", &gigabytes) != 1 || gigabytes - 1 > 1023)) {
        snprintf(message, capacity, "'%s': give reserve=GIGABYTES, from 1 to 1024", options);
        return NULL;
    }
    size_t bytes = (size_t)gigabytes << 30;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *base = mmap(NULL, bytes + sizeof(heap), PROT_NONE, flags, -1, 0);
    if (base == MAP_FAILED || mprotect(base + bytes, sizeof(heap), PROT_READ | PROT_WRITE) != 0) {
        snprintf(message, capacity, "%u GiB of addresses are not to be had", gigabytes);
        return NULL;
    }
    heap *h = (heap *)(base + bytes);
    h->base = h->top = h->limit = base;
    h->end = base + bytes;
    h->mapped_bytes = sizeof *h;
    return h;
}

static void
k_close(void *ctx)
{
    heap *h = ctx;
    munmap(h->base, (size_t)(h->end - h->base) + sizeof *h);
}

const reheap_plugin_table reheap_plugin = {
    REHEAP_PLUGIN_HEAD,
    .name = "kingsley",
    .version = "1.0",
    .flags = REHEAP_MANY | REHEAP_DETERMINISTIC,
    .natural_alignment = 16,
    .open = k_open,
    .close = k_close,
    .functions = {k_malloc, k_calloc, k_realloc, k_free},
    .usable_size = k_usable_size,
    .mapped_bytes = k_mapped_bytes,
    .statistics = k_statistics,
    .walk = k_walk,
};
