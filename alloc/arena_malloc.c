#include "alloc/arena_malloc.h"

#include <stdlib.h>

static void *
give_arena(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void
take_arena_back(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    (void)size;
    free(arena);
}

const PyObjectArenaAllocator rh_arena_malloc_source = {NULL, give_arena, take_arena_back};
