#include "alloc/arena_map_census.h"

#define ENTRY_BYTES 8 /* a pointer, or a bottom node's pair of 32-bit offsets */

void
rh_arena_map_census_init(rh_arena_map_census *census, unsigned address_bits, unsigned arena_shift)
{
    *census = (rh_arena_map_census){.address_bits = address_bits, .arena_shift = arena_shift};
    if (address_bits == 0)
        return;
    /* Root and middle share the larger parts evenly; the bottom has what is left. */
    unsigned bits = address_bits - arena_shift;
    census->root_bits = census->middle_bits = (bits + 2) / 3;
    census->bottom_bits = bits - 2 * census->middle_bits;
}

void
rh_arena_map_census_release(rh_arena_map_census *census)
{
    rh_number_set_release(&census->middle);
    rh_number_set_release(&census->bottom);
}

static bool
enter_node(rh_number_set *nodes, uint64_t number, size_t bytes, rh_arena_books *books)
{
    return rh_number_set_has(nodes, number) ||
           (rh_arena_books_node(books, bytes) && rh_number_set_add(nodes, number));
}

static bool
enter_address(rh_arena_map_census *census, uintptr_t address, rh_arena_books *books)
{
    if (census->address_bits < 64)
        address &= ((uintptr_t)1 << census->address_bits) - 1;
    uint64_t bottom = address >> census->arena_shift >> census->bottom_bits;
    return enter_node(&census->middle, bottom >> census->middle_bits,
                      (size_t)ENTRY_BYTES << census->middle_bits, books) &&
           enter_node(&census->bottom, bottom, (size_t)ENTRY_BYTES << census->bottom_bits, books);
}

bool
rh_arena_map_census_enter(rh_arena_map_census *census, uintptr_t base, rh_arena_books *books)
{
    if (census->address_bits == 0)
        return true;
    uintptr_t size = (uintptr_t)1 << census->arena_shift;
    return enter_address(census, base, books) &&
           ((base & (size - 1)) == 0 || enter_address(census, base + size, books));
}

uint64_t
rh_arena_map_census_root_bytes(const rh_arena_map_census *census)
{
    return census->address_bits ? (uint64_t)ENTRY_BYTES << census->root_bits : 0;
}

uint64_t
rh_arena_map_census_middle_bytes(const rh_arena_map_census *census)
{
    return census->middle.count * ((uint64_t)ENTRY_BYTES << census->middle_bits);
}

uint64_t
rh_arena_map_census_bottom_bytes(const rh_arena_map_census *census)
{
    return census->bottom.count * ((uint64_t)ENTRY_BYTES << census->bottom_bits);
}
