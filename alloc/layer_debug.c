/* Blocks with an alignment of their own come from the heap's aligned call and lie as far behind
 * their start as the alignment says; a table knows which those are. Where the heap passes on to RAW
 * what pools do not serve, it is RAW that gives and takes them: its MEM and OBJ would hand them,
 * bare, to the RAW hook, which expects a decoration. */
#include "alloc/layer_debug.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "alloc/layer.h"
#include "alloc/lead_table.h"

#define HEADER_MOST 64 /* before a block, in a heap that shows its headers with its blocks */

typedef struct debug_heap debug_heap;

/* The context of a domain's functions: they are the hook's own with a look for aligned blocks. */
typedef struct debug_domain {
    rh_debug_hook hook; /* first */
    PyMemAllocatorEx plain;
    debug_heap *owner;
} debug_domain;

struct debug_heap {
    rh_layer_heap layer;
    rh_debug_settings settings;
    debug_domain domain[RH_DOMAINS];
    /* Aligned blocks. Heaps that threads share are used by several at once. */
    pthread_mutex_t lock;
    rh_lead_table aligned;
    atomic_size_t aligned_count;
    uint64_t aligned_extra; /* their bytes before RH_DEBUG_LEAD */
};

static debug_heap *
of(rh_heap *heap)
{
    return (debug_heap *)heap;
}

/* ---- aligned blocks ---- */

/* Who gives and takes the aligned blocks of a domain. */
static PyMemAllocatorDomain
aligned_domain(const debug_heap *debug, PyMemAllocatorDomain domain)
{
    return debug->layer.inner->operations->set_raw ? PYMEM_DOMAIN_RAW : domain;
}

static size_t
find_lead(debug_heap *debug, const void *p)
{
    if (atomic_load_explicit(&debug->aligned_count, memory_order_relaxed) == 0)
        return 0;
    pthread_mutex_lock(&debug->lock);
    size_t lead = rh_lead_table_find(&debug->aligned, (uintptr_t)p);
    pthread_mutex_unlock(&debug->lock);
    return lead;
}

/* With the lock held, into a table that has room. */
static void
put_lead(debug_heap *debug, const void *p, size_t lead)
{
    rh_lead_table_add(&debug->aligned, (uintptr_t)p, lead);
    debug->aligned_extra += lead - RH_DEBUG_LEAD;
    atomic_fetch_add(&debug->aligned_count, 1);
}

static bool
add_lead(debug_heap *debug, const void *p, size_t lead)
{
    pthread_mutex_lock(&debug->lock);
    bool has_room = rh_lead_table_reserve(&debug->aligned);
    if (has_room)
        put_lead(debug, p, lead);
    pthread_mutex_unlock(&debug->lock);
    return has_room;
}

/* The same after a remove_lead, whose place is still there: half of the table is always empty, and
 * there are fewer threads than that. */
static void
add_lead_again(debug_heap *debug, const void *p, size_t lead)
{
    pthread_mutex_lock(&debug->lock);
    put_lead(debug, p, lead);
    pthread_mutex_unlock(&debug->lock);
}

static void
remove_lead(debug_heap *debug, const void *p, size_t lead)
{
    pthread_mutex_lock(&debug->lock);
    rh_lead_table_remove(&debug->aligned, (uintptr_t)p);
    debug->aligned_extra -= lead - RH_DEBUG_LEAD;
    atomic_fetch_sub(&debug->aligned_count, 1);
    pthread_mutex_unlock(&debug->lock);
}

static rh_debug_led
led_of(const debug_domain *domain, size_t lead)
{
    const debug_heap *debug = domain->owner;
    PyMemAllocatorDomain which = (PyMemAllocatorDomain)(domain - debug->domain);
    return (rh_debug_led){debug->layer.inner->domain[aligned_domain(debug, which)], lead};
}

/* The place is reserved before the block is taken, so that nothing has to be undone. */
static void *
debug_aligned_alloc(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    debug_heap *debug = of(heap);
    rh_heap *inner = debug->layer.inner;
    PyMemAllocatorDomain from = aligned_domain(debug, domain);
    size_t bytes = rh_debug_led_bytes(&debug->settings, alignment, size);
    void *block = bytes ? rh_heap_aligned_alloc(inner, from, alignment, bytes) : NULL;
    if (!block)
        return NULL;
    if (!add_lead(debug, (char *)block + alignment, alignment)) {
        inner->domain[from].free(inner->domain[from].ctx, block);
        return NULL;
    }
    return rh_debug_dress(&debug->domain[domain].hook, block, alignment, size);
}

/* The old address is forgotten before it can be given to somebody else. */
static void *
realloc_aligned(debug_domain *domain, void *p, size_t lead, size_t size)
{
    debug_heap *debug = domain->owner;
    rh_debug_led led = led_of(domain, lead);
    remove_lead(debug, p, lead);
    void *moved = rh_debug_realloc_led(&domain->hook, &led, p, size);
    add_lead_again(debug, moved ? moved : p, lead);
    return moved;
}

/* ---- the four functions ---- */

static void *
debug_malloc(void *ctx, size_t size)
{
    debug_domain *domain = ctx;
    return domain->plain.malloc(&domain->hook, size);
}

static void *
debug_calloc(void *ctx, size_t count, size_t element)
{
    debug_domain *domain = ctx;
    return domain->plain.calloc(&domain->hook, count, element);
}

static void *
debug_realloc(void *ctx, void *p, size_t size)
{
    debug_domain *domain = ctx;
    size_t lead = find_lead(domain->owner, p);
    return lead ? realloc_aligned(domain, p, lead, size)
                : domain->plain.realloc(&domain->hook, p, size);
}

static void
debug_free(void *ctx, void *p)
{
    debug_domain *domain = ctx;
    size_t lead = find_lead(domain->owner, p);
    if (!lead) {
        domain->plain.free(&domain->hook, p);
        return;
    }
    rh_debug_led led = led_of(domain, lead);
    remove_lead(domain->owner, p, lead);
    rh_debug_free_led(&domain->hook, &led, p);
}

/* ---- what the heap says of itself ---- */

/* What the heap below says of a block, less the decorations: by the domain, or, for a block that
 * carries two, by RAW. */
static size_t
ask_below(debug_heap *debug, PyMemAllocatorDomain domain, const char *p,
          size_t (*ask)(rh_heap *, PyMemAllocatorDomain, const void *))
{
    rh_heap *inner = debug->layer.inner;
    size_t overhead = rh_debug_overhead(&debug->settings), lead = find_lead(debug, p);
    if (lead) {
        size_t given = ask(inner, aligned_domain(debug, domain), p - lead);
        return given ? given - lead - (overhead - RH_DEBUG_LEAD) : 0;
    }
    const char *block = p - RH_DEBUG_LEAD;
    size_t given = ask(inner, domain, block);
    if (given)
        return given - overhead;
    given = ask(inner, PYMEM_DOMAIN_RAW, block - RH_DEBUG_LEAD);
    return given ? given - 2 * overhead : 0;
}

static size_t
debug_usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *p)
{
    debug_heap *debug = of(heap);
    return debug->settings.unbacked ? ask_below(debug, domain, p, rh_heap_usable_size)
                                    : rh_debug_requested(p);
}

static size_t
debug_block_bytes(rh_heap *heap, PyMemAllocatorDomain domain, const void *p)
{
    return ask_below(of(heap), domain, p, rh_heap_block_bytes);
}

static uint64_t
live(const debug_heap *debug, PyMemAllocatorDomain domain)
{
    return rh_debug_live(&debug->domain[domain].hook);
}

static uint64_t
decorations(const debug_heap *debug)
{
    uint64_t blocks = 0;
    for (int i = 0; i < RH_DOMAINS; i++)
        blocks += live(debug, (PyMemAllocatorDomain)i);
    return blocks;
}

static uint64_t
all_decoration_bytes(const debug_heap *debug)
{
    return decorations(debug) * rh_debug_overhead(&debug->settings) + debug->aligned_extra;
}

/* Of those that lie in the memory which the heap below counts. */
static uint64_t
decoration_bytes(const debug_heap *debug, const rh_counters *counters)
{
    if (debug->layer.inner->raw_uncounted && counters->live_blocks != RH_UNKNOWN)
        return counters->live_blocks * rh_debug_overhead(&debug->settings); /* in pools: one each */
    return all_decoration_bytes(debug);
}

static void
debug_snapshot(rh_heap *heap, rh_counters *counters)
{
    const debug_heap *debug = of(heap);
    rh_heap_snapshot(debug->layer.inner, counters);
    uint64_t bytes = decoration_bytes(debug, counters);
    if (counters->block_bytes != RH_UNKNOWN) {
        if (bytes > counters->block_bytes) /* a heap that does not count what it gave */
            return;
        counters->block_bytes -= bytes;
    }
    counters->header_bytes =
        bytes + (counters->header_bytes == RH_UNKNOWN ? 0 : counters->header_bytes);
}

static void
debug_figures(rh_heap *heap, rh_figure_taker *take, void *ctx)
{
    const debug_heap *debug = of(heap);
    rh_heap_figures(debug->layer.inner, take, ctx);
    take(ctx, "debug_decorations", decorations(debug));
    take(ctx, "debug_decoration_bytes", all_decoration_bytes(debug));
}

static bool
print_inner(void *ctx, FILE *out)
{
    return rh_heap_print_stats(ctx, out);
}

static bool
debug_print_stats(rh_heap *heap, FILE *out)
{
    debug_heap *debug = of(heap);
    return rh_debug_print_numbered(&debug->settings, print_inner, debug->layer.inner, out);
}

/* ---- the check ---- */

typedef struct pad_check {
    debug_heap *debug;
    bool in_page;
    size_t offset;  /* from where the walk has a block to what the heap below gave out */
    uint64_t shown; /* blocks in use */
    uint64_t sound[RH_DOMAINS];
    uintptr_t suspect; /* 0: none */
    const char *reason;
} pad_check;

static int
domain_of_letter(unsigned char letter)
{
    switch (letter) {
    case 'r':
        return PYMEM_DOMAIN_RAW;
    case 'm':
        return PYMEM_DOMAIN_MEM;
    case 'o':
        return PYMEM_DOMAIN_OBJ;
    default:
        return -1;
    }
}

/* Whether a sound decoration is around p; `room` bytes from p on are the block's. */
static const char *
inspect(pad_check *check, const unsigned char *p, size_t room)
{
    int domain = domain_of_letter(p[-(ptrdiff_t)RH_DEBUG_WORD]);
    if (domain < 0)
        return "bad ID";
    const char *wrong = rh_debug_inspect(&check->debug->domain[domain].hook, p, room);
    if (!wrong)
        check->sound[domain]++;
    return wrong;
}

/* What a sound decoration encloses may begin with another that fits into it: that of an object
 * which was passed on to RAW, or of hooks over these. A layer between may have rounded its size up.
 */
static void
inspect_within(pad_check *check, const unsigned char *p)
{
    size_t overhead = rh_debug_overhead(&check->debug->settings), room = rh_debug_requested(p);
    while (room >= overhead) {
        p += RH_DEBUG_LEAD;
        size_t requested = rh_debug_requested(p);
        if (requested > room - overhead || inspect(check, p, room - RH_DEBUG_LEAD))
            return;
        room = requested;
    }
}

/* A block of the heap below. One that is bare has been freed into a layer between, or is aligned
 * and has its decoration further on. */
static void
inspect_block(pad_check *check, const unsigned char *block, size_t bytes)
{
    const rh_debug_settings *settings = &check->debug->settings;
    if (bytes < check->offset + rh_debug_overhead(settings))
        return;
    size_t lead = check->offset + RH_DEBUG_LEAD;
    const unsigned char *p = block + lead;
    unsigned char letter = p[-(ptrdiff_t)RH_DEBUG_WORD];
    const char *wrong = inspect(check, p, bytes - lead);
    bool bare = letter == settings->fill.dead || letter == settings->fill.forbidden;
    if (!wrong) {
        inspect_within(check, p);
    } else if (!bare && !check->suspect) {
        check->suspect = (uintptr_t)p;
        check->reason = wrong;
    }
}

/* Whether a block that a walk shows has a decoration to be inspected. */
static bool
is_of_interest(pad_check *check, const rh_region *region)
{
    if (region->kind != RH_REGION_BLOCK)
        check->in_page = region->kind == RH_REGION_PAGE;
    return region->kind == RH_REGION_BLOCK && region->used &&
           (check->in_page || !check->debug->layer.inner->raw_uncounted);
}

static bool
visit(void *ctx, const rh_region *region)
{
    pad_check *check = ctx;
    if (is_of_interest(check, region)) {
        check->shown++;
        inspect_block(check, (const unsigned char *)region->address, region->size_bytes);
    }
    return true;
}

/* Some heaps show a block with the header of their own that lies before what they gave out. Ends
 * the walk at the first block whose decoration is found behind such a header. */
static bool
visit_to_calibrate(void *ctx, const rh_region *region)
{
    pad_check *check = ctx;
    if (!is_of_interest(check, region))
        return true;
    size_t overhead = rh_debug_overhead(&check->debug->settings);
    for (size_t offset = 0; offset <= HEADER_MOST; offset += RH_DEBUG_WORD) {
        const unsigned char *p = (const unsigned char *)region->address + offset + RH_DEBUG_LEAD;
        if (region->size_bytes >= offset + overhead &&
            !inspect(check, p, region->size_bytes - offset - RH_DEBUG_LEAD)) {
            check->offset = offset;
            return false;
        }
    }
    return true;
}

static void
inspect_aligned(pad_check *check)
{
    const rh_lead_table *table = &check->debug->aligned;
    for (size_t i = 0; i < table->capacity; i++) {
        const rh_lead *entry = &table->entries[i];
        if (!entry->address)
            continue;
        const char *wrong = inspect(check, (const unsigned char *)entry->address, SIZE_MAX / 2);
        if (wrong && !check->suspect) {
            check->suspect = entry->address;
            check->reason = wrong;
        }
    }
}

static rh_status
fail_with_suspect(const pad_check *check, rh_error *error)
{
    return rh_fail(error, RH_DIFFERENT, "debug: block at 0x%" PRIxPTR ": %s", check->suspect,
                   check->reason);
}

/* Where all blocks are shown, as many must be sound as are in use: damage that makes one look like
 * something else is found as well. */
static rh_status
compare_counts(const pad_check *check, rh_error *error)
{
    for (int i = 0; i < RH_DOMAINS; i++) {
        uint64_t expected = live(check->debug, (PyMemAllocatorDomain)i);
        if (check->sound[i] >= expected)
            continue;
        if (check->suspect)
            return fail_with_suspect(check, error);
        return rh_fail(error, RH_DIFFERENT,
                       "debug: %" PRIu64 " blocks of API '%c' are in use, only %" PRIu64
                       " have what belongs around them",
                       expected, "rmo"[i], check -> sound[i]);
    }
    return RH_OK;
}

static rh_status
judge(const pad_check *check, rh_error *error)
{
    rh_heap *inner = check->debug->layer.inner;
    if (inner->raw_uncounted)
        return check->suspect ? fail_with_suspect(check, error) : RH_OK;
    rh_counters counters;
    rh_heap_snapshot(inner, &counters);
    return check->shown == counters.live_blocks ? compare_counts(check, error) : RH_OK;
}

static rh_status
debug_check(rh_heap *heap, rh_error *error)
{
    debug_heap *debug = of(heap);
    rh_status status = rh_heap_check(debug->layer.inner, error);
    if (status != RH_OK || debug->settings.unbacked)
        return status;
    pad_check calibration = {.debug = debug};
    rh_heap_walk(debug->layer.inner, visit_to_calibrate, &calibration);
    pad_check check = {.debug = debug, .offset = calibration.offset};
    if (!rh_heap_walk(debug->layer.inner, visit, &check))
        return RH_OK; /* it does not show its blocks */
    inspect_aligned(&check);
    return judge(&check, error);
}

/* ---- opening ---- */

static void
debug_close(rh_heap *heap)
{
    debug_heap *debug = of(heap);
    rh_heap_close(debug->layer.inner);
    rh_lead_table_release(&debug->aligned);
    pthread_mutex_destroy(&debug->lock);
    free(debug);
}

enum { FILL_NEW, FILL_OLD };
enum { PYTHON_FREE_THREADED = RH_DEBUG_WORDS_3_7 + 1 };

static const rh_key keys[] = {
    {.name = "python",
     .kind = RH_KEY_CHOICE,
     .choices = "3.9|3.8|3.7|free-threaded",
     .standard = "3.9",
     .help = "whose hooks, from that version on: the words of a report; 3.7 numbers every call, "
             "builds without a lock spare the headers of objects"},
    {.name = "serial",
     .kind = RH_KEY_CHOICE,
     .choices = "off|on",
     .standard = "off",
     .help = "a number behind each block: the call that made it; with python=3.7 on"},
    {.name = "fill",
     .kind = RH_KEY_CHOICE,
     .choices = "new|old",
     .standard = "new",
     .help = "bytes of clean, dead and forbidden memory: CD DD FD, until CPython 3.7.3 CB DB FB"},
    {.name = NULL},
};

static void
apply(const rh_spec_part *part, rh_debug_settings *settings)
{
    uint64_t words = RH_DEBUG_WORDS_3_9, fill = FILL_NEW;
    rh_spec_number(part, "python", &words);
    if (words == PYTHON_FREE_THREADED) {
        settings->free_threaded = true;
        words = RH_DEBUG_WORDS_3_9;
    }
    rh_spec_number(part, "fill", &fill);
    uint64_t serial = words == RH_DEBUG_WORDS_3_7;
    rh_spec_number(part, "serial", &serial);
    settings->words = (rh_debug_words)words;
    settings->serial = serial != 0;
    settings->fill = fill == FILL_OLD ? rh_debug_fill_old : rh_debug_fill_new;
}

static void
set_operations(debug_heap *debug)
{
    rh_heap_operations *operations = &debug->layer.operations;
    if (debug->layer.inner->operations->aligned_alloc)
        operations->aligned_alloc = debug_aligned_alloc;
    operations->usable_size = debug_usable_size;
    operations->block_bytes = debug_block_bytes;
    operations->snapshot = debug_snapshot;
    if (operations->print_stats)
        operations->print_stats = debug_print_stats;
    operations->check = debug_check;
    operations->figures = debug_figures;
    operations->close = debug_close;
}

static void
follow_domains(rh_layer_heap *layer)
{
    debug_heap *debug = (debug_heap *)layer;
    for (int i = 0; i < RH_DOMAINS; i++)
        debug->domain[i].hook.inner = layer->inner->domain[i];
}

static void
set_domains(debug_heap *debug)
{
    static const PyMemAllocatorEx functions = {NULL, debug_malloc, debug_calloc, debug_realloc,
                                               debug_free};
    for (int i = 0; i < RH_DOMAINS; i++) {
        debug_domain *domain = &debug->domain[i];
        rh_debug_hook_init(&domain->hook, (PyMemAllocatorDomain)i, &debug->layer.inner->domain[i],
                           &debug->settings);
        domain->plain = rh_debug_hook_functions(&domain->hook);
        domain->owner = debug;
        debug->layer.heap.domain[i] = functions;
        debug->layer.heap.domain[i].ctx = domain;
    }
    debug->layer.domains_changed = follow_domains;
    rh_heap_set_raw(debug->layer.inner, &debug->layer.heap.domain[PYMEM_DOMAIN_RAW]);
}

static rh_status
wrap_debug(const rh_spec_part *part, rh_heap *inner, rh_heap **heap, rh_error *error)
{
    debug_heap *debug = calloc(1, sizeof *debug);
    if (!debug)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    apply(part, &debug->settings);
    debug->settings.unbacked = inner->contents != RH_CONTENTS_KEPT;
    static const PyMemAllocatorEx none = {NULL, NULL, NULL, NULL, NULL};
    rh_layer_init(&debug->layer, inner, &none);
    pthread_mutex_init(&debug->lock, NULL);
    set_operations(debug);
    set_domains(debug);
    if (debug->layer.heap.natural_alignment > RH_DEBUG_LEAD)
        debug->layer.heap.natural_alignment = RH_DEBUG_LEAD;
    *heap = &debug->layer.heap;
    return RH_OK;
}

rh_debug_settings *
rh_debug_layer_settings(rh_heap *heap)
{
    return heap->operations->check == debug_check ? &of(heap)->settings : NULL;
}

const rh_layer rh_debug_layer = {
    .name = "debug",
    .summary = "CPython's debug hooks: guards every block, reports damage and ends the process",
    .keys = keys,
    .wrap = wrap_debug,
};
