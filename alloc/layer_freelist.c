#include "alloc/layer_freelist.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/block_table.h"
#include "alloc/layer.h"

#define NO_LIST UINT32_MAX

/* A kept block. */
typedef struct node {
    uintptr_t block;
    uint32_t next; /* in its list or among the spare ones; 0: none */
} node;

typedef struct list {
    uint32_t first, count;
} list;

typedef struct freelist_heap {
    rh_layer_heap layer;
    uint32_t max, shift, lists_count;
    bool raw_is_hooked;
    list *lists;
    node *nodes;          /* [0] is none */
    uint32_t made, spare; /* nodes ever used; the first spare one */
    rh_block_table odd;   /* blocks whose usable size names another list: the right one */
    rh_side_memory list_memory, node_memory;
    uint64_t hits, misses, rejected;
    uint64_t kept_blocks;
    uint64_t mapped_bytes;
} freelist_heap;

/* ---- what is held ---- */

static uint64_t
own_bytes(const freelist_heap *freelist)
{
    return freelist->list_memory.bytes + freelist->node_memory.bytes +
           rh_block_table_bytes(&freelist->odd);
}

/* Whatever may have changed what the heap below holds, or the tables, ends with this. */
static void
settle(freelist_heap *freelist)
{
    const uint64_t *inner = freelist->layer.inner->mapped_bytes;
    if (inner)
        freelist->mapped_bytes = *inner + own_bytes(freelist);
}

/* ---- which list ---- */

/* For a request of `size` bytes. */
static uint32_t
list_for(const freelist_heap *freelist, size_t size)
{
    size_t which = (size - 1) >> freelist->shift; /* 0 becomes huge */
    return which < freelist->lists_count ? (uint32_t)which : NO_LIST;
}

static size_t
bytes_of(const freelist_heap *freelist, uint32_t which)
{
    return (size_t)(which + 1) << freelist->shift;
}

/* What to ask the heap below for. */
static size_t
rounded(const freelist_heap *freelist, size_t size, uint32_t which)
{
    return which == NO_LIST ? size : bytes_of(freelist, which);
}

static size_t
usable(const freelist_heap *freelist, const void *block)
{
    return rh_heap_usable_size(freelist->layer.inner, PYMEM_DOMAIN_OBJ, block);
}

/* The largest list whose requests fit into `bytes`. */
static uint32_t
list_within(const freelist_heap *freelist, size_t bytes)
{
    size_t grains = bytes >> freelist->shift;
    return grains != 0 && grains <= freelist->lists_count ? (uint32_t)(grains - 1) : NO_LIST;
}

/* Where a hook above serves what the heap below passes on to RAW, that heap cannot tell the size of
 * what the hook gave out. Such a block is kept by no list, nor rounded. */
static bool
is_elsewhere(const freelist_heap *freelist, const void *block)
{
    return freelist->raw_is_hooked && usable(freelist, block) == 0;
}

/* Makes sure that `block` will be known for one of the list `which`. Without memory for the note it
 * will go by its usable size: to another list, whose requests it can serve as well. */
static void
note(freelist_heap *freelist, const void *block, uint32_t which)
{
    if (list_within(freelist, usable(freelist, block)) != which && !is_elsewhere(freelist, block))
        rh_block_table_set(&freelist->odd, block, which);
}

static void
forget(freelist_heap *freelist, const void *block)
{
    if (freelist->odd.count)
        rh_block_table_remove(&freelist->odd, block);
}

/* ---- lists ---- */

static uint32_t
new_node(freelist_heap *freelist)
{
    uint32_t number = freelist->spare;
    if (number) {
        freelist->spare = freelist->nodes[number].next;
        return number;
    }
    size_t wanted = ((size_t)freelist->made + 2) * sizeof *freelist->nodes;
    if (freelist->made == NO_LIST - 1 || !rh_side_memory_grow(&freelist->node_memory, wanted))
        return 0;
    freelist->nodes = freelist->node_memory.base;
    settle(freelist);
    return ++freelist->made;
}

/* Takes the first block of a list that has one. */
static void *
take(freelist_heap *freelist, list *from)
{
    uint32_t number = from->first;
    node *first = &freelist->nodes[number];
    void *block = (void *)first->block;
    freelist->kept_blocks--;
    from->first = first->next;
    from->count--;
    first->next = freelist->spare;
    freelist->spare = number;
    return block;
}

/* False when the block is not kept. */
static bool
give(freelist_heap *freelist, uint32_t which, const void *block)
{
    list *to = &freelist->lists[which];
    uint32_t number = to->count < freelist->max ? new_node(freelist) : 0;
    if (!number) {
        freelist->rejected++;
        return false;
    }
    freelist->nodes[number] = (node){(uintptr_t)block, to->first};
    to->first = number;
    to->count++;
    freelist->kept_blocks++;
    return true;
}

static void
drain(freelist_heap *freelist)
{
    const PyMemAllocatorEx *inner = &freelist->layer.domain[PYMEM_DOMAIN_OBJ].inner;
    for (uint32_t which = 0; which < freelist->lists_count; which++) {
        while (freelist->lists[which].first) {
            void *block = take(freelist, &freelist->lists[which]);
            forget(freelist, block);
            inner->free(inner->ctx, block);
        }
    }
    rh_side_memory_release(&freelist->node_memory);
    freelist->nodes = NULL;
    freelist->made = freelist->spare = 0;
}

/* ---- the OBJ domain ---- */

static freelist_heap *
freelist_of(const rh_layer_domain *domain)
{
    return (freelist_heap *)domain->layer;
}

/* A kept block for `which`; NULL when there is none. */
static void *
reuse(freelist_heap *freelist, uint32_t which)
{
    if (which == NO_LIST)
        return NULL;
    list *from = &freelist->lists[which];
    if (!from->first) {
        freelist->misses++;
        return NULL;
    }
    freelist->hits++;
    return take(freelist, from);
}

/* What the heap below gave for a birth. */
static void *
born(freelist_heap *freelist, void *block, uint32_t which)
{
    if (block)
        note(freelist, block, which);
    settle(freelist);
    return block;
}

static void *
object_malloc(void *ctx, size_t size)
{
    const rh_layer_domain *domain = ctx;
    freelist_heap *freelist = freelist_of(domain);
    uint32_t which = list_for(freelist, size);
    void *kept = reuse(freelist, which);
    if (kept)
        return kept;
    return born(freelist, domain->inner.malloc(domain->inner.ctx, rounded(freelist, size, which)),
                which);
}

/* A product that overflows is the heap's below to refuse. */
static void *
object_calloc(void *ctx, size_t count, size_t size)
{
    const rh_layer_domain *domain = ctx;
    freelist_heap *freelist = freelist_of(domain);
    size_t total;
    uint32_t which = NO_LIST;
    if (!__builtin_mul_overflow(count, size, &total))
        which = list_for(freelist, total);
    void *kept = reuse(freelist, which);
    if (kept) {
        if (freelist->layer.inner->contents != RH_CONTENTS_NONE)
            memset(kept, 0, total);
        return kept;
    }
    if (which != NO_LIST)
        count = 1, size = bytes_of(freelist, which);
    return born(freelist, domain->inner.calloc(domain->inner.ctx, count, size), which);
}

static void *
object_realloc(void *ctx, void *block, size_t size)
{
    const rh_layer_domain *domain = ctx;
    freelist_heap *freelist = freelist_of(domain);
    if (!block)
        return object_malloc(ctx, size);
    uint32_t which = is_elsewhere(freelist, block) ? NO_LIST : list_for(freelist, size);
    void *resized = domain->inner.realloc(domain->inner.ctx, block, rounded(freelist, size, which));
    if (resized)
        forget(freelist, block);
    return born(freelist, resized, which);
}

static void
object_free(void *ctx, void *block)
{
    const rh_layer_domain *domain = ctx;
    freelist_heap *freelist = freelist_of(domain);
    uint64_t noted;
    uint32_t which = list_within(freelist, usable(freelist, block));
    if (freelist->odd.count && rh_block_table_get(&freelist->odd, block, &noted))
        which = (uint32_t)noted;
    if (which != NO_LIST && give(freelist, which, block))
        return;
    forget(freelist, block);
    domain->inner.free(domain->inner.ctx, block);
    settle(freelist);
}

static void *
freelist_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    freelist_heap *freelist = (freelist_heap *)heap;
    void *block = rh_heap_aligned_alloc(freelist->layer.inner, domain, alignment, size);
    if (domain == PYMEM_DOMAIN_OBJ)
        return born(freelist, block, NO_LIST);
    settle(freelist);
    return block;
}

static void
freelist_set_raw(rh_heap *heap, const PyMemAllocatorEx *raw)
{
    freelist_heap *freelist = (freelist_heap *)heap;
    freelist->raw_is_hooked = true;
    rh_heap_set_raw(freelist->layer.inner, raw);
}

/* ---- the other domains: passed on ---- */

static void *
pass_malloc(void *ctx, size_t size)
{
    const rh_layer_domain *domain = ctx;
    void *block = domain->inner.malloc(domain->inner.ctx, size);
    settle(freelist_of(domain));
    return block;
}

static void *
pass_calloc(void *ctx, size_t count, size_t size)
{
    const rh_layer_domain *domain = ctx;
    void *block = domain->inner.calloc(domain->inner.ctx, count, size);
    settle(freelist_of(domain));
    return block;
}

static void *
pass_realloc(void *ctx, void *block, size_t size)
{
    const rh_layer_domain *domain = ctx;
    void *resized = domain->inner.realloc(domain->inner.ctx, block, size);
    settle(freelist_of(domain));
    return resized;
}

static void
pass_free(void *ctx, void *block)
{
    const rh_layer_domain *domain = ctx;
    domain->inner.free(domain->inner.ctx, block);
    settle(freelist_of(domain));
}

/* ---- what the heap says of itself ---- */

static uint64_t
plus(uint64_t known_or_not, uint64_t bytes)
{
    return known_or_not == RH_UNKNOWN ? bytes : known_or_not + bytes;
}

static void
subtract(uint64_t *known_or_not, uint64_t bytes)
{
    if (*known_or_not != RH_UNKNOWN)
        *known_or_not -= bytes;
}

/* What the heap below counts the kept blocks for. */
typedef struct kept_count {
    uint64_t blocks, bytes;
} kept_count;

static kept_count
count_kept(const freelist_heap *freelist)
{
    kept_count count = {0, 0};
    for (uint32_t which = 0; which < freelist->lists_count; which++) {
        for (uint32_t at = freelist->lists[which].first; at; at = freelist->nodes[at].next) {
            const void *block = (const void *)freelist->nodes[at].block;
            size_t bytes = rh_heap_block_bytes(freelist->layer.inner, PYMEM_DOMAIN_OBJ, block);
            count.blocks += bytes != 0;
            count.bytes += bytes;
        }
    }
    return count;
}

/* Of a foreign heap no more is known of free blocks than what is kept here. */
static void
snapshot_freelist(rh_heap *heap, rh_counters *counters)
{
    const freelist_heap *freelist = (freelist_heap *)heap;
    kept_count kept = count_kept(freelist);
    rh_heap_snapshot(freelist->layer.inner, counters);
    if (counters->mapped_bytes != RH_UNKNOWN)
        counters->mapped_bytes += own_bytes(freelist);
    subtract(&counters->live_blocks, kept.blocks);
    subtract(&counters->block_bytes, kept.bytes);
    counters->free_block_bytes = plus(counters->free_block_bytes, kept.bytes);
    counters->metadata_bytes = plus(counters->metadata_bytes, own_bytes(freelist));
    counters->free_list_hits = plus(counters->free_list_hits, freelist->hits);
    counters->free_list_misses = plus(counters->free_list_misses, freelist->misses);
    counters->free_list_rejected = plus(counters->free_list_rejected, freelist->rejected);
    counters->free_list_blocks = plus(counters->free_list_blocks, freelist->kept_blocks);
    counters->free_list_bytes = plus(counters->free_list_bytes, kept.bytes);
}

static int
by_address(const void *left, const void *right)
{
    uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;
    return (a > b) - (a < b);
}

/* The kept blocks' addresses, ascending; the caller frees them. NULL when there is no memory. */
static uintptr_t *
kept_addresses(const freelist_heap *freelist)
{
    uintptr_t *address = malloc((freelist->kept_blocks + 1) * sizeof *address);
    size_t count = 0;
    if (!address)
        return NULL;
    for (uint32_t which = 0; which < freelist->lists_count; which++)
        for (uint32_t at = freelist->lists[which].first; at && count < freelist->kept_blocks;
             at = freelist->nodes[at].next)
            address[count++] = freelist->nodes[at].block;
    qsort(address, count, sizeof *address, by_address);
    return address;
}

typedef struct walk_state {
    rh_region_visitor *visit;
    void *ctx;
    const uintptr_t *kept;
    uint64_t count;
} walk_state;

/* Kept blocks below `address`. */
static uint64_t
kept_below(const walk_state *state, uintptr_t address)
{
    uint64_t low = 0, high = state->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (state->kept[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Shows the heap's regions with kept blocks as free ones. */
static bool
show_region(void *ctx, const rh_region *region)
{
    const walk_state *state = ctx;
    rh_region shown = *region;
    if (region->kind != RH_REGION_ARENA && region->used) {
        uint64_t kept = kept_below(state, region->address + region->size_bytes) -
                        kept_below(state, region->address);
        shown.used -= kept < shown.used ? (uint32_t)kept : shown.used;
    }
    return state->visit(state->ctx, &shown);
}

typedef bool walker(rh_heap *heap, rh_region_visitor *visit, void *ctx);

static bool
walk_with(const freelist_heap *freelist, walker *walk, rh_region_visitor *visit, void *ctx)
{
    uintptr_t *kept = kept_addresses(freelist);
    if (!kept)
        return false;
    walk_state state = {visit, ctx, kept, freelist->kept_blocks};
    bool whole = walk(freelist->layer.inner, show_region, &state);
    free(kept);
    return whole;
}

static bool
walk_freelist(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return walk_with((freelist_heap *)heap, rh_heap_walk, visit, ctx);
}

static bool
walk_freelist_pages(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    return walk_with((freelist_heap *)heap, rh_heap_walk_pages, visit, ctx);
}

/* ---- checked, trimmed, closed ---- */

static rh_status
check_block(const freelist_heap *freelist, uint32_t which, const node *kept, rh_error *error)
{
    const void *block = (const void *)kept->block;
    uint64_t noted;
    size_t bytes = usable(freelist, block);
    uint32_t found = list_within(freelist, bytes);
    if (rh_block_table_get(&freelist->odd, block, &noted))
        found = (uint32_t)noted;
    if (bytes && bytes < bytes_of(freelist, which))
        return rh_fail(error, RH_DIFFERENT,
                       "freelist: block %p, kept for %zu bytes, has room for %zu", block,
                       bytes_of(freelist, which), bytes);
    if (found != which)
        return rh_fail(error, RH_DIFFERENT, "freelist: block %p is kept for %zu bytes, not its own",
                       block, bytes_of(freelist, which));
    return RH_OK;
}

static rh_status
check_list(const freelist_heap *freelist, uint32_t which, uint64_t *blocks, rh_error *error)
{
    const list *checked = &freelist->lists[which];
    uint32_t count = 0;
    for (uint32_t at = checked->first; at; at = freelist->nodes[at].next) {
        if (at > freelist->made || ++count > checked->count)
            return rh_fail(error, RH_DIFFERENT,
                           "freelist: the list for %zu bytes is longer than "
                           "the %u blocks it counts",
                           bytes_of(freelist, which), checked->count);
        rh_status status = check_block(freelist, which, &freelist->nodes[at], error);
        if (status)
            return status;
        *blocks += 1;
    }
    if (count != checked->count || count > freelist->max)
        return rh_fail(error, RH_DIFFERENT,
                       "freelist: the list for %zu bytes has %u blocks, "
                       "counts %u and may have %u",
                       bytes_of(freelist, which), count, checked->count, freelist->max);
    return RH_OK;
}

static rh_status
check_apart(const freelist_heap *freelist, rh_error *error)
{
    uintptr_t *kept = kept_addresses(freelist);
    if (!kept)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_status status = RH_OK;
    for (uint64_t i = 1; status == RH_OK && i < freelist->kept_blocks; i++)
        if (kept[i] == kept[i - 1])
            status =
                rh_fail(error, RH_DIFFERENT, "freelist: block %p is kept twice; it was freed twice",
                        (void *)kept[i]);
    free(kept);
    return status;
}

static rh_status
check_freelist(rh_heap *heap, rh_error *error)
{
    const freelist_heap *freelist = (freelist_heap *)heap;
    uint64_t blocks = 0;
    for (uint32_t which = 0; which < freelist->lists_count; which++) {
        rh_status status = check_list(freelist, which, &blocks, error);
        if (status)
            return status;
    }
    if (blocks != freelist->kept_blocks)
        return rh_fail(error, RH_DIFFERENT, "freelist: the lists' blocks are not those counted");
    if (!rh_block_table_check(&freelist->odd))
        return rh_fail(error, RH_DIFFERENT, "freelist: the table of odd blocks is damaged");
    rh_status status = check_apart(freelist, error);
    return status == RH_OK ? rh_heap_check(freelist->layer.inner, error) : status;
}

static void
trim_freelist(rh_heap *heap)
{
    freelist_heap *freelist = (freelist_heap *)heap;
    drain(freelist);
    rh_heap_trim(freelist->layer.inner);
    settle(freelist);
}

/* Not every heap gives back at its close what lives; what is dead goes back here. */
static void
close_freelist(rh_heap *heap)
{
    freelist_heap *freelist = (freelist_heap *)heap;
    drain(freelist);
    rh_heap_close(freelist->layer.inner);
    rh_side_memory_release(&freelist->list_memory);
    rh_block_table_release(&freelist->odd);
    free(freelist);
}

/* ---- opened ---- */

static const rh_key keys[] = {
    {.name = "max",
     .kind = RH_KEY_COUNT,
     .min = 1,
     .max = 1 << 20,
     .standard = "80",
     .help = "blocks that a list keeps"},
    {.name = "small",
     .kind = RH_KEY_SIZE,
     .min = 8,
     .max = 64 << 10,
     .standard = "512",
     .help = "the largest object that has a list"},
    {.name = "grain",
     .kind = RH_KEY_SIZE,
     .min = 8,
     .max = 4096,
     .power_of_two = true,
     .standard = "16",
     .help = "objects whose sizes round up to the same multiple of it share a list"},
    {.name = NULL},
};

static bool
make_lists(freelist_heap *freelist, const rh_spec_part *part)
{
    uint64_t max = 80, small = 512, grain = 16;
    rh_spec_number(part, "max", &max);
    rh_spec_number(part, "small", &small);
    rh_spec_number(part, "grain", &grain);
    freelist->max = (uint32_t)max;
    freelist->shift = (uint32_t)__builtin_ctzll(grain);
    freelist->lists_count = (uint32_t)((small + grain - 1) / grain);
    if (!rh_side_memory_grow(&freelist->list_memory,
                             freelist->lists_count * sizeof *freelist->lists))
        return false;
    freelist->lists = freelist->list_memory.base;
    return true;
}

/* What the heap below cannot do, `operations` lacks. */
static void
set_operations(rh_heap_operations *operations)
{
    if (operations->aligned_alloc)
        operations->aligned_alloc = freelist_aligned_alloc;
    if (operations->set_raw)
        operations->set_raw = freelist_set_raw;
    if (operations->walk)
        operations->walk = walk_freelist;
    if (operations->walk_pages)
        operations->walk_pages = walk_freelist_pages;
    operations->snapshot = snapshot_freelist;
    operations->check = check_freelist;
    operations->trim = trim_freelist;
    operations->close = close_freelist;
}

static rh_status
wrap_freelist(const rh_spec_part *part, rh_heap *inner, rh_heap **heap, rh_error *error)
{
    static const PyMemAllocatorEx pass = {NULL, pass_malloc, pass_calloc, pass_realloc, pass_free};
    freelist_heap *freelist = calloc(1, sizeof *freelist);
    if (!freelist || !make_lists(freelist, part)) {
        free(freelist);
        return rh_fail(error, RH_SYSTEM, "out of memory");
    }
    rh_layer_init(&freelist->layer, inner, &pass);
    PyMemAllocatorEx *domain = freelist->layer.heap.domain;
    if (inner->mapped_bytes)
        freelist->layer.heap.mapped_bytes = &freelist->mapped_bytes;
    else /* nothing to keep up with */
        for (int i = PYMEM_DOMAIN_RAW; i <= PYMEM_DOMAIN_MEM; i++)
            domain[i] = inner->domain[i];
    domain[PYMEM_DOMAIN_OBJ] = (PyMemAllocatorEx){domain[PYMEM_DOMAIN_OBJ].ctx, object_malloc,
                                                  object_calloc, object_realloc, object_free};
    set_operations(&freelist->layer.operations);
    settle(freelist);
    *heap = &freelist->layer.heap;
    return RH_OK;
}

const rh_layer rh_freelist_layer = {
    .name = "freelist",
    .summary = "free lists of objects by size, beside those that CPython has by type",
    .keys = keys,
    .wrap = wrap_freelist,
};
