#include "alloc/range_index.h"

#include <assert.h>

enum { EXACT = 256, PER_DOUBLING = 8 }; /* EXACT is 2 to the power EXACT_BITS */
enum { EXACT_BITS = 8, PER_DOUBLING_BITS = 3 };

static unsigned
bin_of(uint64_t size)
{
    uint64_t granules = size / RH_RANGE_GRANULE;
    if (granules < EXACT)
        return (unsigned)granules;
    unsigned power = 63u - (unsigned)__builtin_clzll(granules);
    unsigned part = (unsigned)(granules >> (power - PER_DOUBLING_BITS)) & (PER_DOUBLING - 1);
    unsigned bin = EXACT + (power - EXACT_BITS) * PER_DOUBLING + part;
    assert(bin < RH_RANGE_BINS);
    return bin;
}

static uint32_t
priority(rh_range_number number)
{
    uint32_t mixed = number * 0x9E3779B1u;
    mixed ^= mixed >> 15;
    mixed *= 0x85EBCA77u;
    return mixed ^ mixed >> 13;
}

static bool
precedes(const rh_range *a, const rh_range *b)
{
    uint64_t a_size = rh_range_size(a), b_size = rh_range_size(b);
    return a_size != b_size ? a_size < b_size : a->offset < b->offset;
}

void
rh_range_index_add(rh_range_index *index, rh_ranges *ranges, rh_range_number number)
{
    rh_range *all = ranges->range, *new = &all[number];
    unsigned bin = bin_of(rh_range_size(new));
    rh_range_number *link = &index->root[bin];
    uint32_t mine = priority(number);
    while (*link && priority(*link) >= mine)
        link = precedes(new, &all[*link]) ? &all[*link].left : &all[*link].right;
    /* What was below is dealt out to both sides of the new one. */
    rh_range_number below = *link, *less = &new->left, *more = &new->right;
    *link = number;
    while (below) {
        rh_range *range = &all[below];
        if (precedes(range, new)) {
            *less = below;
            less = &range->right;
            below = *less;
        } else {
            *more = below;
            more = &range->left;
            below = *more;
        }
    }
    *less = *more = 0;
    index->filled[bin / 64] |= UINT64_C(1) << bin % 64;
    index->count++;
}

void
rh_range_index_remove(rh_range_index *index, rh_ranges *ranges, rh_range_number number)
{
    rh_range *all = ranges->range, *old = &all[number];
    unsigned bin = bin_of(rh_range_size(old));
    rh_range_number *link = &index->root[bin];
    while (*link != number) {
        assert(*link);
        link = precedes(old, &all[*link]) ? &all[*link].left : &all[*link].right;
    }
    rh_range_number less = old->left, more = old->right;
    while (less && more) {
        if (priority(less) >= priority(more)) {
            *link = less;
            link = &all[less].right;
            less = *link;
        } else {
            *link = more;
            link = &all[more].left;
            more = *link;
        }
    }
    *link = less ? less : more;
    if (!index->root[bin])
        index->filled[bin / 64] &= ~(UINT64_C(1) << bin % 64);
    index->count--;
}

/* The first bin after `bin` that holds something; RH_RANGE_BINS when none does. */
static unsigned
next_filled(const rh_range_index *index, unsigned bin)
{
    bin++;
    if (bin >= RH_RANGE_BINS)
        return RH_RANGE_BINS;
    uint64_t bits = index->filled[bin / 64] & UINT64_MAX << bin % 64;
    for (unsigned word = bin / 64;;) {
        if (bits)
            return word * 64 + (unsigned)__builtin_ctzll(bits);
        if (++word == RH_RANGE_BINS / 64)
            return RH_RANGE_BINS;
        bits = index->filled[word];
    }
}

rh_range_number
rh_range_index_find(const rh_range_index *index, const rh_ranges *ranges, uint64_t size)
{
    const rh_range *all = ranges->range;
    unsigned bin = bin_of(size);
    rh_range_number best = 0;
    for (rh_range_number at = index->root[bin]; at;) {
        bool fits = rh_range_size(&all[at]) >= size;
        best = fits ? at : best;
        at = fits ? all[at].left : all[at].right;
    }
    if (best)
        return best;
    bin = next_filled(index, bin);
    if (bin == RH_RANGE_BINS)
        return 0;
    best = index->root[bin];
    while (all[best].left)
        best = all[best].left;
    return best;
}

bool
rh_range_index_has(const rh_range_index *index, const rh_ranges *ranges, rh_range_number number)
{
    const rh_range *all = ranges->range;
    unsigned bin = bin_of(rh_range_size(&all[number]));
    rh_range_number at = index->root[bin];
    if (!(index->filled[bin / 64] >> bin % 64 & 1))
        return false;
    while (at && at != number)
        at = precedes(&all[number], &all[at]) ? all[at].left : all[at].right;
    return at == number;
}
