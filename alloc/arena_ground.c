#define _GNU_SOURCE
#include "alloc/arena_ground.h"

#include <stdlib.h>
#include <sys/mman.h>

#define WINDOW_BYTES  ((size_t)64 << 30)
#define VIRTUAL_BASE  ((uintptr_t)1 << 40)
#define VIRTUAL_LIMIT ((uintptr_t)1 << 46)

typedef struct rh_ground_window rh_ground_window;

void
rh_arena_ground_init(rh_arena_ground *ground, size_t arena_bytes, bool is_virtual)
{
    *ground = (rh_arena_ground){.arena_bytes = arena_bytes, .is_virtual = is_virtual};
}

/* The windows. An arena that was not given back is not ours to unmap: another source has taken
 * the heap over, and may have given its addresses to the system long ago. */
static void
unmap_what_is_ours(const rh_arena_ground *ground)
{
    bool whole = ground->vacant_count == ground->made;
    for (size_t i = 0; i < ground->window_count; i++) {
        const rh_ground_window *window = &ground->windows[i];
        size_t kept = whole ? 0 : window->used;
        if (kept < window->bytes)
            munmap((void *)(window->base + kept), window->bytes - kept);
    }
    for (size_t i = 0; i < ground->vacant_count && !whole; i++)
        munmap((void *)ground->vacant[i], ground->arena_bytes);
}

void
rh_arena_ground_release(rh_arena_ground *ground)
{
    if (!ground->is_virtual)
        unmap_what_is_ours(ground);
    free(ground->windows);
    free(ground->vacant);
    *ground = (rh_arena_ground){0};
}

/* Makes room for one more, doubling; false when there is no memory. */
static bool
grow(void **array, size_t count, size_t *capacity, size_t element_bytes)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(*array, wanted * element_bytes);
    if (!grown)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}

/* Reserves `bytes` at a multiple of `alignment` (a power of two). */
static bool
reserve(rh_ground_window *window, size_t bytes, size_t alignment)
{
    size_t mapping_bytes = bytes + alignment;
    void *mapping =
        mmap(NULL, mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return false;
    uintptr_t start = (uintptr_t)mapping, base = (start + alignment - 1) & ~(alignment - 1);
    if (base != start)
        munmap(mapping, base - start);
    munmap((void *)(base + bytes), start + mapping_bytes - (base + bytes));
    *window = (rh_ground_window){.base = base, .bytes = bytes};
    return true;
}

static bool
open_window(rh_arena_ground *ground, rh_ground_window *window)
{
    if (ground->is_virtual) {
        uintptr_t base = VIRTUAL_BASE + ground->window_count * WINDOW_BYTES;
        *window = (rh_ground_window){.base = base, .bytes = WINDOW_BYTES};
        return base < VIRTUAL_LIMIT;
    }
    if (reserve(window, WINDOW_BYTES, WINDOW_BYTES))
        return true;
    /* The process may have only so much. A quarter of it, for others need some too. */
    size_t bytes = WINDOW_BYTES / 2;
    while (bytes >= ground->arena_bytes && !reserve(window, bytes, ground->arena_bytes))
        bytes /= 2;
    if (bytes < 4 * ground->arena_bytes)
        return bytes >= ground->arena_bytes;
    munmap((void *)window->base, window->bytes);
    return reserve(window, bytes / 4, ground->arena_bytes);
}

static bool
add_window(rh_arena_ground *ground)
{
    void *windows = ground->windows;
    if (!grow(&windows, ground->window_count, &ground->window_capacity, sizeof *ground->windows))
        return false;
    ground->windows = windows;
    if (!open_window(ground, &ground->windows[ground->window_count]))
        return false;
    ground->window_count++;
    return true;
}

uintptr_t
rh_arena_ground_first_window(rh_arena_ground *ground, size_t *bytes)
{
    *bytes = 0;
    if (ground->window_count == 0 && !add_window(ground))
        return 0;
    *bytes = ground->windows[0].bytes;
    return ground->windows[0].base;
}

/* The next address that was never an arena; 0 when there is none. */
static uintptr_t
fresh_place(rh_arena_ground *ground)
{
    size_t count = ground->window_count;
    if (count == 0 ||
        ground->windows[count - 1].bytes - ground->windows[count - 1].used < ground->arena_bytes) {
        if (!add_window(ground))
            return 0;
        count = ground->window_count;
    }
    return ground->windows[count - 1].base + ground->windows[count - 1].used;
}

static bool
make_usable(const rh_arena_ground *ground, uintptr_t place)
{
    return ground->is_virtual || mmap((void *)place, ground->arena_bytes, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static void *
map_pages(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static void *
give_arena(void *ctx, size_t size)
{
    rh_arena_ground *ground = ctx;
    if (size != ground->arena_bytes)
        return ground->is_virtual ? NULL : map_pages(size);
    if (ground->vacant_count) {
        uintptr_t place = ground->vacant[ground->vacant_count - 1];
        if (!make_usable(ground, place))
            return NULL;
        ground->vacant_count--;
        return (void *)place;
    }
    void *vacant = ground->vacant;
    if (!grow(&vacant, ground->made, &ground->vacant_capacity, sizeof *ground->vacant))
        return NULL;
    ground->vacant = vacant;
    uintptr_t place = fresh_place(ground);
    if (!place || !make_usable(ground, place))
        return NULL;
    ground->made++;
    ground->windows[ground->window_count - 1].used += ground->arena_bytes;
    return (void *)place;
}

static bool
is_mine(const rh_arena_ground *ground, uintptr_t address)
{
    size_t i = 0;
    while (i < ground->window_count &&
           address - ground->windows[i].base >= ground->windows[i].bytes)
        i++;
    return i < ground->window_count;
}

static void
take_arena_back(void *ctx, void *arena, size_t size)
{
    rh_arena_ground *ground = ctx;
    if (!arena)
        return;
    if (!is_mine(ground, (uintptr_t)arena)) {
        if (!ground->is_virtual)
            munmap(arena, size);
        return;
    }
    /* Mapped over, not unmapped: the window stays ours. A kernel that refuses leaves the pages;
     * they are dropped then without giving up the mapping. */
    if (!ground->is_virtual &&
        mmap(arena, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
             0) == MAP_FAILED)
        madvise(arena, size, MADV_DONTNEED);
    ground->vacant[ground->vacant_count++] = (uintptr_t)arena;
}

PyObjectArenaAllocator
rh_arena_ground_source(rh_arena_ground *ground)
{
    return (PyObjectArenaAllocator){ground, give_arena, take_arena_back};
}

uint64_t
rh_arena_ground_bytes(const rh_arena_ground *ground)
{
    return ground->vacant_capacity * sizeof *ground->vacant +
           ground->window_capacity * sizeof *ground->windows;
}
