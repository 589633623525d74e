#include "alloc/number_set.h"

#include <stdlib.h>
#include <string.h>

/* Where `number` stands or would stand. */
static size_t
place(const rh_number_set *set, uint64_t number)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->numbers[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void
rh_number_set_release(rh_number_set *set)
{
    free(set->numbers);
    *set = (rh_number_set){0};
}

bool
rh_number_set_has(const rh_number_set *set, uint64_t number)
{
    size_t at = place(set, number);
    return at < set->count && set->numbers[at] == number;
}

bool
rh_number_set_add(rh_number_set *set, uint64_t number)
{
    size_t at = place(set, number);
    if (at < set->count && set->numbers[at] == number)
        return true;
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : 8;
        uint64_t *numbers = realloc(set->numbers, capacity * sizeof *numbers);
        if (!numbers)
            return false;
        set->numbers = numbers;
        set->capacity = capacity;
    }
    memmove(set->numbers + at + 1, set->numbers + at, (set->count - at) * sizeof *set->numbers);
    set->numbers[at] = number;
    set->count++;
    return true;
}
