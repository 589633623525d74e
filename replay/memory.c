#include "replay/memory.h"

#include <math.h>

#include "replay/aligned.h"
#include "replay/self_maps.h"

/* The least step between two looks at a foreign heap that grows. */
#define LOOK_BYTES (UINT64_C(64) << 10)

double
rh_sample_rounding(const rh_sample *sample)
{
    if (sample->counters.block_bytes == RH_UNKNOWN)
        return NAN;
    return (double)sample->counters.block_bytes - (double)sample->requested_bytes;
}

double
rh_resident_mean(const rh_resident_over_time *resident)
{
    return resident->ns ? resident->byte_ns / (double)resident->ns : NAN;
}

static void
add_resident_time(rh_resident_over_time *resident, const rh_sample *sample)
{
    if (sample->time_ns == RH_UNKNOWN || sample->resident_bytes == RH_UNKNOWN)
        return;
    if (resident->last_bytes != RH_UNKNOWN && sample->time_ns > resident->last_ns) {
        uint64_t ns = sample->time_ns - resident->last_ns;
        resident->byte_ns += (double)resident->last_bytes * (double)ns;
        resident->ns += ns;
    }
    resident->last_ns = sample->time_ns;
    resident->last_bytes = sample->resident_bytes;
}

/* Takes as much of `room` as the part says it has, so that what an allocator says of itself never
 * comes to more than what there is. Returns the room that is left. */
static uint64_t
fit(uint64_t *part, uint64_t room)
{
    if (*part == RH_UNKNOWN)
        return room;
    if (*part > room)
        *part = room;
    return room - *part;
}

/* The parts beside blocks, as far as the allocator tells them; what is left is other_bytes. Those
 * that are surely within what is mapped come first: memory that was given back, and addresses kept,
 * may not be. */
static void
complete_parts(rh_counters *counters, uint64_t block_bytes)
{
    uint64_t room = counters->mapped_bytes - block_bytes;
    uint64_t *const parts[] = {&counters->header_bytes,     &counters->page_header_bytes,
                               &counters->page_tail_bytes,  &counters->metadata_bytes,
                               &counters->free_block_bytes, &counters->free_page_bytes,
                               &counters->free_arena_bytes};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        room = fit(parts[i], room);
    counters->other_bytes = room;
}

/* What a foreign heap does not tell is filled in from outside: mapped bytes from the kernel, blocks
 * in use from usable sizes; the rest is other_bytes. What is mapped is at least what the blocks
 * take: memory from before the run may serve some. */
static void
complete_counters(const rh_memory *memory, rh_counters *counters)
{
    if (memory->heap->mapped_bytes)
        return;
    uint64_t mapped = rh_self_mapped_bytes();
    uint64_t before = memory->before.mapped_bytes;
    if (mapped == RH_UNKNOWN || before == RH_UNKNOWN)
        return;
    counters->mapped_bytes = mapped > before ? mapped - before : 0;
    if (counters->block_bytes == RH_UNKNOWN && memory->usable_known)
        counters->block_bytes = memory->usable_bytes;
    if (counters->other_bytes != RH_UNKNOWN)
        return;
    if (memory->heap->block_header_bytes) {
        uint64_t beside = counters->header_bytes == RH_UNKNOWN ? 0 : counters->header_bytes;
        counters->header_bytes = beside + memory->live_blocks * memory->heap->block_header_bytes;
    }
    uint64_t block_bytes =
        counters->block_bytes == RH_UNKNOWN ? memory->requested_bytes : counters->block_bytes;
    block_bytes += memory->aged_block_bytes == RH_UNKNOWN ? 0 : memory->aged_block_bytes;
    if (counters->mapped_bytes < block_bytes)
        counters->mapped_bytes = block_bytes;
    complete_parts(counters, block_bytes);
}

/* What lived before the first call was asked for by nobody: it is a part of its own, beside the
 * blocks. */
static void
set_aged_apart(const rh_memory *memory, rh_counters *counters)
{
    if (memory->aged_block_bytes != RH_UNKNOWN && counters->block_bytes != RH_UNKNOWN)
        counters->block_bytes -= memory->aged_block_bytes;
}

static void
take_sample(const rh_memory *memory, uint64_t time_ns, rh_sample *sample)
{
    *sample = (rh_sample){.event = memory->totals->calls,
                          .time_ns = time_ns,
                          .requested_bytes = memory->requested_bytes,
                          .live_blocks = memory->live_blocks,
                          .resident_bytes = RH_UNKNOWN,
                          .aged_block_bytes = memory->aged_block_bytes};
    rh_heap_snapshot(memory->heap, &sample->counters);
    set_aged_apart(memory, &sample->counters);
    complete_counters(memory, &sample->counters);
}

static void
add_resident(rh_memory *memory, rh_sample *sample)
{
    uint64_t resident = rh_self_resident_bytes();
    uint64_t before = memory->before.resident_bytes;
    if (resident == RH_UNKNOWN || before == RH_UNKNOWN)
        return;
    resident = resident > before ? resident - before : 0;
    sample->resident_bytes = resident;
    if (resident > memory->totals->peak_resident_bytes)
        memory->totals->peak_resident_bytes = resident;
}

/* Whether a look at a foreign heap takes the place of the one kept as the peak. Of equal ones the
 * one with the most requested stays, or a heap that reserves all at its first call would be told by
 * that call. */
static bool
is_higher(const rh_sample *sample, const rh_sample *peak)
{
    uint64_t mapped = sample->counters.mapped_bytes;
    if (mapped != peak->counters.mapped_bytes)
        return mapped > peak->counters.mapped_bytes;
    return sample->requested_bytes > peak->requested_bytes;
}

/* Peaks of a foreign heap, as far as it is looked at. */
static void
compare_foreign(rh_memory *memory, const rh_sample *sample)
{
    rh_memory_totals *totals = memory->totals;
    uint64_t mapped = sample->counters.mapped_bytes;
    if (mapped == RH_UNKNOWN)
        return;
    bool first = totals->mapped_at_peak_requested == RH_UNKNOWN;
    if (memory->round_peak_mapped == RH_UNKNOWN || mapped > memory->round_peak_mapped)
        memory->round_peak_mapped = mapped;
    if (first || is_higher(sample, &totals->peak))
        totals->peak = *sample;
    if (first || memory->requested_bytes > memory->looked_requested) {
        memory->looked_requested = memory->requested_bytes;
        totals->mapped_at_peak_requested = mapped;
    }
}

static void
look_at_foreign(rh_memory *memory)
{
    rh_sample sample;
    memory->next_look = memory->requested_bytes + memory->requested_bytes / 128 + LOOK_BYTES;
    take_sample(memory, RH_UNKNOWN, &sample);
    add_resident(memory, &sample);
    compare_foreign(memory, &sample);
}

static void
record_sample(rh_memory *memory, uint64_t time_ns, bool last)
{
    rh_sample sample;
    take_sample(memory, time_ns, &sample);
    add_resident(memory, &sample);
    if (!memory->heap->mapped_bytes) {
        compare_foreign(memory, &sample);
        if (sample.counters.mapped_bytes != RH_UNKNOWN)
            rh_fragmentation_count(&memory->totals->fragmentation, sample.counters.mapped_bytes,
                                   memory->requested_bytes,
                                   memory->totals->calls - memory->sampled_calls);
    }
    memory->sampled_calls = memory->totals->calls;
    add_resident_time(&memory->totals->resident, &sample);
    if (sample.counters.mapped_bytes != RH_UNKNOWN)
        rh_fragmentation_at(&memory->totals->fragmentation, time_ns, sample.counters.mapped_bytes,
                            memory->requested_bytes);
    memory->totals->end = sample;
    if (memory->totals->sample_count < memory->sample_capacity)
        memory->samples[memory->totals->sample_count++] = sample;
    if (memory->watch && memory->watch->sampled)
        memory->watch->sampled(memory->watch->ctx, &sample, last);
}

void
rh_memory_begin(rh_memory *memory, rh_heap *heap, rh_memory_before before)
{
    memory->heap = heap;
    memory->usable_known = heap->operations->usable_size != NULL;
    memory->before = before;
    memory->totals->mapped_at_peak_requested = RH_UNKNOWN;
    memory->totals->resident.last_bytes = RH_UNKNOWN;
    memory->round_peak_mapped = RH_UNKNOWN;
    record_sample(memory, RH_UNKNOWN, false);
    memory->totals->peak = memory->totals->end;
    rh_memory_round(memory);
}

void
rh_memory_round(rh_memory *memory)
{
    memory->round_peak_requested = memory->requested_bytes;
    memory->round_peak_mapped = RH_UNKNOWN;
    if (memory->heap->mapped_bytes)
        memory->round_peak_mapped = *memory->heap->mapped_bytes;
}

static uint64_t
usable(const rh_memory *memory, unsigned domain, const void *block)
{
    if (!memory->usable_known)
        return 0;
    return rh_heap_usable_size(memory->heap, (PyMemAllocatorDomain)domain, block);
}

/* The number of the call that is being played. */
static uint64_t
this_call(const rh_memory *memory)
{
    return memory->totals->calls + 1;
}

static void
tell_birth(const rh_memory *memory, uint32_t slot, unsigned domain)
{
    if (memory->watch && memory->watch->born)
        memory->watch->born(memory->watch->ctx, this_call(memory), slot, domain);
}

static void
tell_death(const rh_memory *memory, uint32_t slot)
{
    if (memory->watch && memory->watch->died)
        memory->watch->died(memory->watch->ctx, this_call(memory), slot);
}

static void
name(const rh_memory *memory, const void *block)
{
    if (memory->locality)
        rh_locality_name(memory->locality, block);
}

static void
count_birth(rh_memory *memory, unsigned domain, uint32_t slot, void *block, uint64_t size)
{
    memory->slots[slot] = (rh_memory_slot){block, size};
    if (!block) {
        memory->totals->failed_allocations++;
        return;
    }
    name(memory, block);
    memory->requested_bytes += size;
    memory->live_blocks++;
    memory->usable_bytes += usable(memory, domain, block);
    rh_touch_block(block, size, memory->touch);
}

static void
count_death(rh_memory *memory, unsigned domain, uint32_t slot)
{
    name(memory, memory->slots[slot].block);
    memory->requested_bytes -= memory->slots[slot].requested_bytes;
    memory->live_blocks--;
    memory->usable_bytes -= usable(memory, domain, memory->slots[slot].block);
}

static void
play_free(rh_memory *memory, unsigned domain, uint32_t slot)
{
    const PyMemAllocatorEx *allocator = &memory->heap->domain[domain];
    void *block = memory->slots[slot].block;
    if (!block) {
        memory->totals->skipped_events++;
        return;
    }
    memory->totals->frees++;
    rh_touch_last(block, memory->slots[slot].requested_bytes, memory->touch);
    count_death(memory, domain, slot);
    tell_death(memory, slot);
    memory->slots[slot].block = NULL;
    allocator->free(allocator->ctx, block);
}

static void
play_realloc(rh_memory *memory, unsigned domain, uint32_t slot, uint64_t size)
{
    const PyMemAllocatorEx *allocator = &memory->heap->domain[domain];
    void *old = memory->slots[slot].block;
    if (!old) {
        memory->totals->skipped_events++;
        return;
    }
    memory->totals->reallocations++;
    count_death(memory, domain, slot);
    size_t asked = size == 0 && !memory->zero_fits ? 1 : size;
    void *block = allocator->realloc(allocator->ctx, old, asked);
    if (!block)
        allocator->free(allocator->ctx, old);
    if (block != old)
        tell_death(memory, slot);
    count_birth(memory, domain, slot, block, size);
    if (block && block != old)
        tell_birth(memory, slot, domain);
}

static void
count_new(rh_memory *memory, unsigned domain, uint32_t slot, void *block, uint64_t size)
{
    memory->totals->allocations++;
    count_birth(memory, domain, slot, block, size);
    if (block)
        tell_birth(memory, slot, domain);
}

static void *
give_birth(rh_heap *heap, const rh_wide *wide)
{
    const PyMemAllocatorEx *allocator = &heap->domain[wide->domain];
    switch ((rh_wide_kind)wide->kind) {
    case RH_WIDE_CALLOC:
        return allocator->calloc(allocator->ctx, wide->count, wide->element);
    case RH_WIDE_NEW:
        return allocator->realloc(allocator->ctx, NULL, wide->size);
    case RH_WIDE_ALIGNED:
        return rh_replay_aligned(heap, wide);
    default:
        return allocator->malloc(allocator->ctx, wide->size);
    }
}

static void
play_wide(rh_memory *memory, const rh_wide *wide)
{
    switch ((rh_wide_kind)wide->kind) {
    case RH_WIDE_FREE:
        play_free(memory, wide->domain, wide->slot);
        break;
    case RH_WIDE_REALLOC:
        play_realloc(memory, wide->domain, wide->slot, wide->size);
        break;
    case RH_WIDE_SAMPLE:
        record_sample(memory, wide->count, false);
        break;
    default:
        count_new(memory, wide->domain, wide->slot, give_birth(memory->heap, wide), wide->size);
        break;
    }
}

static void
play(rh_memory *memory, rh_code code, const rh_wide *wides)
{
    unsigned kind = RH_CODE_OF(code), domain = RH_CODE_DOMAIN(kind);
    uint32_t slot = RH_CODE_SLOT(code);
    uint64_t size = RH_CODE_SIZE(code);
    if (kind == RH_CODE_WIDE) {
        play_wide(memory, &wides[size]);
        return;
    }
    if (kind == RH_CODE_FREE_NULL) {
        memory->totals->null_frees++;
        memory->heap->domain[size].free(memory->heap->domain[size].ctx, NULL);
        return;
    }
    const PyMemAllocatorEx *allocator = &memory->heap->domain[domain];
    switch (RH_CODE_CALL(kind)) {
    case RH_CODE_MALLOC:
        count_new(memory, domain, slot, allocator->malloc(allocator->ctx, size), size);
        break;
    case RH_CODE_CALLOC:
        count_new(memory, domain, slot, allocator->calloc(allocator->ctx, 1, size), size);
        break;
    case RH_CODE_NEW:
        count_new(memory, domain, slot, allocator->realloc(allocator->ctx, NULL, size), size);
        break;
    case RH_CODE_ELEMENTS: {
        uint64_t count = RH_CODE_COUNT_OF(size), bytes = RH_CODE_BYTES_OF(size);
        count_new(memory, domain, slot, allocator->calloc(allocator->ctx, count, bytes),
                  count * bytes);
        break;
    }
    case RH_CODE_REALLOC:
        play_realloc(memory, domain, slot, size);
        break;
    default:
        play_free(memory, domain, slot);
        break;
    }
}

static void
keep_peaks(rh_memory *memory)
{
    rh_memory_totals *totals = memory->totals;
    const uint64_t *mapped = memory->heap->mapped_bytes;
    if (memory->live_blocks > totals->peak_live_blocks)
        totals->peak_live_blocks = memory->live_blocks;
    if (memory->usable_bytes > totals->peak_usable_bytes)
        totals->peak_usable_bytes = memory->usable_bytes;
    if (memory->requested_bytes > memory->round_peak_requested)
        memory->round_peak_requested = memory->requested_bytes;
    if (memory->requested_bytes > totals->peak_requested_bytes) {
        totals->peak_requested_bytes = memory->requested_bytes;
        if (mapped)
            totals->mapped_at_peak_requested = *mapped;
    }
    if (!mapped) {
        if (memory->requested_bytes > memory->next_look)
            look_at_foreign(memory);
        return;
    }
    rh_fragmentation_count(&totals->fragmentation, *mapped, memory->requested_bytes, 1);
    if (*mapped > memory->round_peak_mapped)
        memory->round_peak_mapped = *mapped;
    if (*mapped > totals->peak.counters.mapped_bytes) {
        take_sample(memory, RH_UNKNOWN, &totals->peak);
        add_resident(memory, &totals->peak);
    }
}

void
rh_memory_run(rh_memory *memory, const rh_program *program)
{
    for (uint32_t i = 0; i < program->code_count; i++) {
        rh_code code = program->codes[i];
        if (RH_CODE_OF(code) == RH_CODE_TIME) {
            if (memory->pacer)
                rh_pacer_await(memory->pacer, RH_CODE_AT(code));
            continue;
        }
        play(memory, code, program->wides);
        bool sample = RH_CODE_OF(code) == RH_CODE_WIDE &&
                      program->wides[RH_CODE_SIZE(code)].kind == RH_WIDE_SAMPLE;
        if (sample)
            continue;
        if (memory->pacer)
            rh_pacer_begin(memory->pacer);
        memory->totals->calls++;
        if (memory->locality)
            rh_locality_count(memory->locality);
        keep_peaks(memory);
        if (memory->watch && memory->totals->calls == memory->watch->next_call)
            memory->watch->reached(memory->watch->ctx, memory->totals->calls);
    }
}

void
rh_memory_end(rh_memory *memory, uint64_t time_ns)
{
    if (memory->locality) {
        memory->totals->locality_windows = memory->locality->windows;
        memory->totals->pages_named = memory->locality->pages_sum;
        memory->totals->lines_named = memory->locality->lines_sum;
    }
    record_sample(memory, time_ns, true);
    if (!memory->usable_known)
        memory->totals->peak_usable_bytes = RH_UNKNOWN;
}
