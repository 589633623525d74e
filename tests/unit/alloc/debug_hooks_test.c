/* The hooks over an allocator that keeps an account: bytes, checks, reports. What ends the process
 * happens in a child, whose report is compared with what CPython 3.11 printed. */
#define _GNU_SOURCE
#include "alloc/debug_hooks.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the allocator below ---- */

typedef struct below {
    unsigned char *last;      /* given out last */
    size_t last_size;         /* and what was asked for */
    unsigned frees, fails;    /* fails: so many requests are refused */
    unsigned char seen[4096]; /* the block as realloc or free found it */
} below;

static void *
below_malloc(void *ctx, size_t size)
{
    below *self = ctx;
    if (self->fails) {
        self->fails--;
        return NULL;
    }
    self->last = malloc(size);
    self->last_size = size;
    memset(self->last, 0x11, size);
    return self->last;
}

static void *
below_calloc(void *ctx, size_t count, size_t size)
{
    unsigned char *block = below_malloc(ctx, count * size);
    return block ? memset(block, 0, count * size) : NULL;
}

static size_t
look(below *self, void *block)
{
    size_t bytes = malloc_usable_size(block);
    memcpy(self->seen, block, bytes < sizeof self->seen ? bytes : sizeof self->seen);
    return bytes;
}

static void *
below_realloc(void *ctx, void *block, size_t size)
{
    below *self = ctx;
    size_t had = look(self, block);
    if (self->fails) {
        self->fails--;
        return NULL;
    }
    unsigned char *moved = malloc(size);
    memset(moved, 0x11, size);
    memcpy(moved, block, size < had ? size : had);
    free(block);
    self->last = moved;
    self->last_size = size;
    return moved;
}

static void
below_free(void *ctx, void *block)
{
    below *self = ctx;
    if (block)
        look(self, block);
    self->frees++;
    free(block);
}

typedef struct bench {
    below below;
    rh_debug_settings settings;
    rh_debug_hook hook[3];
    PyMemAllocatorEx domain[3];
} bench;

static bench *
open_bench(bool serial)
{
    bench *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->settings.fill = rh_debug_fill_new;
    self->settings.serial = serial;
    const PyMemAllocatorEx inner = {&self->below, below_malloc, below_calloc, below_realloc,
                                    below_free};
    for (int i = 0; i < 3; i++) {
        rh_debug_hook_init(&self->hook[i], (PyMemAllocatorDomain)i, &inner, &self->settings);
        self->domain[i] = rh_debug_hook_functions(&self->hook[i]);
    }
    return self;
}

static unsigned char *
take(bench *self, int domain, size_t size)
{
    unsigned char *p = self->domain[domain].malloc(self->domain[domain].ctx, size);
    assert_non_null(p);
    return p;
}

static void
give(bench *self, int domain, void *p)
{
    self->domain[domain].free(self->domain[domain].ctx, p);
}

static void *
resize(bench *self, int domain, void *p, size_t size)
{
    return self->domain[domain].realloc(self->domain[domain].ctx, p, size);
}

static void
assert_bytes(const unsigned char *bytes, const char *expected)
{
    for (size_t i = 0; *expected; expected += 2 + (expected[2] == ' '), i++) {
        unsigned value = (unsigned)strtoul((char[]){expected[0], expected[1], 0}, NULL, 16);
        if (bytes[i] != value)
            fail_msg("byte %zu is %02x, not %02x", i, bytes[i], value);
    }
}

static void
assert_filled(const unsigned char *bytes, size_t count, unsigned char value)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != value)
            fail_msg("byte %zu of %zu is %02x, not %02x", i, count, bytes[i], value);
}

/* ---- layout ---- */

static void
blocks_are_laid_out_as_by_cpython(void **state)
{
    (void)state;
    bench *self = open_bench(false);
    unsigned char *p = take(self, PYMEM_DOMAIN_MEM, 10);
    assert_int_equal(self->below.last_size, 34);
    assert_ptr_equal(p, self->below.last + 16);
    assert_bytes(p - 16, "00 00 00 00 00 00 00 0a 6d fd fd fd fd fd fd fd "
                         "cd cd cd cd cd cd cd cd cd cd fd fd fd fd fd fd fd fd");
    give(self, PYMEM_DOMAIN_MEM, p);
    assert_filled(self->below.seen, 34, 0xdd);

    p = take(self, PYMEM_DOMAIN_RAW, 0);
    assert_bytes(p - 16, "00 00 00 00 00 00 00 00 72 fd fd fd fd fd fd fd "
                         "fd fd fd fd fd fd fd fd");
    give(self, PYMEM_DOMAIN_RAW, p);

    const PyMemAllocatorEx *raw = &self->domain[PYMEM_DOMAIN_RAW];
    p = raw->calloc(raw->ctx, 2, 3);
    assert_bytes(p - 16, "00 00 00 00 00 00 00 06 72 fd fd fd fd fd fd fd "
                         "00 00 00 00 00 00 fd fd fd fd fd fd fd fd");
    p = resize(self, PYMEM_DOMAIN_RAW, p, 8);
    assert_bytes(p - 16, "00 00 00 00 00 00 00 08 72 fd fd fd fd fd fd fd "
                         "00 00 00 00 00 00 cd cd fd fd fd fd fd fd fd fd");
    give(self, PYMEM_DOMAIN_RAW, p);

    p = resize(self, PYMEM_DOMAIN_OBJ, NULL, 5);
    assert_bytes(p - 16, "00 00 00 00 00 00 00 05 6f fd fd fd fd fd fd fd "
                         "cd cd cd cd cd fd fd fd fd fd fd fd fd");
    give(self, PYMEM_DOMAIN_OBJ, p);
    give(self, PYMEM_DOMAIN_OBJ, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rh_debug_live(&self->hook[i]), 0);
    free(self);
}

static void
serial_numbers_stand_behind(void **state)
{
    (void)state;
    bench *self = open_bench(true);
    unsigned char *first = take(self, PYMEM_DOMAIN_MEM, 1), *second = take(self, 2, 2);
    assert_int_equal(self->below.last_size, 34);
    assert_bytes(first + 1, "fd fd fd fd fd fd fd fd 00 00 00 00 00 00 00 01");
    assert_bytes(second + 2, "fd fd fd fd fd fd fd fd 00 00 00 00 00 00 00 02");
    first = resize(self, PYMEM_DOMAIN_MEM, first, 3);
    assert_bytes(first + 3, "fd fd fd fd fd fd fd fd 00 00 00 00 00 00 00 03");
    self->below.fails = 1;
    assert_null(resize(self, PYMEM_DOMAIN_OBJ, second, 300));
    assert_bytes(second + 2, "fd fd fd fd fd fd fd fd 00 00 00 00 00 00 00 02");
    give(self, PYMEM_DOMAIN_MEM, first);
    give(self, PYMEM_DOMAIN_OBJ, second);
    free(self);
}

static void
older_versions_fill_with_other_bytes(void **state)
{
    (void)state;
    bench *self = open_bench(false);
    self->settings.fill = rh_debug_fill_old;
    unsigned char *p = take(self, PYMEM_DOMAIN_OBJ, 2);
    assert_bytes(p - 8, "6f fb fb fb fb fb fb fb cb cb fb fb fb fb fb fb fb fb");
    give(self, PYMEM_DOMAIN_OBJ, p);
    assert_filled(self->below.seen, 26, 0xdb);
    free(self);
}

static void
sizes_that_leave_no_room_are_refused(void **state)
{
    (void)state;
    bench *self = open_bench(false);
    const PyMemAllocatorEx *raw = &self->domain[PYMEM_DOMAIN_RAW];
    self->below.last_size = 12345;
    assert_null(raw->malloc(raw->ctx, PY_SSIZE_T_MAX));
    assert_null(raw->malloc(raw->ctx, PY_SSIZE_T_MAX - 23));
    assert_null(raw->malloc(raw->ctx, SIZE_MAX - 8));
    assert_null(raw->calloc(raw->ctx, SIZE_MAX / 2, 3));
    assert_null(raw->calloc(raw->ctx, 1, PY_SSIZE_T_MAX - 23));
    assert_int_equal(self->below.last_size, 12345); /* the allocator below saw none of them */
    unsigned char *p = take(self, PYMEM_DOMAIN_RAW, 7);
    memset(p, 7, 7);
    assert_null(resize(self, PYMEM_DOMAIN_RAW, p, PY_SSIZE_T_MAX - 23));
    assert_filled(p, 7, 7);
    give(self, PYMEM_DOMAIN_RAW, p);
    free(self);
}

/* ---- realloc ---- */

/* From every size to every other: what it leaves behind is dead, what it keeps is as it was. */
static void
resize_once(bench *self, size_t from, size_t to, bool fails)
{
    static unsigned char pattern[600];
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)(i * 7 + 3);
    unsigned char *p = take(self, PYMEM_DOMAIN_OBJ, from);
    memcpy(p, pattern, from);
    self->below.fails = fails;
    unsigned char *now = resize(self, PYMEM_DOMAIN_OBJ, p, to);
    size_t whole = from <= 128 ? from : 64, total = from + 24;
    assert_filled(self->below.seen, 16 + whole, 0xdd);
    assert_filled(self->below.seen + total - 8 - whole, whole + 8, 0xdd);
    if (from > 128)
        assert_memory_equal(self->below.seen + 80, pattern + 64, from - 128);
    if (fails) {
        assert_null(now);
        now = p;
        to = from;
    }
    size_t kept = from < to ? from : to;
    assert_memory_equal(now, pattern, kept);
    assert_filled(now + kept, to - kept, 0xcd);
    assert_int_equal(rh_debug_requested(now), to);
    assert_null(rh_debug_inspect(&self->hook[PYMEM_DOMAIN_OBJ], now, to + 8));
    give(self, PYMEM_DOMAIN_OBJ, now);
}

static void
realloc_erases_and_restores(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 16, 63, 64, 65, 127, 128, 129, 130, 191, 192, 193, 500};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    bench *self = open_bench(false);
    for (size_t i = 0; i < SIZES; i++)
        for (size_t j = 0; j < SIZES; j++)
            for (int fails = 0; fails < 2; fails++)
                resize_once(self, sizes[i], sizes[j], fails);
    assert_int_equal(rh_debug_live(&self->hook[PYMEM_DOMAIN_OBJ]), 0);
    free(self);
}

static void
refused_requests_change_nothing(void **state)
{
    (void)state;
    bench *self = open_bench(false);
    self->below.fails = 3;
    const PyMemAllocatorEx *mem = &self->domain[PYMEM_DOMAIN_MEM];
    assert_null(mem->malloc(mem->ctx, 1));
    assert_null(mem->calloc(mem->ctx, 1, 1));
    assert_null(mem->realloc(mem->ctx, NULL, 1));
    assert_int_equal(rh_debug_live(&self->hook[PYMEM_DOMAIN_MEM]), 0);
    free(self);
}

/* Others may look at an object's header at any time: nobody writes it but its owner. */
static void
headers_of_objects_are_spared_without_a_lock(void **state)
{
    (void)state;
    bench *self = open_bench(false);
    self->settings.free_threaded = true;
    unsigned char *p = take(self, PYMEM_DOMAIN_OBJ, 40), *mem = take(self, PYMEM_DOMAIN_MEM, 40);
    assert_filled(p, 24, 0x11); /* as the allocator below gave it */
    assert_filled(p + 24, 16, 0xcd);
    assert_filled(mem, 40, 0xcd);
    memset(p, 0x22, 40);
    p = resize(self, PYMEM_DOMAIN_OBJ, p, 50);
    assert_filled(self->below.seen + 16, 40, 0x22); /* never erased */
    assert_filled(p, 40, 0x22);
    assert_filled(p + 40, 10, 0xcd);
    give(self, PYMEM_DOMAIN_OBJ, p);
    assert_filled(self->below.seen, 16, 0xdd);
    assert_filled(self->below.seen + 16, 24, 0x22);
    assert_filled(self->below.seen + 40, 34, 0xdd);
    give(self, PYMEM_DOMAIN_MEM, mem);
    assert_filled(self->below.seen, 64, 0xdd);
    unsigned char *tiny = take(self, PYMEM_DOMAIN_OBJ, 24);
    assert_filled(tiny, 24, 0x11);
    give(self, PYMEM_DOMAIN_OBJ, tiny);
    free(self);
}

/* ---- reports ---- */

typedef void crime(bench *self);

/* Runs it in a child; its report, addresses replaced by P and what lies behind it by P+n, is in
 * `text`. */
static void
run_crime(bench *self, crime *commit, char *text, size_t capacity)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        self->settings.report = file;
        if (freopen("/dev/null", "w", stderr))
            commit(self);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    rewind(file);
    size_t length = fread(text, 1, capacity - 1, file);
    for (size_t i = 0; i < length; i++) /* the ID of a block that was freed may be anything */
        text[i] = text[i] ? text[i] : '?';
    text[length] = '\0';
    fclose(file);
}

/* 0x… of eight digits and more become addresses relative to the first. */
static void
mask_addresses(char *text)
{
    uintptr_t first = 0;
    char *to = text;
    for (const char *from = text; *from;) {
        char *end;
        uintptr_t address = strncmp(from, "0x", 2) == 0 ? strtoull(from, &end, 16) : 0;
        if (address < 0x10000) {
            *to++ = *from++;
            continue;
        }
        if (!first)
            first = address;
        to += sprintf(to, "P+%zu", (size_t)(address - first));
        from = end;
    }
    *to = '\0';
}

static void
assert_report(crime *commit, const char *expected)
{
    static char text[16384];
    bench *self = open_bench(false);
    run_crime(self, commit, text, sizeof text);
    mask_addresses(text);
    assert_string_equal(text, expected);
    free(self);
}

static void
overrun(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_MEM, 16);
    p[16] = 'x';
    give(self, PYMEM_DOMAIN_MEM, p);
}

static void
underrun(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_MEM, 16);
    p[-1] = 'x';
    give(self, PYMEM_DOMAIN_MEM, p);
}

static void
wrong_family(bench *self)
{
    give(self, PYMEM_DOMAIN_RAW, take(self, PYMEM_DOMAIN_MEM, 16));
}

static void
two_bytes_behind(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_OBJ, 40);
    p[40] = p[47] = 0;
    give(self, PYMEM_DOMAIN_OBJ, p);
}

static void
found_by_realloc(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_RAW, 16);
    p[16] = 1;
    resize(self, PYMEM_DOMAIN_RAW, p, 100);
}

static void
behind_nothing(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_RAW, 0);
    p[0] = 1;
    give(self, PYMEM_DOMAIN_RAW, p);
}

#define DATA_16 "    Data at p: cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd\n\n"
#define OFF     "Enable tracemalloc to get the memory block allocation traceback\n\n"
#define END(function, message)                                                                     \
    OFF "Fatal Python error: " function ": " message "\nPython runtime state: unknown\n\n"
#define FREE     "_PyMem_DebugRawFree"
#define LEAD_OK  "    The 7 pad bytes at p-7 are FORBIDDENBYTE, as expected.\n"
#define TAIL(at) "    The 8 pad bytes at tail=P+" at " are "
#define BYTES(a, b)                                                                                \
    "not all FORBIDDENBYTE (0xfd):\n"                                                              \
    "        at tail+0: " a "\n"                                                                   \
    "        at tail+1: 0xfd\n        at tail+2: 0xfd\n        at tail+3: 0xfd\n"                  \
    "        at tail+4: 0xfd\n        at tail+5: 0xfd\n        at tail+6: 0xfd\n"                  \
    "        at tail+7: " b "\n"

static void
reports_are_cpythons(void **state)
{
    (void)state;
    assert_report(overrun,
                  "Debug memory block at address p=P+0: API 'm'\n"
                  "    16 bytes originally requested\n" LEAD_OK TAIL("16")
                      BYTES("0x78 *** OUCH", "0xfd") DATA_16 END(FREE, "bad trailing pad byte"));
    assert_report(
        underrun,
        "Debug memory block at address p=P+0: API 'm'\n"
        "    16 bytes originally requested\n"
        "    The 7 pad bytes at p-7 are not all FORBIDDENBYTE (0xfd):\n"
        "        at p-7: 0xfd\n        at p-6: 0xfd\n        at p-5: 0xfd\n"
        "        at p-4: 0xfd\n        at p-3: 0xfd\n        at p-2: 0xfd\n"
        "        at p-1: 0x78 *** OUCH\n"
        "    Because memory is corrupted at the start, the count of bytes requested\n"
        "       may be bogus, and checking the trailing pad bytes may segfault.\n" TAIL(
            "16") "FORBIDDENBYTE, as expected.\n" DATA_16 END(FREE, "bad leading pad byte"));
    assert_report(wrong_family,
                  "Debug memory block at address p=P+0: API 'm'\n"
                  "    16 bytes originally requested\n" LEAD_OK
                      TAIL("16") "FORBIDDENBYTE, as expected.\n" DATA_16 END(
                          FREE, "bad ID: Allocated using API 'm', verified using API 'r'"));
    assert_report(two_bytes_behind,
                  "Debug memory block at address p=P+0: API 'o'\n"
                  "    40 bytes originally requested\n" LEAD_OK TAIL("40") BYTES(
                      "0x00 *** OUCH",
                      "0x00 *** OUCH") "    Data at p: cd cd cd cd cd cd cd cd ... cd cd cd cd cd "
                                       "cd cd cd\n\n" END(FREE, "bad trailing pad byte"));
    assert_report(found_by_realloc,
                  "Debug memory block at address p=P+0: API 'r'\n"
                  "    16 bytes originally requested\n" LEAD_OK TAIL("16")
                      BYTES("0x01 *** OUCH", "0xfd")
                          DATA_16 END("_PyMem_DebugRawRealloc", "bad trailing pad byte"));
    assert_report(behind_nothing,
                  "Debug memory block at address p=P+0: API 'r'\n"
                  "    0 bytes originally requested\n" LEAD_OK TAIL("0")
                      BYTES("0x01 *** OUCH", "0xfd") "\n" END(FREE, "bad trailing pad byte"));
}

/* ---- where CPython itself would fault ---- */

static void
contains(crime *commit, const char *first, const char *last)
{
    static char text[16384];
    bench *self = open_bench(false);
    run_crime(self, commit, text, sizeof text);
    if (!strstr(text, first))
        fail_msg("no \"%s\" in:\n%s", first, text);
    if (!strstr(text, last))
        fail_msg("no \"%s\" in:\n%s", last, text);
    free(self);
}

/* The next block's size field, hit by an overrun of the one before. */
static void
garbage_size(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_OBJ, 16);
    memset(p - 16, 0x6b, 8);
    give(self, PYMEM_DOMAIN_OBJ, p);
}

static void
large_size(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_OBJ, 16);
    p[-12] = 0x70; /* 1.75 TiB */
    resize(self, PYMEM_DOMAIN_OBJ, p, 20);
}

#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !defined(__SANITIZE_THREAD__) /* they keep freed memory, and watch it */
/* Mapped by itself, and given back at once when it is freed. */
static void
freed_twice_and_unmapped(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_RAW, 3000000);
    give(self, PYMEM_DOMAIN_RAW, p);
    give(self, PYMEM_DOMAIN_RAW, p);
}

static void
freed_twice(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_RAW, 10);
    give(self, PYMEM_DOMAIN_RAW, p);
    give(self, PYMEM_DOMAIN_RAW, p);
}

static void
resized_when_freed(bench *self)
{
    unsigned char *p = take(self, PYMEM_DOMAIN_RAW, 3000000);
    give(self, PYMEM_DOMAIN_RAW, p);
    resize(self, PYMEM_DOMAIN_RAW, p, 10);
}

#endif

static void
no_address(bench *self)
{
    give(self, PYMEM_DOMAIN_RAW, (void *)(uintptr_t)24);
}

/* A sound head whose data end where nothing is mapped. */
static void
beyond_the_last_page(bench *self)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *pages =
        mmap(NULL, 32 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + page, 31 * page, PROT_NONE) != 0)
        return;
    unsigned char *p = pages + page - 64;
    memcpy(p - 16, "\0\0\0\0\0\1\0\0o\xfd\xfd\xfd\xfd\xfd\xfd\xfd", 16);
    give(self, PYMEM_DOMAIN_OBJ, p);
}

static void
what_cannot_be_read_is_not_read(void **state)
{
    (void)state;
    const char *unreadable = "are not readable:\n        the count of bytes requested cannot be "
                             "believed.\n";
    contains(garbage_size, unreadable, "_PyMem_DebugRawFree: bad trailing pad byte\n");
    contains(large_size, unreadable, "_PyMem_DebugRawRealloc: bad trailing pad byte\n");
    contains(beyond_the_last_page, unreadable, "_PyMem_DebugRawFree: bad trailing pad byte\n");
    contains(no_address, "API unknown\n", "_PyMem_DebugRawFree: not a block of memory");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    contains(freed_twice_and_unmapped, "API unknown\n    The 16 bytes before p are not readable:",
             "_PyMem_DebugRawFree: not a block of memory: freed before?\n");
    contains(resized_when_freed, "API unknown\n", "_PyMem_DebugRawRealloc: not a block of memory");
    contains(freed_twice, "Debug memory block at address p=0x", "_PyMem_DebugRawFree: bad ID");
#endif
}

/* ---- what an embedding program sets ---- */

static bool
never(void *ctx)
{
    (void)ctx;
    return false;
}

static void
malloc_without_lock(bench *self)
{
    self->settings.may_call = never;
    take(self, PYMEM_DOMAIN_RAW, 1); /* RAW may always be called */
    take(self, PYMEM_DOMAIN_MEM, 1);
}

static void
calloc_without_lock(bench *self)
{
    self->settings.may_call = never;
    self->settings.lock_message = "not now";
    const PyMemAllocatorEx *object = &self->domain[PYMEM_DOMAIN_OBJ];
    object->calloc(object->ctx, 1, 1);
}

static void
realloc_without_lock(bench *self)
{
    self->settings.may_call = never;
    resize(self, PYMEM_DOMAIN_MEM, NULL, 1);
}

static const char *
initialized(void *ctx)
{
    (void)ctx;
    return "initialized";
}

static void
free_without_lock(bench *self)
{
    self->settings.may_call = never;
    self->settings.runtime_state = initialized;
    give(self, PYMEM_DOMAIN_OBJ, NULL);
}

#define NO_LOCK "Python memory allocator called without holding the GIL"

static void
the_lock_is_asked_for(void **state)
{
    (void)state;
    assert_report(malloc_without_lock, "Fatal Python error: _PyMem_DebugMalloc: " NO_LOCK
                                       "\nPython runtime state: unknown\n\n");
    assert_report(calloc_without_lock, "Fatal Python error: _PyMem_DebugCalloc: not now"
                                       "\nPython runtime state: unknown\n\n");
    assert_report(realloc_without_lock, "Fatal Python error: _PyMem_DebugRealloc: " NO_LOCK
                                        "\nPython runtime state: unknown\n\n");
    assert_report(free_without_lock, "Fatal Python error: _PyMem_DebugFree: " NO_LOCK
                                     "\nPython runtime state: initialized\n\n");
}

static rh_debug_traced
print_frames(void *ctx, const void *p, const char *heading, FILE *out)
{
    const rh_debug_traced *answer = ctx;
    (void)p;
    if (*answer == RH_DEBUG_TRACED)
        fprintf(out, "%s  File \"ovf.py\", line 4\n  File \"ovf.py\", line 5\n", heading);
    return *answer;
}

static void
overrun_traced(bench *self)
{
    static rh_debug_traced answer = RH_DEBUG_TRACED;
    self->settings.print_trace = print_frames;
    self->settings.trace_ctx = &answer;
    overrun(self);
}

static void
overrun_untraced(bench *self)
{
    static rh_debug_traced answer = RH_DEBUG_UNTRACED;
    self->settings.print_trace = print_frames;
    self->settings.trace_ctx = &answer;
    overrun(self);
}

static void
overrun_with_serials(bench *self)
{
    self->settings.serial = true;
    overrun(self);
}

#define OVERRUN_TOP                                                                                \
    "Debug memory block at address p=P+0: API 'm'\n"                                               \
    "    16 bytes originally requested\n" LEAD_OK TAIL("16") BYTES("0x78 *** OUCH", "0xfd")
#define OVERRUN_END                                                                                \
    "Fatal Python error: " FREE ": bad trailing pad byte\nPython runtime state: unknown\n\n"

static void
where_it_was_allocated_is_told(void **state)
{
    (void)state;
    assert_report(overrun_traced,
                  OVERRUN_TOP DATA_16 "Memory block allocated at (most recent call first):\n"
                                      "  File \"ovf.py\", line 4\n"
                                      "  File \"ovf.py\", line 5\n\n" OVERRUN_END);
    assert_report(overrun_untraced, OVERRUN_TOP DATA_16 OVERRUN_END);
    assert_report(
        overrun_with_serials, OVERRUN_TOP
        "    The block was made by call #1 to debug malloc/realloc.\n" DATA_16 OFF OVERRUN_END);
}

static void
overrun_of_3_8(bench *self)
{
    self->settings.words = RH_DEBUG_WORDS_3_8;
    overrun(self);
}

static void
overrun_of_3_7(bench *self)
{
    self->settings.words = RH_DEBUG_WORDS_3_7;
    self->settings.serial = true;
    overrun(self);
}

static void
older_versions_say_less(void **state)
{
    (void)state;
    assert_report(overrun_of_3_8,
                  OVERRUN_TOP DATA_16 OFF "Fatal Python error: bad trailing pad byte\n"
                                          "Python runtime state: unknown\n\n");
    assert_report(overrun_of_3_7, OVERRUN_TOP
                  "    The block was made by call #1 to debug malloc/realloc.\n" DATA_16 OFF
                  "Fatal Python error: bad trailing pad byte\n\n");
}

/* An end of one's own is called once, after the report. */
static jmp_buf back;

static void
leave(void *ctx)
{
    ++*(int *)ctx;
    longjmp(back, 1);
}

static void
another_end_may_be_set(void **state)
{
    (void)state;
    bench *self = open_bench(false);
    static int ends;
    char *text = NULL;
    size_t length = 0;
    self->settings.report = open_memstream(&text, &length);
    self->settings.end = leave;
    self->settings.end_ctx = &ends;
    unsigned char *p = take(self, PYMEM_DOMAIN_MEM, 3);
    p[3] = 0;
    if (setjmp(back) == 0)
        give(self, PYMEM_DOMAIN_MEM, p);
    assert_int_equal(ends, 1);
    fclose(self->settings.report);
    assert_non_null(strstr(text, "bad trailing pad byte"));
    assert_int_equal(self->below.frees, 0);
    free(text);
    free(self->below.last);
    free(self);
}

static void
freed_pointers_are_recognised(void **state)
{
    (void)state;
    const rh_debug_settings settings = {.fill = rh_debug_fill_new};
    const uint64_t freed[] = {0,
                              0xFF,
                              UINT64_MAX,
                              UINT64_MAX - 0xFE,
                              UINT64_C(0xCDCDCDCDCDCDCDCD),
                              UINT64_C(0xDDDDDDDDDDDDDDDD),
                              UINT64_C(0xFDFDFDFDFDFDFDFD)};
    const uint64_t others[] = {0x100, UINT64_MAX - 0xFF, UINT64_C(0xCDCDCDCDCDCDCDDD),
                               UINT64_C(0x7F00DDDDDDDDDDDD), UINT64_C(0xDBDBDBDBDBDBDBDB)};
    for (size_t i = 0; i < sizeof freed / sizeof *freed; i++)
        assert_true(rh_debug_is_freed_pointer(&settings, (void *)(uintptr_t)freed[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(rh_debug_is_freed_pointer(&settings, (void *)(uintptr_t)others[i]));
}

static void
hooks_are_recognised(void **state)
{
    (void)state;
    bench *self = open_bench(false);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(rh_debug_hook_of(&self->domain[i]), &self->hook[i]);
    assert_null(rh_debug_hook_of(&self->hook[0].inner));
    free(self);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_laid_out_as_by_cpython),
        cmocka_unit_test(serial_numbers_stand_behind),
        cmocka_unit_test(older_versions_fill_with_other_bytes),
        cmocka_unit_test(sizes_that_leave_no_room_are_refused),
        cmocka_unit_test(realloc_erases_and_restores),
        cmocka_unit_test(refused_requests_change_nothing),
        cmocka_unit_test(headers_of_objects_are_spared_without_a_lock),
        cmocka_unit_test(reports_are_cpythons),
        cmocka_unit_test(older_versions_say_less),
        cmocka_unit_test(what_cannot_be_read_is_not_read),
        cmocka_unit_test(the_lock_is_asked_for),
        cmocka_unit_test(where_it_was_allocated_is_told),
        cmocka_unit_test(another_end_may_be_set),
        cmocka_unit_test(freed_pointers_are_recognised),
        cmocka_unit_test(hooks_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
