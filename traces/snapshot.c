#include "traces/snapshot.h"

#include <stdlib.h>

bool
rh_snapshot_init(rh_snapshot *snapshot, size_t count)
{
    *snapshot = (rh_snapshot){.birth = malloc(count * sizeof *snapshot->birth + 1),
                              .what = malloc(count * sizeof *snapshot->what + 1),
                              .count = count};
    return snapshot->birth && snapshot->what;
}

void
rh_snapshot_release(rh_snapshot *snapshot)
{
    free(snapshot->birth);
    free(snapshot->what);
    *snapshot = (rh_snapshot){.birth = NULL};
}

static rh_cursor
cursor_of(const rh_bytes *bytes)
{
    return (rh_cursor){bytes->data, bytes->data + bytes->size, false};
}

bool
rh_snapshot_read(rh_snapshot *snapshot, const rh_block_head *head, const rh_bytes *raw)
{
    rh_cursor gaps = cursor_of(&raw[RH_STREAM_LIVE_GAPS]);
    rh_cursor sizes = cursor_of(&raw[RH_STREAM_LIVE_SIZES]);
    uint64_t birth = 0, bytes = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        uint64_t gap = rh_take_varint(&gaps);
        uint8_t flags = rh_take_byte(&sizes);
        uint64_t size = rh_take_varint(&sizes);
        if (gap >= head->first_birth - birth || flags > 7 || size > RH_SIZE_MAX)
            return false;
        birth += gap;
        bytes += size;
        snapshot->birth[i] = birth++;
        snapshot->what[i] = size | (uint64_t)flags << RH_LIVE_SHIFT;
    }
    return !gaps.failed && !sizes.failed && gaps.at == gaps.end && sizes.at == sizes.end &&
           bytes == head->live_bytes;
}

size_t
rh_snapshot_compare(const rh_snapshot *snapshot, const rh_live_list *live)
{
    size_t same = 0;
    for (uint32_t at = live->link[0].after; at && same < snapshot->count; same++) {
        const rh_live_node *node = &live->node[at];
        if (snapshot->birth[same] != node->birth || snapshot->what[same] != node->what)
            break;
        at = live->link[at].after;
    }
    return same;
}
