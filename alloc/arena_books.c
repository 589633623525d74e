#include "alloc/arena_books.h"

enum { SLOT_BYTES = 48 }; /* of CPython's struct for an arena, 3.7 to 3.15 */

bool
rh_arena_books_slots(rh_arena_books *books, size_t slots)
{
    if (!books->raw)
        return true;
    void *grown = books->raw->realloc(books->raw->ctx, books->slots, slots * SLOT_BYTES);
    if (!grown)
        return false;
    books->slots = grown;
    return true;
}

/* The nodes are chained through their first words, so that a search for leaks finds them. */
bool
rh_arena_books_node(rh_arena_books *books, size_t bytes)
{
    if (!books->raw)
        return true;
    void **node = books->raw->calloc(books->raw->ctx, 1, bytes);
    if (!node)
        return false;
    *node = books->nodes;
    books->nodes = node;
    return true;
}
