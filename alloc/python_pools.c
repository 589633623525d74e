#include "alloc/python_pools.h"

#include <string.h>

enum { ALIGNMENT = 16, HEADER_BYTES = 48, CLASSES = 32, USED_OFFSET = 0, CLASS_OFFSET = 36 };

static uint32_t
word_at(uintptr_t pool, size_t offset)
{
    uint32_t word;
    memcpy(&word, (const char *)pool + offset, sizeof word);
    return word;
}

size_t
rh_python_pool_block_bytes(const void *pool)
{
    return (word_at((uintptr_t)pool, CLASS_OFFSET) + 1) * (size_t)ALIGNMENT;
}

/* False where the header is none. A page without blocks has no class. */
static bool
read_pool(uintptr_t pool, size_t pool_bytes, rh_region *page)
{
    *page = (rh_region){.kind = RH_REGION_PAGE, .address = pool, .size_bytes = pool_bytes};
    page->used = word_at(pool, USED_OFFSET);
    if (page->used == 0)
        return true;
    if (word_at(pool, CLASS_OFFSET) >= CLASSES)
        return false;
    page->block_bytes = rh_python_pool_block_bytes((const void *)pool);
    page->capacity = (uint32_t)((pool_bytes - HEADER_BYTES) / page->block_bytes);
    return page->used <= page->capacity;
}

bool
rh_python_arena_show(uintptr_t arena, size_t size_bytes, size_t pool_bytes,
                     rh_region_visitor *visit, void *ctx)
{
    uintptr_t first = (arena + pool_bytes - 1) & ~(uintptr_t)(pool_bytes - 1);
    uint32_t pools = (uint32_t)((arena + size_bytes - first) / pool_bytes);
    rh_region whole = {.kind = RH_REGION_ARENA,
                       .address = arena,
                       .size_bytes = size_bytes,
                       .capacity = pools},
              page;
    for (uint32_t i = 0; i < pools; i++) {
        if (!read_pool(first + i * pool_bytes, pool_bytes, &page))
            return false;
        whole.used += page.used > 0;
    }
    bool on = visit(ctx, &whole);
    for (uint32_t i = 0; i < pools && on; i++) {
        read_pool(first + i * pool_bytes, pool_bytes, &page);
        on = !page.used || visit(ctx, &page);
    }
    return on;
}
