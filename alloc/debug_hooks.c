#include "alloc/debug_hooks.h"

#include <string.h>

#include "alloc/readable.h"

#define WORD RH_DEBUG_WORD
_Static_assert(WORD == 8, "sizes are words of 8 bytes here");
#define PAGE_BYTES 4096u
/* Of data that realloc fills with dead bytes for the time of the call: all of it, or so much at
 * either end. */
#define ERASED_BYTES 64
/* Beyond this a size is only believed when its tail can be read; making sure costs little beside
 * writing such a block. */
#define BELIEVED_BYTES ((size_t)16 * 1024)

/* Of an object, in builds without an interpreter lock: what lies before its type. */
#define OBJECT_HEADER_BYTES 24

static const char lock_message[] = "Python memory allocator called without holding the GIL";

const rh_debug_fill rh_debug_fill_old = {0xCB, 0xDB, 0xFB};
const rh_debug_fill rh_debug_fill_new = {0xCD, 0xDD, 0xFD};

/* ---- layout ---- */

static size_t
trail_bytes(const rh_debug_settings *settings)
{
    return settings->serial ? 2 * WORD : WORD;
}

size_t
rh_debug_overhead(const rh_debug_settings *settings)
{
    return RH_DEBUG_LEAD + trail_bytes(settings);
}

/* Whether a block of `size` bytes can be decorated. */
static bool
fits(const rh_debug_settings *settings, size_t lead, size_t size)
{
    return size <= (size_t)PY_SSIZE_T_MAX - lead - trail_bytes(settings);
}

static void
write_word(unsigned char *bytes, size_t word)
{
    uint64_t swapped = __builtin_bswap64(word);
    memcpy(bytes, &swapped, sizeof swapped);
}

static size_t
read_word(const unsigned char *bytes)
{
    uint64_t swapped;
    memcpy(&swapped, bytes, sizeof swapped);
    return __builtin_bswap64(swapped);
}

/* A word of forbidden bytes, as it lies in memory. */
static uint64_t
forbidden_word(const rh_debug_hook *hook)
{
    return hook->settings->fill.forbidden * UINT64_C(0x0101010101010101);
}

/* The word before the data: the letter, then forbidden bytes (the first byte is the lowest). */
static uint64_t
leading_word(const rh_debug_hook *hook)
{
    return (forbidden_word(hook) & ~UINT64_C(0xFF)) | (unsigned char)hook->letter;
}

size_t
rh_debug_requested(const void *p)
{
    return read_word((const unsigned char *)p - RH_DEBUG_LEAD);
}

static size_t
next_serial(rh_debug_settings *settings)
{
    if (!settings->serial)
        return 0;
    return atomic_fetch_add_explicit(&settings->serials, 1, memory_order_relaxed) + 1;
}

/* Everything around the data of a block at p. */
static void
write_decoration(const rh_debug_hook *hook, unsigned char *p, size_t size, size_t serial)
{
    uint64_t leading = leading_word(hook), trailing = forbidden_word(hook);
    write_word(p - RH_DEBUG_LEAD, size);
    memcpy(p - WORD, &leading, WORD);
    memcpy(p + size, &trailing, WORD);
    if (hook->settings->serial)
        write_word(p + size + WORD, serial);
}

static bool
is_word(const unsigned char *bytes, uint64_t expected)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word == expected;
}

static void
fill_data(const rh_debug_hook *hook, unsigned char *data, unsigned char value, size_t size)
{
    size_t spared = hook->settings->free_threaded && hook->letter == 'o' ? OBJECT_HEADER_BYTES : 0;
    if (size > spared)
        memset(data + spared, value, size - spared);
}

/* ---- blocks freed lately ---- */

static _Atomic(uintptr_t) *
place_of(rh_debug_hook *hook, const void *p)
{
    uint64_t mixed = (uint64_t)((uintptr_t)p >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    return &hook->recent[mixed >> 55]; /* 9 bits: RH_DEBUG_RECENT places */
}

static void
note_given(rh_debug_hook *hook, const void *p)
{
    _Atomic(uintptr_t) *place = place_of(hook, p);
    if (atomic_load_explicit(place, memory_order_relaxed) == (uintptr_t)p)
        atomic_store_explicit(place, 0, memory_order_relaxed);
}

static void
note_freed(rh_debug_hook *hook, const void *p)
{
    atomic_store_explicit(place_of(hook, p), (uintptr_t)p, memory_order_relaxed);
}

/* Where calls are in a lock's order, no read-modify-write is needed. */
static void
count(const rh_debug_hook *hook, atomic_uint_fast64_t *counter)
{
    if (hook->shared)
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    else
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                              memory_order_relaxed);
}

static void
count_birth(rh_debug_hook *hook)
{
    count(hook, &hook->births);
}

static void
count_death(rh_debug_hook *hook)
{
    count(hook, &hook->deaths);
}

uint64_t
rh_debug_live(const rh_debug_hook *hook)
{
    uint64_t deaths = atomic_load_explicit(&hook->deaths, memory_order_relaxed);
    return atomic_load_explicit(&hook->births, memory_order_relaxed) - deaths;
}

/* What stands before p may not be there: freed lately, or at addresses where no block lies. */
static bool
is_doubtful(rh_debug_hook *hook, const void *p)
{
    return atomic_load_explicit(place_of(hook, p), memory_order_relaxed) == (uintptr_t)p ||
           (uintptr_t)p < (uintptr_t)PAGE_BYTES * 16;
}

/* ---- checks ---- */

/* Whether the tail is where it can be read at all: sizes that would have it elsewhere than on the
 * page of p or shortly behind are not believed without a look. */
static bool
has_tail(const rh_debug_hook *hook, const unsigned char *p, size_t size)
{
    if (size <= BELIEVED_BYTES)
        return true;
    unsigned char tail[WORD];
    return fits(hook->settings, RH_DEBUG_LEAD, size) &&
           rh_readable_copy(tail, p + size, sizeof tail);
}

static __attribute__((noinline, cold)) void
report_leading(const rh_debug_hook *hook, const unsigned char *p, const char *function)
{
    unsigned char letter = p[-(ptrdiff_t)WORD];
    if (letter != (unsigned char)hook->letter)
        rh_debug_report(hook->settings, p, function,
                        "bad ID: Allocated using API '%c', verified using API '%c'", letter,
                        hook->letter);
    rh_debug_report(hook->settings, p, function, "bad leading pad byte");
}

static void
verify(rh_debug_hook *hook, const unsigned char *p, const char *function)
{
    const rh_debug_settings *settings = hook->settings;
    unsigned char head[RH_DEBUG_LEAD];
    if (is_doubtful(hook, p) && !rh_readable_copy(head, p - RH_DEBUG_LEAD, sizeof head))
        rh_debug_report(settings, p, function, "not a block of memory: freed before?");
    if (!is_word(p - WORD, leading_word(hook)))
        report_leading(hook, p, function);
    size_t size = read_word(p - RH_DEBUG_LEAD);
    if (!has_tail(hook, p, size) || !is_word(p + size, forbidden_word(hook)))
        rh_debug_report(settings, p, function, "bad trailing pad byte");
}

bool
rh_debug_is_freed_pointer(const rh_debug_settings *settings, const void *pointer)
{
    const unsigned char bytes[] = {settings->fill.clean, settings->fill.dead,
                                   settings->fill.forbidden};
    uintptr_t value = (uintptr_t)pointer;
    bool freed = value <= 0xFF || value >= (uintptr_t)-0xFF;
    for (size_t i = 0; i < sizeof bytes; i++)
        freed |= value == bytes[i] * UINT64_C(0x0101010101010101);
    return freed;
}

const char *
rh_debug_inspect(const rh_debug_hook *hook, const void *block, size_t room)
{
    const unsigned char *p = block;
    if (p[-(ptrdiff_t)WORD] != (unsigned char)hook->letter)
        return "bad ID";
    if (!is_word(p - WORD, leading_word(hook)))
        return "bad leading pad byte";
    size_t size = read_word(p - RH_DEBUG_LEAD), trail = trail_bytes(hook->settings);
    if (room < trail || size > room - trail)
        return "the count of bytes requested is larger than the block";
    if (!is_word(p + size, forbidden_word(hook)))
        return "bad trailing pad byte";
    return NULL;
}

/* ---- birth, death ---- */

static void *
give_out(rh_debug_hook *hook, unsigned char *inner_block, size_t lead, size_t size)
{
    unsigned char *p = inner_block + lead;
    write_decoration(hook, p, size, next_serial(hook->settings));
    note_given(hook, p);
    count_birth(hook);
    return p;
}

/* The same where nothing can be written. */
static void *
number_out(rh_debug_hook *hook, unsigned char *inner_block, size_t lead)
{
    next_serial(hook->settings);
    count_birth(hook);
    return inner_block + lead;
}

size_t
rh_debug_led_bytes(const rh_debug_settings *settings, size_t lead, size_t size)
{
    bool possible = lead < (size_t)PY_SSIZE_T_MAX / 2 && fits(settings, lead, size);
    return possible ? lead + size + trail_bytes(settings) : 0;
}

void *
rh_debug_dress(rh_debug_hook *hook, void *inner_block, size_t lead, size_t size)
{
    if (hook->settings->unbacked)
        return number_out(hook, inner_block, lead);
    memset(inner_block, hook->settings->fill.forbidden, lead);
    fill_data(hook, (unsigned char *)inner_block + lead, hook->settings->fill.clean, size);
    return give_out(hook, inner_block, lead, size);
}

static void *
checked_malloc(rh_debug_hook *hook, size_t size)
{
    if (!fits(hook->settings, RH_DEBUG_LEAD, size))
        return NULL;
    size_t total = size + rh_debug_overhead(hook->settings);
    unsigned char *block = hook->inner.malloc(hook->inner.ctx, total);
    if (!block)
        return NULL;
    fill_data(hook, block + RH_DEBUG_LEAD, hook->settings->fill.clean, size);
    return give_out(hook, block, RH_DEBUG_LEAD, size);
}

static void *
checked_calloc(rh_debug_hook *hook, size_t count, size_t element)
{
    size_t size;
    if (__builtin_mul_overflow(count, element, &size) || !fits(hook->settings, RH_DEBUG_LEAD, size))
        return NULL;
    size_t total = size + rh_debug_overhead(hook->settings);
    unsigned char *block = hook->inner.calloc(hook->inner.ctx, 1, total);
    return block ? give_out(hook, block, RH_DEBUG_LEAD, size) : NULL;
}

static void
checked_free(rh_debug_hook *hook, const PyMemAllocatorEx *inner, unsigned char *p, size_t lead)
{
    verify(hook, p, "_PyMem_DebugRawFree");
    size_t size = read_word(p - RH_DEBUG_LEAD);
    unsigned char dead = hook->settings->fill.dead;
    if (hook->settings->free_threaded) {
        memset(p - lead, dead, lead);
        fill_data(hook, p, dead, size);
        memset(p + size, dead, trail_bytes(hook->settings));
    } else {
        memset(p - lead, dead, lead + size + trail_bytes(hook->settings));
    }
    note_freed(hook, p);
    count_death(hook);
    inner->free(inner->ctx, p - lead);
}

static void
unchecked_free(rh_debug_hook *hook, const PyMemAllocatorEx *inner, unsigned char *p, size_t lead)
{
    count_death(hook);
    inner->free(inner->ctx, p - lead);
}

void
rh_debug_free_led(rh_debug_hook *hook, const rh_debug_led *led, void *p)
{
    if (hook->settings->unbacked)
        unchecked_free(hook, &led->inner, p, led->lead);
    else
        checked_free(hook, &led->inner, p, led->lead);
}

/* ---- realloc ---- */

/* The data that realloc fills with dead bytes, kept meanwhile. */
typedef struct erased {
    size_t size; /* of the whole block */
    unsigned char bytes[2 * ERASED_BYTES];
} erased;

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void
erase(const rh_debug_hook *hook, unsigned char *p, size_t lead, erased *kept)
{
    size_t trail = trail_bytes(hook->settings);
    unsigned char dead = hook->settings->fill.dead;
    if (kept->size <= sizeof kept->bytes) {
        memcpy(kept->bytes, p, kept->size);
        memset(p - lead, dead, lead + kept->size + trail);
        return;
    }
    unsigned char *end = p + kept->size - ERASED_BYTES;
    memcpy(kept->bytes, p, ERASED_BYTES);
    memcpy(kept->bytes + ERASED_BYTES, end, ERASED_BYTES);
    memset(p - lead, dead, lead + ERASED_BYTES);
    memset(end, dead, ERASED_BYTES + trail);
}

/* As much of it as lies within `size` bytes. */
static void
restore(unsigned char *p, size_t size, const erased *kept)
{
    if (kept->size <= sizeof kept->bytes) {
        memcpy(p, kept->bytes, least(size, kept->size));
        return;
    }
    size_t end = kept->size - ERASED_BYTES;
    memcpy(p, kept->bytes, least(size, ERASED_BYTES));
    if (size > end)
        memcpy(p + end, kept->bytes + ERASED_BYTES, least(size - end, ERASED_BYTES));
}

static size_t
serial_of(const rh_debug_hook *hook, const unsigned char *p, size_t size)
{
    return hook->settings->serial ? read_word(p + size + WORD) : 0;
}

static void
write_lead(const rh_debug_hook *hook, unsigned char *p, size_t lead)
{
    memset(p - lead, hook->settings->fill.forbidden, lead - RH_DEBUG_LEAD);
}

static void *
checked_realloc(rh_debug_hook *hook, const PyMemAllocatorEx *inner, unsigned char *p, size_t lead,
                size_t size)
{
    verify(hook, p, "_PyMem_DebugRawRealloc");
    if (!fits(hook->settings, lead, size))
        return NULL;
    erased kept = {.size = read_word(p - RH_DEBUG_LEAD)};
    size_t serial = serial_of(hook, p, kept.size);
    bool erases = !hook->settings->free_threaded;
    if (erases)
        erase(hook, p, lead, &kept);
    size_t total = lead + size + trail_bytes(hook->settings);
    unsigned char *moved = inner->realloc(inner->ctx, p - lead, total);
    if (!moved) { /* all as it was */
        write_lead(hook, p, lead);
        write_decoration(hook, p, kept.size, serial);
        if (erases)
            restore(p, kept.size, &kept);
        return NULL;
    }
    unsigned char *now = moved + lead;
    if (now != p) {
        note_freed(hook, p);
        note_given(hook, now);
    }
    write_lead(hook, now, lead);
    write_decoration(hook, now, size, next_serial(hook->settings));
    if (erases)
        restore(now, size, &kept);
    if (size > kept.size)
        memset(now + kept.size, hook->settings->fill.clean, size - kept.size);
    return now;
}

static void *
unchecked_realloc(rh_debug_hook *hook, const PyMemAllocatorEx *inner, unsigned char *p, size_t lead,
                  size_t size)
{
    if (!fits(hook->settings, lead, size))
        return NULL;
    size_t total = lead + size + trail_bytes(hook->settings);
    unsigned char *moved = inner->realloc(inner->ctx, p - lead, total);
    if (!moved)
        return NULL;
    next_serial(hook->settings);
    return moved + lead;
}

void *
rh_debug_realloc_led(rh_debug_hook *hook, const rh_debug_led *led, void *p, size_t size)
{
    if (hook->settings->unbacked)
        return unchecked_realloc(hook, &led->inner, p, led->lead, size);
    return checked_realloc(hook, &led->inner, p, led->lead, size);
}

/* ---- the functions of a domain ---- */

static void *
raw_malloc(void *ctx, size_t size)
{
    return checked_malloc(ctx, size);
}

static void *
raw_calloc(void *ctx, size_t count, size_t element)
{
    return checked_calloc(ctx, count, element);
}

static void *
raw_realloc(void *ctx, void *block, size_t size)
{
    rh_debug_hook *hook = ctx;
    if (!block)
        return checked_malloc(hook, size);
    return checked_realloc(hook, &hook->inner, block, RH_DEBUG_LEAD, size);
}

static void
raw_free(void *ctx, void *block)
{
    rh_debug_hook *hook = ctx;
    if (block)
        checked_free(hook, &hook->inner, block, RH_DEBUG_LEAD);
    else
        atomic_fetch_add_explicit(&hook->idle_frees, 1, memory_order_relaxed);
}

static void
require_lock(const rh_debug_hook *hook, const char *function)
{
    const rh_debug_settings *settings = hook->settings;
    if (settings->may_call && !settings->may_call(settings->may_call_ctx))
        rh_debug_fatal(settings, function,
                       settings->lock_message ? settings->lock_message : lock_message);
}

static void *
locked_malloc(void *ctx, size_t size)
{
    require_lock(ctx, "_PyMem_DebugMalloc");
    return raw_malloc(ctx, size);
}

static void *
locked_calloc(void *ctx, size_t count, size_t element)
{
    require_lock(ctx, "_PyMem_DebugCalloc");
    return raw_calloc(ctx, count, element);
}

static void *
locked_realloc(void *ctx, void *block, size_t size)
{
    require_lock(ctx, "_PyMem_DebugRealloc");
    return raw_realloc(ctx, block, size);
}

static void
locked_free(void *ctx, void *block)
{
    require_lock(ctx, "_PyMem_DebugFree");
    raw_free(ctx, block);
}

/* ---- the functions where addresses are numbers ---- */

static void *
unbacked_malloc(void *ctx, size_t size)
{
    rh_debug_hook *hook = ctx;
    if (!fits(hook->settings, RH_DEBUG_LEAD, size))
        return NULL;
    size_t total = size + rh_debug_overhead(hook->settings);
    void *block = hook->inner.malloc(hook->inner.ctx, total);
    return block ? number_out(hook, block, RH_DEBUG_LEAD) : NULL;
}

static void *
unbacked_calloc(void *ctx, size_t count, size_t element)
{
    rh_debug_hook *hook = ctx;
    size_t size;
    if (__builtin_mul_overflow(count, element, &size) || !fits(hook->settings, RH_DEBUG_LEAD, size))
        return NULL;
    size_t total = size + rh_debug_overhead(hook->settings);
    void *block = hook->inner.calloc(hook->inner.ctx, 1, total);
    return block ? number_out(hook, block, RH_DEBUG_LEAD) : NULL;
}

static void *
unbacked_realloc(void *ctx, void *block, size_t size)
{
    rh_debug_hook *hook = ctx;
    if (!block)
        return unbacked_malloc(hook, size);
    return unchecked_realloc(hook, &hook->inner, block, RH_DEBUG_LEAD, size);
}

static void
unbacked_free(void *ctx, void *block)
{
    rh_debug_hook *hook = ctx;
    if (block)
        unchecked_free(hook, &hook->inner, block, RH_DEBUG_LEAD);
}

/* ---- hooks ---- */

void
rh_debug_hook_init(rh_debug_hook *hook, PyMemAllocatorDomain domain, const PyMemAllocatorEx *inner,
                   rh_debug_settings *settings)
{
    memset(hook, 0, sizeof *hook);
    hook->letter = "rmo"[domain];
    hook->lock_rule = domain != PYMEM_DOMAIN_RAW;
    hook->shared = true;
    hook->inner = *inner;
    hook->settings = settings;
}

PyMemAllocatorEx
rh_debug_hook_functions(rh_debug_hook *hook)
{
    if (hook->settings->unbacked)
        return (PyMemAllocatorEx){hook, unbacked_malloc, unbacked_calloc, unbacked_realloc,
                                  unbacked_free};
    if (hook->lock_rule)
        return (PyMemAllocatorEx){hook, locked_malloc, locked_calloc, locked_realloc, locked_free};
    return (PyMemAllocatorEx){hook, raw_malloc, raw_calloc, raw_realloc, raw_free};
}

rh_debug_hook *
rh_debug_hook_of(const PyMemAllocatorEx *functions)
{
    if (functions->malloc == raw_malloc || functions->malloc == locked_malloc ||
        functions->malloc == unbacked_malloc)
        return functions->ctx;
    return NULL;
}
