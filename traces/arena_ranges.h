/* The arenas that are alive at a moment of a trace, by address; none overlaps another. */
#ifndef REHEAP_TRACES_ARENA_RANGES_H
#define REHEAP_TRACES_ARENA_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rh_arena_range {
    uint64_t start, size; /* bytes */
} rh_arena_range;

typedef struct rh_arena_ranges {
    void *tree; /* of tsearch */
    size_t count;
} rh_arena_ranges;

typedef enum rh_arena_verdict {
    RH_ARENA_FINE,
    RH_ARENA_NOWHERE,  /* no bytes, no address, or beyond the last address */
    RH_ARENA_TOO_MANY, /* more than RH_ARENAS_MAX are alive */
    RH_ARENA_OVERLAPS,
    RH_ARENA_UNKNOWN,    /* none begins there */
    RH_ARENA_OTHER_SIZE, /* one begins there, and has another size */
    RH_ARENA_NO_MEMORY
} rh_arena_verdict;

/* A program would need all of its address space for more; a file can ask for any number. */
enum { RH_ARENAS_MAX = 1 << 22 };

void rh_arena_ranges_clear(rh_arena_ranges *arenas);

/* Adds an arena, unless it overlaps another, which then goes to `*other`. */
rh_arena_verdict rh_arena_ranges_add(rh_arena_ranges *arenas, const rh_arena_range *arena,
                                     rh_arena_range *other);

/* Whether `arena` can be freed; what begins there goes to `*there`, if anything does. */
rh_arena_verdict rh_arena_ranges_find(const rh_arena_ranges *arenas, const rh_arena_range *arena,
                                      rh_arena_range *there);

/* Removes the arena that begins at `start`, which must be there. */
void rh_arena_ranges_remove(rh_arena_ranges *arenas, uint64_t start);

/* Whether some arena shares a byte with the range, or holds all of it. */
bool rh_arena_ranges_touch(const rh_arena_ranges *arenas, const rh_arena_range *range);
bool rh_arena_ranges_hold(const rh_arena_ranges *arenas, const rh_arena_range *range);

#endif
