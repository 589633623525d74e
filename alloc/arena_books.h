/* The memory that CPython takes for its tables of arenas.
 *
 * CPython asks its own RAW domain for the table of arenas' slots and for the nodes of its address
 * map. Hooks on RAW see those requests and may refuse them, and a refused one means that there is
 * no arena: behaviour that a program can observe. This heap has tables of its own, elsewhere; where
 * it stands in for CPython's it asks for the same memory at the same moments, and makes no use of
 * it.
 */
#ifndef REHEAP_ALLOC_ARENA_BOOKS_H
#define REHEAP_ALLOC_ARENA_BOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "alloc/pymem.h"

/* All zero: no books are kept, and everything succeeds. */
typedef struct rh_arena_books {
    const PyMemAllocatorEx *raw;
    void *slots, *nodes;
} rh_arena_books;

/* The table of arenas grows to `slots` slots; false when that is refused. */
bool rh_arena_books_slots(rh_arena_books *books, size_t slots);

/* A node of the address map; it is kept for ever. False when it is refused. */
bool rh_arena_books_node(rh_arena_books *books, size_t bytes);

#endif
