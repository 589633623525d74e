#define _GNU_SOURCE
#include "alloc/pool_stacks.h"

#include <stdlib.h>
#include <sys/mman.h>

#define LINE_BYTES    ((size_t)64)
#define MAPPING_BYTES ((size_t)64 << 10) /* at least */

typedef struct rh_stack_mapping {
    struct rh_stack_mapping *older;
    size_t bytes;
    char unused[48];
} rh_stack_mapping;

_Static_assert(sizeof(rh_stack_mapping) == LINE_BYTES, "stacks behind it begin with a line");

static size_t
lines_of(uint32_t entries)
{
    return (entries * sizeof(uint16_t) + LINE_BYTES - 1) / LINE_BYTES;
}

bool
rh_pool_stacks_init(rh_pool_stacks *stacks, uint32_t entries_max)
{
    size_t lines = lines_of(entries_max);
    *stacks = (rh_pool_stacks){.vacant = calloc(lines, sizeof *stacks->vacant),
                               .lines_max = lines,
                               .bytes = lines * sizeof *stacks->vacant};
    return stacks->vacant != NULL;
}

void
rh_pool_stacks_release(rh_pool_stacks *stacks)
{
    for (rh_stack_mapping *mapping = stacks->mappings, *older; mapping; mapping = older) {
        older = mapping->older;
        munmap(mapping, mapping->bytes);
    }
    free(stacks->vacant);
    *stacks = (rh_pool_stacks){.vacant = NULL};
}

/* A mapping with room for `bytes`; larger ones the more there are, for their number to stay small.
 * What is left of the one before is lost. */
static bool
new_mapping(rh_pool_stacks *stacks, size_t bytes)
{
    size_t least = stacks->bytes / 4 > MAPPING_BYTES ? stacks->bytes / 4 : MAPPING_BYTES;
    size_t wanted = bytes + LINE_BYTES > least ? bytes + LINE_BYTES : least;
    wanted = (wanted + MAPPING_BYTES - 1) / MAPPING_BYTES * MAPPING_BYTES;
    rh_stack_mapping *mapping =
        mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        return false;
    *mapping = (rh_stack_mapping){.older = stacks->mappings, .bytes = wanted};
    stacks->mappings = mapping;
    stacks->rest = (char *)(mapping + 1);
    stacks->rest_bytes = wanted - sizeof *mapping;
    stacks->bytes += wanted;
    return true;
}

uint16_t *
rh_pool_stacks_take(rh_pool_stacks *stacks, uint32_t entries)
{
    size_t lines = lines_of(entries), bytes = lines * LINE_BYTES;
    uint16_t **vacant = &stacks->vacant[lines - 1], *stack = *vacant;
    if (stack) {
        *vacant = *(uint16_t **)stack;
        return stack;
    }
    if (stacks->rest_bytes < bytes && !new_mapping(stacks, bytes))
        return NULL;
    stack = (uint16_t *)stacks->rest;
    stacks->rest += bytes;
    stacks->rest_bytes -= bytes;
    return stack;
}

void
rh_pool_stacks_give(rh_pool_stacks *stacks, uint16_t *stack, uint32_t entries)
{
    uint16_t **vacant = &stacks->vacant[lines_of(entries) - 1];
    *(uint16_t **)stack = *vacant;
    *vacant = stack;
}
