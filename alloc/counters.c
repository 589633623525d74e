#include "alloc/counters.h"

void
rh_counters_clear(rh_counters *counters)
{
#define RH_COUNTER_CLEAR(name, what) counters->name = RH_UNKNOWN;
    RH_COUNTERS(RH_COUNTER_CLEAR)
#undef RH_COUNTER_CLEAR
}

static uint64_t
known(uint64_t value)
{
    return value == RH_UNKNOWN ? 0 : value;
}

uint64_t
rh_counters_parts(const rh_counters *counters)
{
    return known(counters->block_bytes) + known(counters->header_bytes) +
           known(counters->page_header_bytes) + known(counters->page_tail_bytes) +
           known(counters->free_block_bytes) + known(counters->free_page_bytes) +
           known(counters->free_arena_bytes) + known(counters->metadata_bytes) +
           known(counters->other_bytes);
}
