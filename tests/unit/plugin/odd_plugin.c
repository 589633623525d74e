/* A plug-in over the C library that is odd in the way that ODD says. */
#include <stdlib.h>
#include <string.h>

#include "alloc/reheap_plugin.h"
#include "tests/unit/plugin/odd_plugin.h"

#define UNLESS(way, function) (ODD == (way) ? NULL : (function))
#define ONLY(way, function)   (ODD == (way) ? (function) : NULL)

typedef struct odd_heap {
    uint64_t calls[REHEAP_DOMAINS];
    reheap_arenas arenas;
} odd_heap;

static void *
odd_open(const char *options, char *message, size_t capacity)
{
    if (ODD == ODD_MUTE)
        return NULL;
    if (ODD == ODD_LOUD) {
        memset(message, 'x', capacity);
        return NULL;
    }
    return strcmp(options, "fail") == 0 ? NULL : calloc(1, sizeof(odd_heap));
}

static void
odd_close(void *heap)
{
    free(heap);
}

static void *
odd_malloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size ? size : 1);
}

static void *
counted_malloc(void *ctx, size_t size)
{
    ++*(uint64_t *)ctx;
    return malloc(size ? size : 1);
}

static void *
odd_calloc(void *ctx, size_t count, size_t size)
{
    (void)ctx;
    return count && size ? calloc(count, size) : calloc(1, 1);
}

static void *
odd_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return realloc(block, size ? size : 1);
}

static void
odd_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

static void
odd_get_domain(void *heap, int which, reheap_domain *domain)
{
    odd_heap *odd = heap;
    *domain =
        (reheap_domain){&odd->calls[which], {counted_malloc, odd_calloc, odd_realloc, odd_free}};
    if (ODD == ODD_DOMAIN && which == REHEAP_OBJ)
        domain->functions.realloc = NULL;
}

static void
odd_statistics(void *heap, reheap_teller *tell, void *ctx)
{
    const odd_heap *odd = heap;
    tell(ctx, "pools_in_use", odd->calls[REHEAP_RAW]);
    tell(ctx, "pools_free", odd->calls[REHEAP_MEM]);
    tell(ctx, "live_blocks", odd->calls[REHEAP_OBJ]);
    tell(ctx, "wings", 3);
    tell(ctx, NULL, 4);
}

static int
odd_walk(void *heap, reheap_visitor *visit, void *ctx)
{
    reheap_region region = {REHEAP_ARENA, (uintptr_t)heap, 64, 0, 0, 0};
    visit(ctx, &region);
    region.kind = 7;
    visit(ctx, &region);
    region.kind = REHEAP_ARENA;
    visit(ctx, &region); /* although it was told to stop */
    return 1;
}

static int
odd_check(void *heap, char *message, size_t capacity)
{
    const odd_heap *odd = heap;
    if (odd->calls[REHEAP_OBJ] == 0)
        return 0;
    if (odd->calls[REHEAP_OBJ] > 1)
        memset(message, 'y', capacity);
    return 1;
}

static void
odd_get_arenas(void *heap, reheap_arenas *arenas)
{
    *arenas = ((odd_heap *)heap)->arenas;
}

static int
odd_set_arenas(void *heap, const reheap_arenas *arenas)
{
    ((odd_heap *)heap)->arenas = *arenas;
    return ((odd_heap *)heap)->calls[REHEAP_OBJ] > 0;
}

const reheap_plugin_table reheap_plugin = {
    .magic = REHEAP_PLUGIN_MAGIC + (ODD == ODD_MAGIC),
    .abi = REHEAP_PLUGIN_VERSION + (ODD == ODD_ABI),
    .size = ODD == ODD_SMALL   ? offsetof(reheap_plugin_table, functions)
            : ODD == ODD_OLD   ? offsetof(reheap_plugin_table, statistics)
            : ODD == ODD_LARGE ? 2 * sizeof(reheap_plugin_table)
                               : sizeof(reheap_plugin_table),
    .name = "odd",
    .natural_alignment = ODD == ODD_ALIGNMENT ? 48 : 0,
    .flags = ODD == ODD_ORDER ? REHEAP_MANY : 0,
    .open = UNLESS(ODD_NO_OPEN, odd_open),
    .close = UNLESS(ODD_NO_CLOSE, odd_close),
    .functions = {odd_malloc, odd_calloc, odd_realloc, UNLESS(ODD_NO_FREE, odd_free)},
    .get_domain = ODD == ODD_DOMAIN || ODD == ODD_ORDER ? odd_get_domain : NULL,
    .statistics = ODD == ODD_ORDER || ODD == ODD_OLD ? odd_statistics : NULL,
    .walk = ONLY(ODD_ORDER, odd_walk),
    .check = ONLY(ODD_ORDER, odd_check),
    .get_arenas = ODD == ODD_ORDER || ODD == ODD_ONE_ARENA_FUNCTION ? odd_get_arenas : NULL,
    .set_arenas = ONLY(ODD_ORDER, odd_set_arenas),
};
