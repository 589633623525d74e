#include "alloc/trace_snapshot.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ the copy */

rh_status
rh_trace_snapshot_take(rh_trace_snapshot *snapshot, rh_tracer *tracer, rh_error *error)
{
    *snapshot = (rh_trace_snapshot){.count = 0};
    if (rh_tracer_copy(tracer, &snapshot->memory, &snapshot->count, &snapshot->tracebacks,
                       &snapshot->peak_sizes, &snapshot->figures)) {
        snapshot->traces = snapshot->memory.base;
        snapshot->provider = atomic_load(&tracer->provider);
        return RH_OK;
    }
    rh_trace_snapshot_release(snapshot);
    return rh_fail(error, RH_SYSTEM, "no memory for a copy of the traces");
}

void
rh_trace_snapshot_release(rh_trace_snapshot *snapshot)
{
    rh_side_memory_release(&snapshot->memory);
    rh_tracebacks_release(&snapshot->tracebacks);
    rh_trace_table_release(&snapshot->peak_sizes);
    *snapshot = (rh_trace_snapshot){.count = 0};
}

/* ------------------------------------------------------------------ groups */

/* A group in the making: the key in two words. */
typedef struct bundle {
    uint64_t key[2];
    uint64_t blocks, bytes;
} bundle;

static bundle
bundle_of(const rh_trace_snapshot *snapshot, const rh_trace *trace, rh_trace_key by)
{
    bundle made = {.blocks = 1, .bytes = trace->size_bytes};
    switch (by) {
    case RH_BY_SIZE:
        made.key[0] = trace->size_bytes;
        break;
    case RH_BY_DOMAIN:
        made.key[0] = trace->domain;
        break;
    case RH_BY_TRACEBACK:
        made.key[0] = trace->traceback;
        break;
    default: {
        const rh_frame *newest = rh_tracebacks_get(&snapshot->tracebacks, trace->traceback).frames;
        made.key[0] = newest->place;
        made.key[1] = by == RH_BY_LINE ? newest->line : 0;
        break;
    }
    }
    return made;
}

static int
order(uint64_t left, uint64_t right)
{
    return (left > right) - (left < right);
}

static int
compare_keys(const void *left, const void *right)
{
    const bundle *a = left, *b = right;
    int first = order(a->key[0], b->key[0]);
    return first ? first : order(a->key[1], b->key[1]);
}

static int
compare_bundles(const void *left, const void *right)
{
    const bundle *a = left, *b = right;
    if (a->bytes != b->bytes)
        return order(b->bytes, a->bytes);
    if (a->blocks != b->blocks)
        return order(b->blocks, a->blocks);
    return compare_keys(left, right);
}

/* Joins neighbours of the same key; returns how many are left. */
static size_t
join_equal(bundle *bundles, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept && compare_keys(&bundles[kept - 1], &bundles[i]) == 0) {
            bundles[kept - 1].blocks += bundles[i].blocks;
            bundles[kept - 1].bytes += bundles[i].bytes;
        } else {
            bundles[kept++] = bundles[i];
        }
    }
    return kept;
}

static void
sort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    if (count)
        qsort(array, count, size, compare);
}

static rh_trace_group
group_of(const rh_trace_snapshot *snapshot, const bundle *made, rh_trace_key by)
{
    rh_trace_group group = {.blocks = made->blocks, .bytes = made->bytes};
    if (by == RH_BY_SIZE || by == RH_BY_DOMAIN) {
        group.number = made->key[0];
    } else if (by == RH_BY_TRACEBACK) {
        group.traceback = rh_tracebacks_get(&snapshot->tracebacks, (uint32_t)made->key[0]);
        group.frame = group.traceback.frames[0];
    } else {
        group.frame = (rh_frame){(uintptr_t)made->key[0], made->key[1]};
    }
    return group;
}

static rh_status
no_memory(rh_error *error)
{
    return rh_fail(error, RH_SYSTEM, "no memory to group the traces");
}

/* Turns bundles, in any order, into groups. */
static bool
fill(rh_trace_groups *groups, const rh_trace_snapshot *snapshot, bundle *bundles, size_t count)
{
    sort(bundles, count, sizeof *bundles, compare_keys);
    count = join_equal(bundles, count);
    sort(bundles, count, sizeof *bundles, compare_bundles);
    if (count && !rh_side_memory_grow(&groups->memory, count * sizeof *groups->groups))
        return false;
    groups->groups = groups->memory.base;
    groups->count = count;
    for (size_t i = 0; i < count; i++)
        groups->groups[i] = group_of(snapshot, &bundles[i], groups->by);
    return true;
}

rh_status
rh_trace_groups_make(rh_trace_groups *groups, const rh_trace_snapshot *snapshot, rh_trace_key by,
                     rh_error *error)
{
    *groups = (rh_trace_groups){.by = by};
    rh_side_memory room = {.base = NULL};
    if (snapshot->count && !rh_side_memory_grow(&room, snapshot->count * sizeof(bundle)))
        return no_memory(error);
    bundle *bundles = room.base;
    for (size_t i = 0; i < snapshot->count; i++)
        bundles[i] = bundle_of(snapshot, &snapshot->traces[i], by);
    bool fits = fill(groups, snapshot, bundles, snapshot->count);
    rh_side_memory_release(&room);
    return fits ? RH_OK : no_memory(error);
}

rh_status
rh_trace_groups_make_peak(rh_trace_groups *groups, const rh_trace_snapshot *snapshot,
                          rh_error *error)
{
    *groups = (rh_trace_groups){.by = RH_BY_SIZE};
    const rh_trace_table *sizes = &snapshot->peak_sizes;
    size_t most = rh_trace_table_count(sizes), count = 0;
    rh_side_memory room = {.base = NULL};
    if (most && !rh_side_memory_grow(&room, most * sizeof(bundle)))
        return no_memory(error);
    bundle *bundles = room.base;
    for (size_t i = 0; sizes->entries && i <= sizes->mask; i++) {
        const rh_trace *entry = &sizes->entries[i];
        if (entry->traceback && entry->size_bytes)
            bundles[count++] = (bundle){
                {entry->address, 0}, entry->size_bytes, entry->size_bytes * entry->address};
    }
    bool fits = fill(groups, snapshot, bundles, count);
    rh_side_memory_release(&room);
    return fits ? RH_OK : no_memory(error);
}

void
rh_trace_groups_release(rh_trace_groups *groups)
{
    rh_side_memory_release(&groups->memory);
    *groups = (rh_trace_groups){.count = 0};
}

/* ------------------------------------------------------------------ differences */

static int
compare_frames(const rh_frame *a, const rh_frame *b)
{
    int place = order(a->place, b->place);
    return place ? place : order(a->line, b->line);
}

/* By what the groups are groups of, whatever number a traceback has in its snapshot. */
static int
compare_groups(const rh_trace_group *a, const rh_trace_group *b)
{
    int result = order(a->number, b->number);
    if (!result)
        result = compare_frames(&a->frame, &b->frame);
    if (!result)
        result = order(a->traceback.count, b->traceback.count);
    for (uint32_t i = 1; !result && i < a->traceback.count; i++)
        result = compare_frames(&a->traceback.frames[i], &b->traceback.frames[i]);
    return result ? result : order(a->traceback.total, b->traceback.total);
}

static int
compare_identities(const void *left, const void *right)
{
    return compare_groups(&((const rh_trace_change *)left)->group,
                          &((const rh_trace_change *)right)->group);
}

static uint64_t
magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static int
compare_changes(const void *left, const void *right)
{
    const rh_trace_change *a = left, *b = right;
    uint64_t a_bytes = magnitude(a->bytes_added), b_bytes = magnitude(b->bytes_added);
    if (a_bytes != b_bytes)
        return order(b_bytes, a_bytes);
    if (a->group.bytes != b->group.bytes)
        return order(b->group.bytes, a->group.bytes);
    uint64_t a_blocks = magnitude(a->blocks_added), b_blocks = magnitude(b->blocks_added);
    if (a_blocks != b_blocks)
        return order(b_blocks, a_blocks);
    return compare_identities(left, right);
}

/* Joins a group's two states, which are neighbours. */
static size_t
join_states(rh_trace_change *changes, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        rh_trace_change *last = kept ? &changes[kept - 1] : NULL;
        if (last && compare_identities(last, &changes[i]) == 0) {
            last->group.blocks += changes[i].group.blocks;
            last->group.bytes += changes[i].group.bytes;
            last->blocks_added += changes[i].blocks_added;
            last->bytes_added += changes[i].bytes_added;
        } else {
            changes[kept++] = changes[i];
        }
    }
    return kept;
}

rh_status
rh_trace_changes_make(rh_trace_changes *changes, const rh_trace_groups *before,
                      const rh_trace_groups *now, rh_error *error)
{
    *changes = (rh_trace_changes){.count = 0};
    size_t count = before->count + now->count;
    if (count == 0)
        return RH_OK;
    if (!rh_side_memory_grow(&changes->memory, count * sizeof *changes->changes))
        return no_memory(error);
    changes->changes = changes->memory.base;
    for (size_t i = 0; i < before->count; i++) {
        rh_trace_group gone = before->groups[i];
        int64_t blocks = (int64_t)gone.blocks, bytes = (int64_t)gone.bytes;
        gone.blocks = gone.bytes = 0;
        changes->changes[i] = (rh_trace_change){gone, -blocks, -bytes};
    }
    for (size_t i = 0; i < now->count; i++)
        changes->changes[before->count + i] = (rh_trace_change){
            now->groups[i], (int64_t)now->groups[i].blocks, (int64_t)now->groups[i].bytes};
    sort(changes->changes, count, sizeof *changes->changes, compare_identities);
    changes->count = join_states(changes->changes, count);
    sort(changes->changes, changes->count, sizeof *changes->changes, compare_changes);
    return RH_OK;
}

void
rh_trace_changes_release(rh_trace_changes *changes)
{
    rh_side_memory_release(&changes->memory);
    *changes = (rh_trace_changes){.count = 0};
}
