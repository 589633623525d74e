/* Bytes are operations on the documented functions: whatever sequence they are, every block keeps
 * its contents, the heap behind them stays sound, what is traced is what lives, and at the end
 * nothing is left.
 *
 * Requests of all sizes in the three domains, hooks put and taken (some refuse), the debug hooks,
 * tracing, the source of arenas exchanged (one refuses, one gives unaligned arenas). What the
 * program does is correct, so nothing may end it.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "alloc/counters.h"
#include "alloc/heap.h"
#include "alloc/pymem.h"
#include "alloc/pymem_domains.h"
#include "alloc/pymem_trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    LIVE_MAX = 2048,
    HOOKS_MAX = 6,
    DOMAINS = 3,
    MARKERS = 16,
    ARENAS_MAX = 512,
    ARENA_ROOM = 65536
};

typedef struct input {
    const uint8_t *next, *end;
} input;

typedef struct live_block {
    unsigned char *address;
    size_t size;
    PyMemAllocatorDomain domain;
    unsigned char mark;
    bool traced;
} live_block;

typedef struct hook {
    PyMemAllocatorEx below;
    unsigned refuse_every, requests;
} hook;

typedef struct session {
    live_block live[LIVE_MAX];
    size_t live_count;
    hook hooks[DOMAINS][HOOKS_MAX];
    unsigned hook_count[DOMAINS];
    bool debug, tracing, debug_over_tracing;
    size_t marked[MARKERS]; /* sizes noted by hand, SIZE_MAX: none */
} session;

static void
require_at(bool condition, int line)
{
    if (condition)
        return;
    fprintf(stderr, "%s:%d: not so\n", __FILE__, line);
    abort();
}

#define require(condition) require_at((condition), __LINE__)

static uint8_t
byte_of(input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

/* ---- the public functions ---- */

static void *
call_malloc(PyMemAllocatorDomain domain, size_t size)
{
    switch (domain) {
    case PYMEM_DOMAIN_RAW:
        return PyMem_RawMalloc(size);
    case PYMEM_DOMAIN_MEM:
        return PyMem_Malloc(size);
    default:
        return PyObject_Malloc(size);
    }
}

static void *
call_calloc(PyMemAllocatorDomain domain, size_t nelem, size_t elsize)
{
    switch (domain) {
    case PYMEM_DOMAIN_RAW:
        return PyMem_RawCalloc(nelem, elsize);
    case PYMEM_DOMAIN_MEM:
        return PyMem_Calloc(nelem, elsize);
    default:
        return PyObject_Calloc(nelem, elsize);
    }
}

static void *
call_realloc(PyMemAllocatorDomain domain, void *block, size_t size)
{
    switch (domain) {
    case PYMEM_DOMAIN_RAW:
        return PyMem_RawRealloc(block, size);
    case PYMEM_DOMAIN_MEM:
        return PyMem_Realloc(block, size);
    default:
        return PyObject_Realloc(block, size);
    }
}

static void
call_free(PyMemAllocatorDomain domain, void *block)
{
    switch (domain) {
    case PYMEM_DOMAIN_RAW:
        PyMem_RawFree(block);
        break;
    case PYMEM_DOMAIN_MEM:
        PyMem_Free(block);
        break;
    default:
        PyObject_Free(block);
    }
}

/* ---- hooks ---- */

static bool
is_refused(hook *h)
{
    return h->refuse_every && ++h->requests % h->refuse_every == 0;
}

static void *
hook_malloc(void *ctx, size_t size)
{
    hook *h = ctx;
    require(size <= (size_t)PY_SSIZE_T_MAX);
    return is_refused(h) ? NULL : h->below.malloc(h->below.ctx, size);
}

static void *
hook_calloc(void *ctx, size_t nelem, size_t elsize)
{
    hook *h = ctx;
    require(elsize == 0 || nelem <= (size_t)PY_SSIZE_T_MAX / elsize);
    return is_refused(h) ? NULL : h->below.calloc(h->below.ctx, nelem, elsize);
}

static void *
hook_realloc(void *ctx, void *block, size_t size)
{
    hook *h = ctx;
    require(size <= (size_t)PY_SSIZE_T_MAX);
    return is_refused(h) ? NULL : h->below.realloc(h->below.ctx, block, size);
}

static void
hook_free(void *ctx, void *block)
{
    hook *h = ctx;
    h->below.free(h->below.ctx, block);
}

static void
put_hook(session *s, PyMemAllocatorDomain domain, unsigned refuse_every)
{
    if (s->hook_count[domain] == HOOKS_MAX)
        return;
    hook *h = &s->hooks[domain][s->hook_count[domain]++];
    *h = (hook){.refuse_every = refuse_every};
    PyMem_GetAllocator(domain, &h->below);
    PyMemAllocatorEx allocator = {h, hook_malloc, hook_calloc, hook_realloc, hook_free};
    PyMem_SetAllocator(domain, &allocator);
}

/* Only what stands on top can be taken away. */
static void
take_hook(session *s, PyMemAllocatorDomain domain)
{
    PyMemAllocatorEx now;
    if (s->hook_count[domain] == 0)
        return;
    hook *h = &s->hooks[domain][s->hook_count[domain] - 1];
    PyMem_GetAllocator(domain, &now);
    if (now.ctx != h)
        return;
    PyMem_SetAllocator(domain, &h->below);
    s->hook_count[domain]--;
}

/* ---- arenas ---- */

/* Two sources over the library's own, which give each other's arenas back. */
static PyObjectArenaAllocator own_arenas;

static struct {
    void *arena, *memory;
    size_t size;
} arenas[ARENAS_MAX];

static struct source {
    unsigned refuse_every, requests;
    size_t offset;
} sources[2];

static void *
source_alloc(void *ctx, size_t size)
{
    struct source *source = ctx;
    if (source->refuse_every && ++source->requests % source->refuse_every == 0)
        return NULL;
    for (size_t i = 0; i < ARENAS_MAX; i++) {
        if (arenas[i].memory)
            continue;
        void *memory = mmap(NULL, size + 2 * ARENA_ROOM, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return NULL;
        arenas[i].memory = memory;
        arenas[i].size = size;
        arenas[i].arena =
            (void *)((((uintptr_t)memory + ARENA_ROOM - 1) & ~(uintptr_t)(ARENA_ROOM - 1)) +
                     source->offset);
        return arenas[i].arena;
    }
    return NULL;
}

static void
source_free(void *ctx, void *arena, size_t size)
{
    (void)ctx;
    for (size_t i = 0; i < ARENAS_MAX; i++) {
        if (!arenas[i].memory || arenas[i].arena != arena)
            continue;
        require(arenas[i].size == size);
        munmap(arenas[i].memory, size + 2 * ARENA_ROOM);
        arenas[i].memory = NULL;
        return;
    }
    own_arenas.free(own_arenas.ctx, arena, size); /* it was there before */
}

static void
exchange_arenas(uint8_t how)
{
    static const unsigned refusals[] = {0, 1, 2, 5};
    struct source *source = &sources[how & 1];
    *source = (struct source){.refuse_every = refusals[(how >> 1) & 3],
                              .offset = (how >> 3) % 8 * (size_t)4096};
    PyObjectArenaAllocator mine = {source, source_alloc, source_free}, now;
    PyObject_SetArenaAllocator(&mine);
    PyObject_GetArenaAllocator(&now);
    require(now.ctx == mine.ctx && now.alloc == mine.alloc && now.free == mine.free);
}

/* ---- blocks ---- */

static void
require_mark(const live_block *block, size_t size)
{
    const unsigned char *bytes = block->address;
    require(size == 0 || (bytes[0] == block->mark && memcmp(bytes, bytes + 1, size - 1) == 0));
}

static void
fill(live_block *block, uint8_t mark)
{
    block->mark = mark;
    memset(block->address, mark, block->size);
}

static size_t
read_size(input *in)
{
    uint8_t kind = byte_of(in), value = byte_of(in);
    switch (kind % 8) {
    case 0:
        return value % 4;
    case 1:
        return value * 4u;
    case 2: /* at the limits of classes, with the debug hooks' bytes and without */
        return value % 33 * 16u + value % 3 + (kind & 8 ? 0 : 8);
    case 3:
        return kind & 64 ? value * 600u : value * 40u;
    default:
        return value * 2u + (kind >> 7);
    }
}

static size_t
read_impossible_size(input *in)
{
    static const size_t sizes[] = {SIZE_MAX,
                                   SIZE_MAX - 24,
                                   (size_t)PY_SSIZE_T_MAX + 1,
                                   (size_t)PY_SSIZE_T_MAX,
                                   (size_t)PY_SSIZE_T_MAX - 23,
                                   (size_t)PY_SSIZE_T_MAX - 24,
                                   (size_t)PY_SSIZE_T_MAX - 32,
                                   (size_t)1 << 62};
    return sizes[byte_of(in) % 8];
}

static void
give(session *s, input *in, uint8_t how)
{
    PyMemAllocatorDomain domain = (PyMemAllocatorDomain)(how % DOMAINS);
    size_t size = read_size(in), count = how / DOMAINS % 4 + 1;
    if (how / DOMAINS % 16 == 0 && size < 2000)
        count = 64;
    for (size_t i = 0; i < count && s->live_count < LIVE_MAX; i++) {
        live_block *block = &s->live[s->live_count];
        *block = (live_block){.size = size, .domain = domain, .traced = s->tracing};
        if (how & 128)
            block->address = call_calloc(domain, 1 + i % 2, size);
        else if (how & 64)
            block->address = call_realloc(domain, NULL, size);
        else
            block->address = call_malloc(domain, size);
        if (!block->address)
            continue;
        s->live_count++;
        if (how & 128) {
            block->size = (1 + i % 2) * size;
            require_mark(block, block->size);
        }
        fill(block, (uint8_t)(how + i));
    }
}

static void
take(session *s, size_t at)
{
    live_block block = s->live[at];
    s->live[at] = s->live[--s->live_count];
    require_mark(&block, block.size);
    call_free(block.domain, block.address);
}

static void
resize(session *s, size_t at, size_t size)
{
    live_block *block = &s->live[at];
    unsigned char *moved = call_realloc(block->domain, block->address, size);
    if (!moved) {
        require_mark(block, block->size);
        return;
    }
    block->address = moved;
    require_mark(block, size < block->size ? size : block->size);
    block->size = size;
    block->traced = s->tracing;
    fill(block, (uint8_t)(block->mark + 1));
}

static void
ask_the_impossible(session *s, input *in, size_t at)
{
    size_t size = read_impossible_size(in);
    PyMemAllocatorDomain domain = (PyMemAllocatorDomain)(size % DOMAINS);
    require(!call_malloc(domain, size));
    require(!call_calloc(domain, 1, size));
    require(!call_calloc(domain, size, 3));
    require(!call_realloc(domain, NULL, size));
    if (s->live_count) {
        live_block *block = &s->live[at];
        require(!call_realloc(block->domain, block->address, size));
        require_mark(block, block->size);
    }
    call_free(domain, NULL);
}

static void
take_all(session *s)
{
    while (s->live_count)
        take(s, s->live_count - 1);
}

/* ---- debug hooks and tracing ---- */

static PyMemAllocatorEx plain[DOMAINS];

/* Blocks without decoration are not for the hooks to free; a second time changes nothing. */
static void
set_up_debug_hooks(session *s)
{
    if (!s->debug) {
        take_all(s);
        s->debug_over_tracing = s->tracing;
    }
    PyMem_SetupDebugHooks();
    s->debug = true;
}

static void
start_tracing(session *s)
{
    if (s->tracing || rh_pymem_trace_start(1 + (long)s->live_count % 5, NULL) != RH_OK)
        return;
    s->tracing = true;
    for (size_t i = 0; i < s->live_count; i++)
        s->live[i].traced = false;
}

/* Back to how it began. */
static void
reset(session *s)
{
    take_all(s);
    rh_pymem_trace_stop();
    for (int i = 0; i < DOMAINS; i++) {
        PyMem_SetAllocator((PyMemAllocatorDomain)i, &plain[i]);
        s->hook_count[i] = 0;
    }
    s->debug = s->tracing = s->debug_over_tracing = false;
    for (int i = 0; i < MARKERS; i++)
        s->marked[i] = SIZE_MAX;
}

/* Notes and forgets by hand, in a domain of its own. */
static void
note_by_hand(session *s, input *in, uint8_t how)
{
    unsigned marker = how / 2 % MARKERS;
    size_t size = byte_of(in) * 100u;
    if (how & 1) {
        int status = PyTraceMalloc_Track(7, marker, size);
        require(status == (s->tracing ? 0 : -2));
        s->marked[marker] = s->tracing ? size : SIZE_MAX;
    } else {
        require(PyTraceMalloc_Untrack(7, marker) == (s->tracing ? 0 : -2));
        s->marked[marker] = SIZE_MAX;
    }
}

static void
check_traced(const session *s)
{
    size_t traced, peak, expected = 0;
    rh_pymem_trace_get_traced(&traced, &peak);
    require(peak >= traced);
    for (int i = 0; i < MARKERS; i++)
        if (s->tracing && s->marked[i] != SIZE_MAX)
            expected += s->marked[i];
    for (size_t i = 0; i < s->live_count; i++)
        if (s->tracing && s->live[i].traced)
            expected += s->live[i].size + (s->debug_over_tracing ? 24 : 0);
    require(traced == expected);
}

static void
check(const session *s)
{
    rh_error error;
    require(rh_heap_check(rh_domains_heap(), &error) == RH_OK);
    check_traced(s);
    for (size_t i = 0; i < s->live_count; i++)
        require_mark(&s->live[i], s->live[i].size);
}

static void
print_statistics(const session *s)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    require(out != NULL);
    bool printed = _PyObject_DebugMallocStats(out);
    fclose(out);
    require(printed == (length > 0));
    require(!printed || strstr(text, "Small block threshold = 512, in 32 size classes."));
    require(printed || s->hook_count[PYMEM_DOMAIN_OBJ] || s->tracing);
    free(text);
}

/* ---- the input ---- */

static void
operate(session *s, input *in)
{
    while (in->next < in->end) {
        uint8_t what = byte_of(in), how = byte_of(in);
        size_t at = s->live_count ? how * 31u % s->live_count : 0;
        switch (what % 20) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            give(s, in, how);
            break;
        case 5:
        case 6:
        case 7:
            for (unsigned i = 0; i <= what && s->live_count; i++)
                take(s, (at + i) % s->live_count);
            break;
        case 8:
        case 9:
        case 10:
            if (s->live_count)
                resize(s, at, read_size(in));
            break;
        case 11:
            ask_the_impossible(s, in, at);
            break;
        case 12:
            put_hook(s, (PyMemAllocatorDomain)(how % DOMAINS), how & 128 ? how / DOMAINS % 16 : 0);
            break;
        case 13:
            take_hook(s, (PyMemAllocatorDomain)(how % DOMAINS));
            break;
        case 14:
            if (how & 1)
                set_up_debug_hooks(s);
            else if (how & 2)
                reset(s);
            break;
        case 15:
            start_tracing(s);
            break;
        case 16:
            exchange_arenas(how);
            break;
        case 17:
            note_by_hand(s, in, how);
            break;
        case 18:
            print_statistics(s);
            break;
        default:
            check(s);
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static session s;
    static bool begun;
    if (!begun) {
        PyObject_GetArenaAllocator(&own_arenas);
        for (int i = 0; i < DOMAINS; i++)
            PyMem_GetAllocator((PyMemAllocatorDomain)i, &plain[i]);
        begun = true;
    }
    input in = {data, data + size};
    reset(&s);
    exchange_arenas(0);
    operate(&s, &in);
    check(&s);
    reset(&s);
    check(&s);
    rh_counters counters;
    rh_heap_snapshot(rh_domains_heap(), &counters);
    require(counters.live_blocks == 0);
    return 0;
}
