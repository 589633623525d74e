/* What the project's own heaps say they hold, against the kernel's view of the same ranges.
 *
 * A random program is replayed by the memory pass. At every sample /proc/self/smaps is read: the
 * writable private ranges that were not there before the heap was opened are the heap's, since
 * nothing else in this process maps memory meanwhile (the C library is kept from it). Small tables
 * of a heap come from the C library, in ranges that are not the heap's alone; this test stands
 * between the two (the linker's --wrap) and knows them to the byte. Both together are the heap's
 * mapped_bytes, exactly, at every sample. (The handles of bestfit and of layers, less than 16 KiB
 * from their opening to their closing, are the harness's rather than the heap's, and counted
 * nowhere; pymalloc and bump have none. Nor is the table in which `debug` remembers where aligned
 * blocks begin, which CPython's hooks lack, so that layer gets none of those.) */
#define _GNU_SOURCE
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "replay/memory.h"
#include "tests/unit/replay/events.h"

enum { SLOTS = 2000, CALLS = 40000, SAMPLE_EVERY = 400, SAMPLES = CALLS / SAMPLE_EVERY + 60 };

/* ---- what the heap asks of the C library ---- */

enum { TABLES_MOST = 4096 };

static struct table {
    void *address;
    size_t bytes;
} tables[TABLES_MOST];

static bool counting;
static uint64_t table_bytes;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);

static void *
note(void *block, size_t bytes)
{
    size_t i = 0;
    if (!counting || !block)
        return block;
    while (tables[i].address)
        if (++i == TABLES_MOST)
            abort();
    tables[i] = (struct table){block, bytes};
    table_bytes += bytes;
    return block;
}

static void
forget(const void *block)
{
    for (size_t i = 0; block && i < TABLES_MOST; i++) {
        if (tables[i].address != block)
            continue;
        table_bytes -= tables[i].bytes;
        tables[i] = (struct table){NULL, 0};
        return;
    }
}

void *
__wrap_malloc(size_t size)
{
    return note(__real_malloc(size), size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return note(__real_calloc(count, size), count * size);
}

void *
__wrap_realloc(void *block, size_t size)
{
    forget(block);
    return note(__real_realloc(block, size), size);
}

void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return note(__real_aligned_alloc(alignment, size), size);
}

void
__wrap_free(void *block)
{
    forget(block);
    __real_free(block);
}

/* ---- the kernel's view ---- */

enum { RANGES_MOST = 8192, TEXT_BYTES = 16 << 20 };

typedef struct range_list {
    struct {
        uintptr_t from, to;
    } range[RANGES_MOST];
    size_t count;
} range_list;

static char text[TEXT_BYTES];
static range_list before;

/* The writable private ranges of this process without its stack and the C library's own heap, in
 * rising order; smaps repeats a range's size in its own words, which must agree. */
static void
read_ranges(range_list *list)
{
    int file = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
    size_t length = 0;
    ssize_t got;
    while ((got = read(file, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    close(file);
    assert_true(length < sizeof text - 1);
    text[length] = '\0';
    list->count = 0;
    uintptr_t from = 0, to = 0, size_kib;
    char mode[8], line_end[256];
    for (char *line = text, *next; line && *line; line = next ? next + 1 : NULL) {
        next = strchr(line, '\n');
        if (sscanf(line, "Size: %" SCNuPTR, &size_kib) == 1)
            assert_int_equal(size_kib * 1024, to - from);
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &from, &to, mode) != 3)
            continue;
        snprintf(line_end, sizeof line_end, "%.*s", (int)(next ? next - line : 0), line);
        if (mode[1] != 'w' || mode[3] != 'p' || strstr(line_end, "[heap]") ||
            strstr(line_end, "[stack]"))
            continue;
        assert_true(list->count < RANGES_MOST);
        list->range[list->count].from = from;
        list->range[list->count++].to = to;
    }
}

/* The bytes of `now` that were not there before. */
static uint64_t
new_bytes(const range_list *now)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < now->count; i++) {
        uintptr_t from = now->range[i].from, to = now->range[i].to;
        bytes += to - from;
        for (size_t j = 0; j < before.count; j++) {
            uintptr_t left = before.range[j].from > from ? before.range[j].from : from;
            uintptr_t right = before.range[j].to < to ? before.range[j].to : to;
            bytes -= left < right ? right - left : 0;
        }
    }
    return bytes;
}

/* ---- a pass ---- */

static rh_memory_slot slots[SLOTS];
static rh_sample samples[SAMPLES];
static rh_memory_totals totals;

enum { HANDLES_MOST = 16384 }; /* the layer `debug` has the buffers of its reports in it */

typedef struct onlooker {
    const char *spec;
    uint64_t samples;
    uint64_t handle_bytes; /* that the C library gave for handles */
} onlooker;

/* At the first sample, nothing but the opening has happened. */
static void
find_handles(onlooker *who, uint64_t all, uint64_t mapped)
{
    bool none =
        strstr(who->spec, "pymalloc") == who->spec || strstr(who->spec, "bump") == who->spec;
    if (strchr(who->spec, '+') || !none)
        who->handle_bytes = all - mapped;
    if (who->handle_bytes > HANDLES_MOST)
        fail_msg("%s: %" PRIu64 " bytes are in no count", who->spec, who->handle_bytes);
}

static void
look(void *ctx, const rh_sample *sample, bool last)
{
    static range_list now;
    (void)last;
    onlooker *who = ctx;
    read_ranges(&now);
    uint64_t kernel = new_bytes(&now), mapped = sample->counters.mapped_bytes;
    if (who->samples == 0)
        find_handles(who, kernel + table_bytes, mapped);
    if (kernel + table_bytes != mapped + who->handle_bytes)
        fail_msg("%s: says it holds %" PRIu64 " bytes at event %" PRIu64 ", the kernel %" PRIu64
                 " and the C library %" PRIu64 ": %" PRId64 " too many",
                 who->spec, mapped, sample->event, kernel, table_bytes,
                 (int64_t)(mapped + who->handle_bytes - kernel - table_bytes));
    who->samples++;
}

static void
play(const rh_test_events *events, const char *spec)
{
    static rh_code codes[512];
    static rh_wide wides[512];
    rh_heap *heap;
    rh_error error = {.message = ""};
    rh_compiler compiler = {
        .has_domains = 1, .sample_every = SAMPLE_EVERY, .next_sample = SAMPLE_EVERY};
    onlooker who = {.spec = spec};
    rh_memory_watch watch = {.ctx = &who, .sampled = look};
    memset(slots, 0, sizeof slots);
    memset(&totals, 0, sizeof totals);
    rh_memory memory = {.slots = slots,
                        .samples = samples,
                        .sample_capacity = SAMPLES,
                        .totals = &totals,
                        .zero_fits = true,
                        .touch = strstr(spec, "virtual") ? RH_TOUCH_NONE : RH_TOUCH_FIRST,
                        .watch = &watch};
    read_ranges(&before);
    counting = true;
    table_bytes = 0;
    memset(tables, 0, sizeof tables);
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        fail_msg("%s: %s", spec, error.message);
    rh_memory_begin(&memory, heap, (rh_memory_before){0});
    for (size_t done = 0; done < events->count;) {
        rh_program program = {
            .codes = codes, .wides = wides, .code_capacity = 512, .wide_capacity = 512};
        done += rh_compile(&compiler, events->event + done, events->count - done, &program);
        rh_memory_run(&memory, &program);
    }
    rh_memory_end(&memory, RH_UNKNOWN);
    assert_true(who.samples > CALLS / SAMPLE_EVERY);
    assert_int_equal(totals.failed_allocations, 0);
    rh_heap_close(heap);
    counting = false;
    static range_list after;
    read_ranges(&after);
    if (new_bytes(&after) || table_bytes)
        fail_msg("%s: keeps %" PRIu64 " bytes of the kernel and %" PRIu64 " of the C library", spec,
                 new_bytes(&after), table_bytes);
}

static void
mapped_is_what_the_kernel_sees(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "pymalloc",
        "pymalloc@3.7",
        "pymalloc@3.9",
        "pymalloc@3.13",
        "pymalloc,arena=4M,pool=64K,policy=lowest-address",
        "pymalloc,arena=64K,pool=8K,align=8,small=300,policy=least-full",
        "pymalloc,keep=8,policy=most-recent",
        "pymalloc,classes=geometric:2",
        "pymalloc,source=cached,cache=4,arena=64K",
        "pymalloc,source=malloc",
        "pymalloc,source=huge",
        "pymalloc,metadata=side,arena=128K",
        "bestfit",
        "bump,window=2G",
        "pymalloc,arena=256K+freelist",
        "pymalloc+trace",
        "pymalloc+debug+trace,frames=3,stack=return",
        "bestfit+freelist,max=20+count",
    };
    rh_test_events events = {0}, unaligned = {0};
    rh_test_events_random(&events, 11, CALLS, SLOTS);
    for (size_t i = 0; i < events.count; i++) {
        rh_event event = events.event[i];
        if (event.operation == RH_ALIGNED)
            event.operation = RH_MALLOC;
        rh_test_events_add(&unaligned, event);
    }
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        play(strstr(specs[i], "+debug") ? &unaligned : &events, specs[i]);
    rh_test_events_release(&events);
    rh_test_events_release(&unaligned);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mapped_is_what_the_kernel_sees)};
    void *frame;
    backtrace(&frame, 1); /* loads a library the first time */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
