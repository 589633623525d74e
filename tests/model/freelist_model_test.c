/* The layer `freelist` against a stupid one: a stack of addresses for each size, written down
 * beside the heap under random operations. Which block comes back is told in advance; the counts
 * agree. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/counters.h"
#include "alloc/heap.h"
#include "base/random.h"

enum { LIVE = 600, LISTS = 512, KEPT = 2000 };

struct block {
    void *address;
    size_t size;
    int domain;
};

struct twin {
    size_t max, small, grain; /* the layer's */
    uint64_t hits, misses, rejected;
    struct stack {
        size_t count;
        void *block[KEPT];
    } stack[LISTS];
};

struct run {
    rh_heap *heap;
    struct twin *twin;
    rh_random random;
    struct block live[LIVE];
    bool writable;
    bool shared; /* blocks may lie with the C library, uncounted */
};

/* NULL: such objects have no list. */
static struct stack *
stack_of(struct twin *twin, size_t size)
{
    size_t rounded = (size + twin->grain - 1) / twin->grain * twin->grain;
    size_t largest = (twin->small + twin->grain - 1) / twin->grain * twin->grain;
    return size == 0 || rounded > largest ? NULL : &twin->stack[rounded / twin->grain];
}

/* What the next birth of `size` bytes must get; NULL: something new. */
static void *
expect_birth(struct twin *twin, size_t size)
{
    struct stack *stack = stack_of(twin, size);
    if (!stack)
        return NULL;
    if (stack->count == 0) {
        twin->misses++;
        return NULL;
    }
    twin->hits++;
    return stack->block[--stack->count];
}

static void
note_death(struct twin *twin, const struct block *block)
{
    struct stack *stack = stack_of(twin, block->size);
    if (!stack || block->domain != PYMEM_DOMAIN_OBJ)
        return;
    if (stack->count == twin->max)
        twin->rejected++;
    else
        stack->block[stack->count++] = block->address;
}

static bool
is_kept(const struct twin *twin, const void *address)
{
    for (size_t i = 0; i < LISTS; i++)
        for (size_t j = 0; j < twin->stack[i].count; j++)
            if (twin->stack[i].block[j] == address)
                return true;
    return false;
}

static bool
is_zero(const unsigned char *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (block[i])
            return false;
    return true;
}

/* Sizes around the boundaries of lists, and some that have none. */
static size_t
any_size(rh_random *random)
{
    switch (rh_random_below(random, 8)) {
    case 0:
        return rh_random_below(random, 4000);
    case 1:
        return rh_random_below(random, 3);
    case 2:
        return 16 * rh_random_below(random, 36);
    default:
        return 20 + rh_random_below(random, 100);
    }
}

static bool
make(struct run *run, struct block *block)
{
    block->size = any_size(&run->random);
    block->domain =
        rh_random_below(&run->random, 8) ? PYMEM_DOMAIN_OBJ : (int)rh_random_below(&run->random, 2);
    const PyMemAllocatorEx *domain = &run->heap->domain[block->domain];
    void *expected = NULL;
    unsigned how = (unsigned)rh_random_below(&run->random, 4);
    if (block->domain == PYMEM_DOMAIN_OBJ)
        expected = expect_birth(run->twin, block->size);
    if (how == 0)
        block->address = domain->calloc(domain->ctx, 1, block->size);
    else if (how == 1)
        block->address = domain->realloc(domain->ctx, NULL, block->size);
    else
        block->address = domain->malloc(domain->ctx, block->size);
    bool right = expected ? block->address == expected : !is_kept(run->twin, block->address);
    if (how == 0 && run->writable)
        right &= is_zero(block->address, block->size);
    if (run->writable)
        memset(block->address, 0xA5, block->size);
    return right && block->address;
}

static void
unmake(struct run *run, struct block *block)
{
    const PyMemAllocatorEx *domain = &run->heap->domain[block->domain];
    note_death(run->twin, block);
    domain->free(domain->ctx, block->address);
    block->address = NULL;
}

/* The lists are neither asked nor given anything. */
static bool
resize(struct run *run, struct block *block)
{
    const PyMemAllocatorEx *domain = &run->heap->domain[block->domain];
    size_t size = any_size(&run->random), kept = size < block->size ? size : block->size;
    unsigned char *resized = domain->realloc(domain->ctx, block->address, size);
    bool right = resized && !is_kept(run->twin, resized);
    for (size_t i = 0; run->writable && i < kept; i++)
        right &= resized[i] == 0xA5;
    if (run->writable)
        memset(resized, 0xA5, size);
    block->address = resized;
    block->size = size;
    return right;
}

static bool
counts_agree(struct run *run)
{
    rh_counters counters;
    rh_heap_snapshot(run->heap, &counters);
    uint64_t kept = 0, live = 0;
    for (size_t i = 0; i < LISTS; i++)
        kept += run->twin->stack[i].count;
    for (size_t i = 0; i < LIVE; i++)
        live += run->live[i].address != NULL;
    return counters.free_list_hits == run->twin->hits &&
           counters.free_list_misses == run->twin->misses &&
           counters.free_list_rejected == run->twin->rejected &&
           counters.free_list_blocks == kept &&
           (counters.live_blocks == RH_UNKNOWN || counters.live_blocks == live || run->shared) &&
           (counters.mapped_bytes == RH_UNKNOWN ||
            rh_counters_parts(&counters) == counters.mapped_bytes) &&
           rh_heap_check(run->heap, NULL) == RH_OK;
}

/* Trims once in a while: then all that was kept goes back. */
static bool
step(struct run *run)
{
    struct block *block = &run->live[rh_random_below(&run->random, LIVE)];
    if (rh_random_below(&run->random, 20000) == 0) {
        rh_heap_trim(run->heap);
        for (size_t i = 0; i < LISTS; i++)
            run->twin->stack[i].count = 0;
    }
    if (!block->address)
        return make(run, block);
    if (rh_random_below(&run->random, 6) == 0)
        return resize(run, block);
    unmake(run, block);
    return true;
}

struct subject {
    const char *spec;
    size_t max, small, grain;
    bool writable;
};

/* True when heap and twin agree over `steps` operations. */
static bool
agree(const struct subject *subject, unsigned steps)
{
    struct run *run = calloc(1, sizeof *run);
    run->twin = calloc(1, sizeof *run->twin);
    *run->twin =
        (struct twin){.max = subject->max, .small = subject->small, .grain = subject->grain};
    run->random = (rh_random){steps};
    run->writable = subject->writable;
    run->shared = strstr(subject->spec, "libc") != NULL;
    rh_error error = {0};
    if (rh_heap_open(subject->spec, &run->heap, &error) != RH_OK)
        fail_msg("%s", error.message);
    bool right = true;
    for (unsigned i = 0; right && i < steps; i++)
        right = step(run) && (i % 2000 != 0 || counts_agree(run));
    right = right && counts_agree(run);
    for (size_t i = 0; i < LIVE; i++)
        if (run->live[i].address)
            unmake(run, &run->live[i]);
    rh_heap_close(run->heap);
    free(run->twin);
    free(run);
    return right;
}

static void
lists_are_as_a_stupid_one_has_them(void **state)
{
    (void)state;
    static const struct subject subjects[] = {
        {"pymalloc+freelist", 80, 512, 16, true},
        {"pymalloc+freelist,max=3", 3, 512, 16, true},
        {"pymalloc@3.8+freelist,max=1,small=100,grain=8", 1, 100, 8, true},
        {"pymalloc,metadata=side+freelist,max=2000,small=4K,grain=64", 2000, 4096, 64, true},
        {"pymalloc,source=virtual,metadata=side+freelist", 80, 512, 16, false},
        {"pymalloc,large=libc+freelist,small=2K,grain=32", 80, 2048, 32, true},
        {"bestfit+freelist,grain=8", 80, 512, 8, true},
        {"bestfit,source=virtual+freelist,small=64", 80, 64, 16, false},
        {"malloc+freelist,max=20", 20, 512, 16, true},
        {"pymalloc+debug+freelist,max=7", 7, 512, 16, true},
        {"pymalloc+trace+count+freelist", 80, 512, 16, true},
    };
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        if (!agree(&subjects[i], 60000))
            fail_msg("%s differs from its twin", subjects[i].spec);
}

/* A layer that is not what it says is noticed. */
static void
a_difference_is_noticed(void **state)
{
    (void)state;
    static const struct subject wrong[] = {
        {"pymalloc+freelist,max=5", 6, 512, 16, true},
        {"pymalloc+freelist,grain=8", 80, 512, 16, true},
        {"pymalloc+freelist,small=496", 80, 512, 16, true},
        {"pymalloc+count", 80, 512, 16, true},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (agree(&wrong[i], 60000))
            fail_msg("%s was taken for another", wrong[i].spec);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_as_a_stupid_one_has_them),
        cmocka_unit_test(a_difference_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
