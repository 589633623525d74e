/* pymalloc against the real one: the object domain of an installed libpython, driven with the same
 * random operations, its arenas placed by the same hand. Every address must be the same (or the
 * same but for a constant shift, where the memory must be real), arenas must come and go at the
 * same operations, and the statistics must be the same text.
 *
 * The real one's state is the process's: each run is a child process. Libraries: Debian's
 * libpython3.11, and those of 3.7 to 3.10 under REHEAP_PYTHONS (later ones cannot run without an
 * interpreter).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "alloc/pymalloc.h"
#include "base/random.h"

#define DEBIAN_LIBRARY "libpython3.11.so.1.0"
#define OPERATIONS     600000
#define LIVE_MAX       60000
#define STATS_EVERY    20000
#define REGION_BYTES   ((size_t)512 << 20)
#define REGIONS        3
/* Regions of the real one lie far apart, so that its map of arenas needs several nodes; ours lie a
 * multiple of every node's span above. */
#define REGION_BASE   ((uintptr_t)0x100000000000)
#define REGION_STRIDE ((uintptr_t)300 << 30)
#define SHIFT         ((uintptr_t)0x200000000000)

/* How the hand places arenas. */
typedef struct placement {
    const char *name;
    size_t skew;         /* added to each base: a multiple of the page */
    unsigned fail_every; /* the source refuses now and then; 0: never */
} placement;

static const placement placements[] = {
    {"aligned", 0, 0},
    {"unaligned", 4096 * 3, 0},
    {"mixed and failing", 1, 7},
};

typedef struct arena_event {
    bool birth;
    uintptr_t address; /* 0: refused */
} arena_event;

/* The hand: places the real one's arenas and remembers, so that ours get the same. */
typedef struct hand {
    const placement *how;
    rh_random random;
    size_t arena_bytes;
    uintptr_t vacant[4096];
    size_t vacant_count, made, calls;
    arena_event events[4096];
    size_t written, read;
    uintptr_t shift; /* of ours */
    bool disagreed;
} hand;

static void
note(hand *h, bool birth, uintptr_t address)
{
    if (h->written < 4096)
        h->events[h->written++] = (arena_event){birth, address};
}

static uintptr_t
place(hand *h)
{
    if (h->how->fail_every && ++h->calls % h->how->fail_every == 0)
        return 0;
    if (h->vacant_count && rh_random_below(&h->random, 4))
        return h->vacant[--h->vacant_count];
    size_t slot = h->made++;
    size_t span = h->arena_bytes + 65536; /* room for the skew */
    size_t per_region = REGION_BYTES / span;
    uintptr_t base = REGION_BASE + (slot % REGIONS) * REGION_STRIDE + (slot / REGIONS) * span;
    if (slot / REGIONS >= per_region)
        return 0;
    if (h->how->skew == 1)
        return base + rh_random_below(&h->random, 8) * 4096;
    if (h->how->skew == 0)
        return (base + h->arena_bytes - 1) & ~(uintptr_t)(h->arena_bytes - 1);
    return base + h->how->skew;
}

static void *
real_alloc(void *ctx, size_t size)
{
    hand *h = ctx;
    if (size != h->arena_bytes)
        return NULL;
    uintptr_t address = place(h);
    note(h, true, address);
    return (void *)address;
}

static void
real_free(void *ctx, void *arena, size_t size)
{
    hand *h = ctx;
    (void)size;
    note(h, false, (uintptr_t)arena);
    h->vacant[h->vacant_count++] = (uintptr_t)arena;
}

static void *
our_alloc(void *ctx, size_t size)
{
    hand *h = ctx;
    if (h->read >= h->written || !h->events[h->read].birth || size != h->arena_bytes) {
        h->disagreed = true;
        return NULL;
    }
    uintptr_t address = h->events[h->read++].address;
    return address ? (void *)(address + h->shift) : NULL;
}

static void
our_free(void *ctx, void *arena, size_t size)
{
    hand *h = ctx;
    (void)size;
    if (h->read >= h->written || h->events[h->read].birth ||
        h->events[h->read++].address + h->shift != (uintptr_t)arena)
        h->disagreed = true;
}

typedef struct real_python {
    void (*get_allocator)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*set_arenas)(PyObjectArenaAllocator *);
    int (*print_stats)(FILE *);
} real_python;

typedef struct live_block {
    void *real, *ours;
    size_t size;
} live_block;

typedef struct run {
    hand hand;
    real_python python;
    PyMemAllocatorEx real, ours;
    rh_heap *heap;
    bool touch;
    rh_random random;
    live_block live[LIVE_MAX];
    size_t live_count;
    uint64_t operation, compared;
} run;

static bool
in_regions(const void *block, uintptr_t shift)
{
    uintptr_t at = (uintptr_t)block - REGION_BASE - shift;
    return at < REGIONS * REGION_STRIDE;
}

static bool
differs(run *r, const char *what, const void *real, const void *ours)
{
    fprintf(stderr, "operation %" PRIu64 " (%s): CPython %p, ours %p, shift 0x%" PRIxPTR "\n",
            r->operation, what, real, ours, r->hand.shift);
    return true;
}

/* Both in an arena at the same place, or both outside; arenas came and went together. */
static bool
same(run *r, const char *what, const void *real, const void *ours)
{
    if (r->hand.disagreed || r->hand.read != r->hand.written)
        return !differs(r, "arenas come and go differently", real, ours);
    r->hand.read = r->hand.written = 0;
    bool real_in = in_regions(real, 0), ours_in = in_regions(ours, r->hand.shift);
    if (real_in != ours_in || !real != !ours)
        return !differs(r, what, real, ours);
    if (real_in && (uintptr_t)real + r->hand.shift != (uintptr_t)ours)
        return !differs(r, what, real, ours);
    r->compared += real_in;
    return true;
}

static size_t
random_size(run *r)
{
    switch (rh_random_below(&r->random, 16)) {
    case 0:
        return 0;
    case 1:
        return 480 + rh_random_below(&r->random, 200);
    case 2:
        return 1 + rh_random_below(&r->random, 16);
    case 3:
    case 4:
    case 5:
        return 1 + rh_random_below(&r->random, 512);
    default:
        return 17 + rh_random_below(&r->random, 16) * rh_random_below(&r->random, 10);
    }
}

static void
fill(const run *r, const live_block *block)
{
    if (!r->touch)
        return;
    memset(block->ours, (int)(block->size & 0xff), block->size);
    memset(block->real, (int)(block->size & 0xff), block->size);
}

static bool
is_filled(run *r, const live_block *block, size_t bytes)
{
    for (size_t i = 0; r->touch && i < bytes; i++)
        if (((const unsigned char *)block->ours)[i] != (block->size & 0xff))
            return !differs(r, "contents", block->real, block->ours);
    return true;
}

static bool
give(run *r)
{
    size_t size = random_size(r);
    live_block *block = &r->live[r->live_count];
    if (rh_random_below(&r->random, 8) == 0) {
        size_t elements = rh_random_below(&r->random, 4);
        block->real = r->real.calloc(r->real.ctx, elements, size);
        block->ours = r->ours.calloc(r->ours.ctx, elements, size);
        size *= elements;
        for (size_t i = 0; r->touch && i < size; i++)
            if (((char *)block->ours)[i])
                return !differs(r, "calloc is not zero", block->real, block->ours);
    } else {
        block->real = r->real.malloc(r->real.ctx, size);
        block->ours = r->ours.malloc(r->ours.ctx, size);
    }
    block->size = size;
    if (!same(r, "malloc", block->real, block->ours))
        return false;
    fill(r, block);
    r->live_count++;
    return true;
}

static bool
take(run *r, size_t index)
{
    live_block block = r->live[index];
    r->live[index] = r->live[--r->live_count];
    if (!is_filled(r, &block, block.size))
        return false;
    r->real.free(r->real.ctx, block.real);
    r->ours.free(r->ours.ctx, block.ours);
    return same(r, "free", NULL, NULL);
}

static bool
resize(run *r, size_t index)
{
    live_block *block = &r->live[index], old = *block;
    size_t size = rh_random_below(&r->random, 2)
                      ? random_size(r)
                      : old.size * 3 / 4 + rh_random_below(&r->random, 3);
    block->real = r->real.realloc(r->real.ctx, old.real, size);
    block->ours = r->ours.realloc(r->ours.ctx, old.ours, size);
    if (!same(r, "realloc", block->real, block->ours))
        return false;
    if (!is_filled(r, &(live_block){block->real, block->ours, old.size},
                   size < old.size ? size : old.size))
        return false;
    block->size = size;
    fill(r, block);
    return true;
}

static bool
same_stats(run *r)
{
    char *texts[2];
    size_t lengths[2];
    for (int i = 0; i < 2; i++) {
        FILE *out = open_memstream(&texts[i], &lengths[i]);
        if (i == 0)
            r->python.print_stats(out);
        else
            rh_heap_print_stats(r->heap, out);
        fclose(out);
    }
    bool equal = lengths[0] == lengths[1] && memcmp(texts[0], texts[1], lengths[0]) == 0;
    if (!equal)
        fprintf(stderr, "operation %" PRIu64 ": statistics differ\n--- CPython\n%s--- ours\n%s",
                r->operation, texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    return equal;
}

static bool
is_sound(run *r)
{
    rh_error error = {0};
    if (rh_heap_check(r->heap, &error) == RH_OK)
        return true;
    fprintf(stderr, "operation %" PRIu64 ": %s\n", r->operation, error.message);
    return false;
}

/* Phases of growth and of shrinking, down to nothing now and then. */
static bool
drive(run *r)
{
    unsigned giving = 60;
    for (r->operation = 1; r->operation <= OPERATIONS; r->operation++) {
        if (r->operation % 16384 == 0)
            giving = 20 + (unsigned)rh_random_below(&r->random, 65);
        unsigned dice = (unsigned)rh_random_below(&r->random, 100);
        bool good;
        if (r->live_count == 0 || (dice < giving && r->live_count < LIVE_MAX))
            good = give(r);
        else if (dice % 8 == 0)
            good = resize(r, rh_random_below(&r->random, r->live_count));
        else
            good = take(r, rh_random_below(&r->random, r->live_count));
        if (!good || (r->operation % STATS_EVERY == 0 && (!same_stats(r) || !is_sound(r))))
            return false;
    }
    while (r->live_count)
        if (!take(r, r->live_count - 1))
            return false;
    return same_stats(r) && is_sound(r) && r->compared > OPERATIONS / 4;
}

static bool
load(real_python *python, const char *library)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return false;
    *(void **)&python->get_allocator = dlsym(handle, "PyMem_GetAllocator");
    *(void **)&python->set_arenas = dlsym(handle, "PyObject_SetArenaAllocator");
    *(void **)&python->print_stats = dlsym(handle, "_PyObject_DebugMallocStats");
    return python->get_allocator && python->set_arenas && python->print_stats;
}

static bool
map_regions(uintptr_t shift)
{
    for (uintptr_t i = 0; i < REGIONS; i++)
        if (mmap((void *)(REGION_BASE + shift + i * REGION_STRIDE), REGION_BYTES,
                 PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                 0) == MAP_FAILED)
            return false;
    return true;
}

/* In the child. 0: the same; 1: different; 2: could not be run. */
static int
compare(const char *library, const char *version, const placement *how, const char *metadata)
{
    run *r = calloc(1, sizeof *r);
    if (!r || !load(&r->python, library) || !map_regions(0) || !map_regions(SHIFT))
        return 2;
    rh_pymalloc_config config;
    rh_error error = {0};
    if (rh_pymalloc_config_init(&config, version, &error) != RH_OK)
        return 2;
    bool is_virtual = strcmp(metadata, "virtual") == 0;
    config.metadata = strcmp(metadata, "in-band") == 0 ? RH_METADATA_IN_BAND : RH_METADATA_SIDE;
    config.source = is_virtual ? RH_SOURCE_VIRTUAL : RH_SOURCE_MMAP;
    r->touch = !is_virtual;
    r->random.state = 20 + how->skew;
    r->hand.how = how;
    r->hand.arena_bytes = config.arena_bytes;
    r->hand.shift = is_virtual ? 0 : SHIFT;
    if (rh_pymalloc_open(&config, &r->heap, &error) != RH_OK)
        return 2;
    r->ours = r->heap->domain[PYMEM_DOMAIN_OBJ];
    r->python.get_allocator(PYMEM_DOMAIN_OBJ, &r->real);
    PyObjectArenaAllocator theirs = {&r->hand, real_alloc, real_free};
    PyObjectArenaAllocator ours = {&r->hand, our_alloc, our_free};
    r->python.set_arenas(&theirs);
    if (rh_heap_set_arenas(r->heap, &ours, &error) != RH_OK)
        return 2;
    bool good = drive(r);
    fprintf(stderr, "  %s, %s, %s: %" PRIu64 " addresses compared, %s\n", version, how->name,
            metadata, r->compared, good ? "all equal" : "DIFFERENT");
    return good ? 0 : 1;
}

static int
compare_in_child(const char *library, const char *version, const placement *how,
                 const char *metadata)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(compare(library, version, how, metadata));
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void
compare_all(const char *library, const char *version)
{
    static const char *const places[] = {"in-band", "side", "virtual"};
    for (size_t i = 0; i < sizeof placements / sizeof placements[0]; i++)
        for (size_t j = 0; j < sizeof places / sizeof places[0]; j++)
            assert_int_equal(compare_in_child(library, version, &placements[i], places[j]), 0);
}

static void
equals_debians_python(void **state)
{
    (void)state;
    void *handle = dlopen(DEBIAN_LIBRARY, RTLD_LAZY | RTLD_LOCAL);
    if (!handle) {
        printf("SKIP: %s is not installed\n", DEBIAN_LIBRARY);
        skip();
    }
    dlclose(handle);
    compare_all(DEBIAN_LIBRARY, "3.11");
}

static bool
compare_version(const char *folder, const char *version)
{
    char pattern[4096];
    snprintf(pattern, sizeof pattern, "%s/%s.*/lib/libpython%s*.so.1.0", folder, version, version);
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    compare_all(found.gl_pathv[0], version);
    globfree(&found);
    return true;
}

static void
equals_other_pythons(void **state)
{
    (void)state;
    static const char *const versions[] = {"3.7", "3.8", "3.9", "3.10", "3.11"};
    const char *folder = getenv("REHEAP_PYTHONS");
    if (!folder || !*folder) {
        printf("SKIP: REHEAP_PYTHONS is not set, other versions are not compared\n");
        skip();
    }
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (!compare_version(folder, versions[i]))
            printf("SKIP: no shared library of CPython %s under REHEAP_PYTHONS\n", versions[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_debians_python),
        cmocka_unit_test(equals_other_pythons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
