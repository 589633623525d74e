#include "tests/fault/alloc/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t
draw_size(rh_random *random)
{
    uint64_t dice = rh_random_below(random, 40);
    if (dice == 0)
        return 0;
    if (dice == 1)
        return rh_random_below(random, 200000);
    return 1 + rh_random_below(random, dice < 10 ? 3000 : 512);
}

static void
fill(struct workload *workload, struct live_block *block)
{
    block->mark = (unsigned char)rh_random_next(&workload->random);
    if (workload->contents)
        memset(block->address, block->mark, block->size);
}

static void
require_mark(const struct workload *workload, const struct live_block *block, size_t size)
{
    for (size_t i = 0; workload->contents && i < size; i++) {
        if (block->address[i] == block->mark)
            continue;
        fprintf(stderr, "byte %zu of a block of %zu bytes of domain %d is lost\n", i, block->size,
                block->domain);
        abort();
    }
}

static void
give(struct workload *workload)
{
    int domain = (int)rh_random_below(&workload->random, WORKLOAD_DOMAINS);
    size_t size = draw_size(&workload->random);
    const PyMemAllocatorEx *allocator = &workload->domain[domain];
    bool clear = rh_random_below(&workload->random, 3) == 0;
    void *given = clear ? allocator->calloc(allocator->ctx, 1, size)
                        : allocator->malloc(allocator->ctx, size);
    workload->failures += given == NULL;
    if (!given)
        return;
    struct live_block *block = &workload->block[workload->count++];
    *block = (struct live_block){given, size, domain, 0};
    if (clear)
        require_mark(workload, block, size);
    fill(workload, block);
}

static void
resize(struct workload *workload)
{
    struct live_block *block =
        &workload->block[rh_random_below(&workload->random, workload->count)];
    const PyMemAllocatorEx *allocator = &workload->domain[block->domain];
    size_t size = draw_size(&workload->random);
    void *moved = allocator->realloc(allocator->ctx, block->address, size);
    workload->failures += moved == NULL;
    if (!moved) {
        require_mark(workload, block, block->size);
        return;
    }
    block->address = moved;
    require_mark(workload, block, size < block->size ? size : block->size);
    block->size = size;
    fill(workload, block);
}

static void
take(struct workload *workload, size_t at)
{
    struct live_block block = workload->block[at];
    require_mark(workload, &block, block.size);
    workload->block[at] = workload->block[--workload->count];
    const PyMemAllocatorEx *allocator = &workload->domain[block.domain];
    allocator->free(allocator->ctx, block.address);
}

void
workload_run(struct workload *workload, unsigned operations)
{
    for (unsigned i = 0; i < operations; i++) {
        uint64_t dice = rh_random_below(&workload->random, 10);
        if (workload->count == 0 || (dice < 5 && workload->count < WORKLOAD_BLOCKS))
            give(workload);
        else if (dice < 8)
            take(workload, rh_random_below(&workload->random, workload->count));
        else
            resize(workload);
    }
}

void
workload_verify(const struct workload *workload)
{
    for (size_t i = 0; i < workload->count; i++)
        require_mark(workload, &workload->block[i], workload->block[i].size);
}

void
workload_free_all(struct workload *workload)
{
    while (workload->count)
        take(workload, workload->count - 1);
}
