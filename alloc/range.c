#include "alloc/range.h"

#include <assert.h>

bool
rh_ranges_reserve(rh_ranges *ranges, uint32_t records)
{
    uint64_t needed = (uint64_t)(ranges->count ? ranges->count : 1) + records;
    if (ranges->spares >= records || needed <= ranges->capacity)
        return true;
    if (needed > UINT32_MAX)
        return false;
    if (!rh_side_memory_grow(&ranges->memory, needed * sizeof *ranges->range))
        return false;
    uint64_t capacity = ranges->memory.bytes / sizeof *ranges->range;
    ranges->range = ranges->memory.base;
    ranges->capacity = capacity > UINT32_MAX ? UINT32_MAX : (rh_range_number)capacity;
    if (ranges->count == 0)
        ranges->count = 1;
    return true;
}

static rh_range_number
take(rh_ranges *ranges)
{
    rh_range_number number = ranges->spare;
    if (number) {
        ranges->spare = ranges->range[number].after;
        ranges->spares--;
        return number;
    }
    assert(ranges->count < ranges->capacity);
    return ranges->count++;
}

rh_range_number
rh_ranges_split(rh_ranges *ranges, rh_range_number first, uint64_t size)
{
    rh_range_number second = take(ranges);
    rh_range *head = &ranges->range[first], *tail = &ranges->range[second];
    rh_range_state state = rh_range_get_state(head);
    bool clean = rh_range_is_clean(head);
    assert(size > 0 && size < rh_range_size(head) && size % RH_RANGE_GRANULE == 0);
    tail->offset = head->offset + size;
    rh_range_set(tail, rh_range_size(head) - size, state, clean);
    rh_range_set(head, size, state, clean);
    tail->before = first;
    tail->after = head->after;
    head->after = second;
    if (tail->after)
        ranges->range[tail->after].before = second;
    return second;
}

void
rh_ranges_join(rh_ranges *ranges, rh_range_number first)
{
    rh_range *head = &ranges->range[first];
    rh_range_number second = head->after;
    rh_range *tail = &ranges->range[second];
    rh_range_set(head, rh_range_size(head) + rh_range_size(tail), rh_range_get_state(head),
                 rh_range_is_clean(head) && rh_range_is_clean(tail));
    head->after = tail->after;
    if (head->after)
        ranges->range[head->after].before = first;
    *tail = (rh_range){.after = ranges->spare};
    ranges->spare = second;
    ranges->spares++;
}

rh_range_number
rh_ranges_begin(rh_ranges *ranges, uint64_t size, rh_range_state state)
{
    rh_range_number number = take(ranges);
    ranges->range[number] = (rh_range){.offset = 0};
    rh_range_set(&ranges->range[number], size, state, state == RH_RANGE_HOLE);
    return number;
}

void
rh_ranges_release(rh_ranges *ranges)
{
    rh_side_memory_release(&ranges->memory);
    *ranges = (rh_ranges){.count = 0};
}
