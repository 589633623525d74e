#define _GNU_SOURCE
#include "alloc/address_map.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES ((size_t)4096)
#define LEAF_SPAN  ((uintptr_t)1 << RH_MAP_LEAF_BITS)

static rh_map_slot *
reserve_leaf(size_t bytes)
{
    void *leaf = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return leaf == MAP_FAILED ? NULL : leaf;
}

bool
rh_address_map_init(rh_address_map *map, unsigned shift)
{
    size_t bytes = (LEAF_SPAN >> shift) * sizeof(rh_map_slot);
    *map = (rh_address_map){
        .shift = shift,
        .leaf_bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
    };
    map->nothing = reserve_leaf(map->leaf_bytes);
    if (!map->nothing)
        return false;
    for (size_t i = 0; i < RH_MAP_LEAVES; i++)
        map->leaf[i] = map->nothing;
    return true;
}

void
rh_address_map_release(rh_address_map *map)
{
    if (!map->nothing)
        return;
    for (size_t i = 0; i < RH_MAP_LEAVES; i++)
        if (map->leaf[i] != map->nothing)
            munmap(map->leaf[i], map->leaf_bytes);
    munmap(map->nothing, map->leaf_bytes);
    rh_number_set_release(&map->writable);
    map->nothing = NULL;
}

/* The slot of `address`, writable; NULL when there is no memory. */
static rh_map_slot *
writable_slot(rh_address_map *map, uintptr_t address)
{
    size_t index = address >> RH_MAP_LEAF_BITS;
    if (map->leaf[index] == map->nothing) {
        rh_map_slot *leaf = reserve_leaf(map->leaf_bytes);
        if (!leaf)
            return NULL;
        map->leaf[index] = leaf;
    }
    size_t place = (address & (LEAF_SPAN - 1)) >> map->shift;
    size_t page = place * sizeof(rh_map_slot) / PAGE_BYTES;
    uint64_t key = (uint64_t)index << 32 | page;
    if (!rh_number_set_has(&map->writable, key)) {
        char *start = (char *)map->leaf[index] + page * PAGE_BYTES;
        if (mprotect(start, PAGE_BYTES, PROT_READ | PROT_WRITE) != 0 ||
            !rh_number_set_add(&map->writable, key))
            return NULL;
    }
    return &map->leaf[index][place];
}

bool
rh_address_map_enter(rh_address_map *map, uintptr_t base, uint32_t arena)
{
    uintptr_t size = (uintptr_t)1 << map->shift;
    if (base == 0 || base > ((uintptr_t)1 << RH_MAP_ADDRESS_BITS) - size)
        return false;
    uint32_t offset = (uint32_t)(base & (size - 1));
    rh_map_slot *first = writable_slot(map, base);
    if (!first || first->high != 0 || first->low > offset)
        return false;
    if (offset != 0) {
        rh_map_slot *second = writable_slot(map, base + size);
        if (!second || second->low != 0 || second->high > size - offset)
            return false;
        second->low = offset;
        second->low_arena = arena;
    }
    first->high = (uint32_t)size - offset;
    first->high_arena = arena;
    return true;
}

void
rh_address_map_remove(rh_address_map *map, uintptr_t base)
{
    uintptr_t size = (uintptr_t)1 << map->shift;
    rh_map_slot *first = writable_slot(map, base);
    first->high = first->high_arena = 0;
    if ((base & (size - 1)) == 0)
        return;
    rh_map_slot *second = writable_slot(map, base + size);
    second->low = second->low_arena = 0;
}

uint64_t
rh_address_map_bytes(const rh_address_map *map)
{
    return map->writable.count * PAGE_BYTES + map->writable.capacity * sizeof(uint64_t);
}
