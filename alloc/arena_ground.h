/* Where a heap's arenas come from unless its user brings a source of his own.
 *
 * Address space is reserved in windows of 64 GiB, each at a multiple of its size, and arenas are
 * made of it one after another, each at a multiple of its own size; an arena given back is the next
 * to be made again. So where arenas lie to one another, which decides what the address map needs
 * and what a policy by address does, is the same in every run, wherever the kernel put the window.
 * (CPython maps each arena by itself: its base is a multiple of the page only, and three times in
 * four a pool of it is lost.)
 *
 * Reserved space costs nothing and is not counted as memory held. A process that is allowed too
 * little of it gets smaller windows.
 *
 * A virtual ground reserves and maps nothing: its windows are numbers.
 */
#ifndef REHEAP_ALLOC_ARENA_GROUND_H
#define REHEAP_ALLOC_ARENA_GROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/pymem.h"

typedef struct rh_arena_ground {
    size_t arena_bytes;
    bool is_virtual;
    struct rh_ground_window {
        uintptr_t base;
        size_t bytes, used;
    } * windows;
    size_t window_count, window_capacity;
    uintptr_t *vacant; /* a stack of arenas given back; has room for every arena there ever was */
    size_t vacant_count, vacant_capacity, made;
} rh_arena_ground;

void rh_arena_ground_init(rh_arena_ground *ground, size_t arena_bytes, bool is_virtual);
/* Unmaps the windows; arenas that were not given back stay. */
void rh_arena_ground_release(rh_arena_ground *ground);

/* The ground as an arena source. Requests of another size than arena_bytes are mapped by themselves
 * (a virtual ground has nothing for them), and what it did not give is unmapped when it is given
 * back: so it can stand where a program expects CPython's own source. */
PyObjectArenaAllocator rh_arena_ground_source(rh_arena_ground *ground);

/* Reserves the first window now, so that it can be told where arenas will lie: its base, and its
 * size in *bytes. 0, with *bytes 0, when that cannot be had. */
uintptr_t rh_arena_ground_first_window(rh_arena_ground *ground, size_t *bytes);

/* Bytes of its own tables. */
uint64_t rh_arena_ground_bytes(const rh_arena_ground *ground);

#endif
