/* See loop.h. One body, inlined into a loop for each touch mode, so that no mode pays for another.
 */
#include "replay/loop.h"

#include <stdlib.h>

#include "base/host.h"
#include "replay/aligned.h"

#define INLINE              static inline __attribute__((always_inline))
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* What the loop uses of a target at every operation, copied: calls could change what is in memory,
 * but not what is in registers. */
typedef struct rh_player {
    const PyMemAllocatorEx *domain;
    void **slots;
    rh_target *target;
} rh_player;

INLINE rh_player
player_of(rh_target *target)
{
    return (rh_player){target->heap->domain, target->slots, target};
}

INLINE void
born(rh_player player, uint32_t slot, void *block, uint64_t size, rh_touch touch)
{
    player.slots[slot] = block;
    if (UNLIKELY(!block))
        player.target->failed_allocations++;
    else
        rh_touch_block(block, size, touch);
}

INLINE void
resize(rh_player player, unsigned domain, uint32_t slot, uint64_t size, rh_touch touch)
{
    const PyMemAllocatorEx *allocator = &player.domain[domain];
    void *old = player.slots[slot];
    if (UNLIKELY(!old)) {
        player.target->skipped_events++;
        return;
    }
    void *block = allocator->realloc(allocator->ctx, old, size);
    if (UNLIKELY(!block)) /* the replayed program has no block of the old size any more */
        allocator->free(allocator->ctx, old);
    born(player, slot, block, size, touch);
}

INLINE void
release(rh_player player, unsigned domain, uint32_t slot, uint64_t size, rh_touch touch)
{
    const PyMemAllocatorEx *allocator = &player.domain[domain];
    void *block = player.slots[slot];
    if (UNLIKELY(!block)) {
        player.target->skipped_events++;
        return;
    }
    rh_touch_last(block, size, touch);
    allocator->free(allocator->ctx, block);
}

static __attribute__((noinline)) void
run_wide(rh_target *target, const rh_wide *wide, rh_touch touch)
{
    rh_player player = player_of(target);
    const PyMemAllocatorEx *allocator = &player.domain[wide->domain];
    uint64_t size = wide->size;
    void *block;
    switch ((rh_wide_kind)wide->kind) {
    case RH_WIDE_SAMPLE:
        return;
    case RH_WIDE_FREE:
        release(player, wide->domain, wide->slot, size, touch);
        return;
    case RH_WIDE_REALLOC:
        size = size == 0 && !target->zero_fits ? 1 : size;
        resize(player, wide->domain, wide->slot, size, touch);
        return;
    case RH_WIDE_MALLOC:
        block = allocator->malloc(allocator->ctx, size);
        break;
    case RH_WIDE_CALLOC:
        block = allocator->calloc(allocator->ctx, wide->count, wide->element);
        break;
    case RH_WIDE_NEW:
        block = allocator->realloc(allocator->ctx, NULL, size);
        break;
    default:
        block = rh_replay_aligned(target->heap, wide);
        break;
    }
    born(player, wide->slot, block, size, touch);
}

INLINE void
run_malloc(rh_player player, rh_code code, rh_touch touch)
{
    const PyMemAllocatorEx *allocator = &player.domain[RH_CODE_DOMAIN(RH_CODE_OF(code))];
    uint64_t size = RH_CODE_SIZE(code);
    born(player, RH_CODE_SLOT(code), allocator->malloc(allocator->ctx, size), size, touch);
}

INLINE void
run_free(rh_player player, rh_code code, rh_touch touch)
{
    release(player, RH_CODE_DOMAIN(RH_CODE_OF(code)), RH_CODE_SLOT(code), RH_CODE_SIZE(code),
            touch);
}

INLINE void
run_calloc(rh_player player, rh_code code, rh_touch touch)
{
    const PyMemAllocatorEx *allocator = &player.domain[RH_CODE_DOMAIN(RH_CODE_OF(code))];
    uint64_t size = RH_CODE_SIZE(code);
    born(player, RH_CODE_SLOT(code), allocator->calloc(allocator->ctx, 1, size), size, touch);
}

INLINE void
run_realloc(rh_player player, rh_code code, rh_touch touch)
{
    resize(player, RH_CODE_DOMAIN(RH_CODE_OF(code)), RH_CODE_SLOT(code), RH_CODE_SIZE(code), touch);
}

INLINE void
run_elements(rh_player player, rh_code code, rh_touch touch)
{
    const PyMemAllocatorEx *allocator = &player.domain[RH_CODE_DOMAIN(RH_CODE_OF(code))];
    uint64_t size = RH_CODE_SIZE(code);
    uint64_t count = RH_CODE_COUNT_OF(size), bytes = RH_CODE_BYTES_OF(size);
    void *block = allocator->calloc(allocator->ctx, count, bytes);
    born(player, RH_CODE_SLOT(code), block, count * bytes, touch);
}

INLINE void
run_new(rh_player player, rh_code code, rh_touch touch)
{
    const PyMemAllocatorEx *allocator = &player.domain[RH_CODE_DOMAIN(RH_CODE_OF(code))];
    uint64_t size = RH_CODE_SIZE(code);
    born(player, RH_CODE_SLOT(code), allocator->realloc(allocator->ctx, NULL, size), size, touch);
}

INLINE void
run_rare(rh_player player, rh_code code, const rh_wide *wides, rh_touch touch)
{
    unsigned kind = RH_CODE_OF(code);
    if (kind == RH_CODE_WIDE) {
        run_wide(player.target, &wides[RH_CODE_SIZE(code)], touch);
    } else if (kind == RH_CODE_FREE_NULL) {
        const PyMemAllocatorEx *allocator = &player.domain[RH_CODE_SIZE(code)];
        allocator->free(allocator->ctx, NULL);
    } else if (kind < RH_CODE_CALLOC) {
        run_realloc(player, code, touch);
    } else if (kind < RH_CODE_NEW) {
        run_calloc(player, code, touch);
    } else if (kind < RH_CODE_ELEMENTS) {
        run_new(player, code, touch);
    } else {
        run_elements(player, code, touch);
    }
}

INLINE void
run_code(rh_player player, rh_code code, const rh_wide *wides, rh_touch touch)
{
    if (UNLIKELY(code & RH_CODE_RARE))
        run_rare(player, code, wides, touch);
    else if (code & RH_CODE_DIES)
        run_free(player, code, touch);
    else
        run_malloc(player, code, touch);
}

/* Four times over, so that each copy's branches are foreseen by themselves: 0.03 to 0.13 ns of 1.4
 * to 1.7 an event with `bump`. (Eight gain no more; a jump by the kinds of the next two, three or
 * four operations costs 0.2 to 0.6 ns.) */
#define LOOP(name, touch)                                                                          \
    static __attribute__((noinline)) void name(rh_target *target, const rh_program *program)       \
    {                                                                                              \
        const rh_code *end = program->codes + program->code_count;                                 \
        const rh_wide *wides = program->wides;                                                     \
        const rh_player player = player_of(target);                                                \
        _Pragma("GCC unroll 4") for (const rh_code *code = program->codes; code < end; code++)     \
            run_code(player, *code, wides, touch);                                                 \
    }
LOOP(run_none, RH_TOUCH_NONE)
LOOP(run_first, RH_TOUCH_FIRST)
LOOP(run_pages, RH_TOUCH_PAGES)
LOOP(run_lines, RH_TOUCH_LINES)
LOOP(run_write, RH_TOUCH_WRITE)
LOOP(run_read, RH_TOUCH_READ)
#undef LOOP

void
rh_loop_run(rh_target *target, const rh_program *program)
{
    switch (target->touch) {
    case RH_TOUCH_NONE:
        run_none(target, program);
        break;
    case RH_TOUCH_FIRST:
        run_first(target, program);
        break;
    case RH_TOUCH_PAGES:
        run_pages(target, program);
        break;
    case RH_TOUCH_LINES:
        run_lines(target, program);
        break;
    case RH_TOUCH_WRITE:
        run_write(target, program);
        break;
    case RH_TOUCH_READ:
        run_read(target, program);
        break;
    }
}

/* Waits for what came before, then reads the counter: nothing of the call leaks out of the pair. */
INLINE uint64_t
probe(void)
{
    __builtin_ia32_lfence();
    uint64_t ticks = rh_host_ticks();
    __builtin_ia32_lfence();
    return ticks;
}

/* Which histogram an operation of the table beside belongs to; -1 for none (a sample). */
static int
timed_wide(const rh_wide *wide)
{
    static const signed char of_kind[] = {RH_TIMED_MALLOC,
                                          RH_TIMED_CALLOC,
                                          RH_TIMED_REALLOC,
                                          RH_TIMED_REALLOC,
                                          RH_TIMED_MALLOC,
                                          RH_TIMED_FREE,
                                          -1};
    return of_kind[wide->kind];
}

/* What an operation is, without doing it. */
typedef struct call_facts {
    int operation; /* rh_timed; -1: not timed (a free of NULL, a sample) */
    uint32_t slot;
    uint64_t size; /* asked for; free: of the block */
} call_facts;

static call_facts
facts_of(rh_code code, const rh_wide *wides)
{
    static const signed char of_code[] = {
        [RH_CODE_MALLOC] = RH_TIMED_MALLOC,   [RH_CODE_FREE] = RH_TIMED_FREE,
        [RH_CODE_REALLOC] = RH_TIMED_REALLOC, [RH_CODE_CALLOC] = RH_TIMED_CALLOC,
        [RH_CODE_NEW] = RH_TIMED_REALLOC,     [RH_CODE_ELEMENTS] = RH_TIMED_CALLOC};
    unsigned kind = RH_CODE_OF(code);
    uint64_t size = RH_CODE_SIZE(code);
    if (kind == RH_CODE_FREE_NULL)
        return (call_facts){.operation = -1};
    if (kind == RH_CODE_WIDE) {
        const rh_wide *wide = &wides[size];
        return (call_facts){timed_wide(wide), wide->slot, wide->size};
    }
    if (RH_CODE_CALL(kind) == RH_CODE_ELEMENTS)
        size = RH_CODE_COUNT_OF(size) * RH_CODE_BYTES_OF(size);
    return (call_facts){of_code[RH_CODE_CALL(kind)], RH_CODE_SLOT(code), size};
}

/* What the replayed program does with its blocks is not the allocator's time. */
static void
touch_before(const rh_target *target, call_facts facts)
{
    if (facts.operation == RH_TIMED_FREE && target->slots[facts.slot])
        rh_touch_last(target->slots[facts.slot], facts.size, target->touch);
}

static void
touch_after(rh_target *target, call_facts facts)
{
    if (facts.operation < 0 || facts.operation == RH_TIMED_FREE)
        return;
    if (target->slots[facts.slot])
        rh_touch_block(target->slots[facts.slot], facts.size, target->touch);
}

static inline void
note(rh_latency *latency, call_facts facts, uint64_t ns)
{
    rh_histogram_add(&latency->histogram[facts.operation][rh_size_range(facts.size)], ns);
}

/* One operation between two probes. `pacer`: NULL when it is due at no time. */
INLINE void
run_probed(rh_player player, rh_code code, const rh_wide *wides, rh_stopwatch *watch,
           rh_pacer *pacer)
{
    rh_target *target = player.target;
    call_facts facts = facts_of(code, wides);
    uint64_t skipped = target->skipped_events;
    if (target->touch == RH_TOUCH_READ)
        touch_before(target, facts);
    uint64_t start = probe();
    run_code(player, code, wides, RH_TOUCH_NONE);
    uint64_t end = probe();
    if (facts.operation >= 0 && skipped == target->skipped_events) {
        note(watch->service, facts, rh_ticks_ns(end - start, watch->scale));
        if (pacer)
            note(pacer->response, facts, rh_pacer_note(pacer, start, end));
    }
    if (target->touch != RH_TOUCH_NONE)
        touch_after(target, facts);
}

void
rh_loop_probe(rh_target *target, const rh_program *program, rh_stopwatch *watch)
{
    const rh_player player = player_of(target);
    for (uint32_t i = 0; i < program->code_count; i++)
        run_probed(player, program->codes[i], program->wides, watch, NULL);
}

void
rh_loop_paced(rh_target *target, const rh_program *program, rh_stopwatch *watch, rh_pacer *pacer)
{
    const rh_player player = player_of(target);
    for (uint32_t i = 0; i < program->code_count; i++) {
        rh_code code = program->codes[i];
        if (RH_CODE_OF(code) == RH_CODE_TIME)
            rh_pacer_await(pacer, RH_CODE_AT(code));
        else
            run_probed(player, code, program->wides, watch, pacer);
    }
}

void
rh_loop_on_time(rh_target *target, const rh_program *program, rh_pacer *pacer)
{
    const rh_player player = player_of(target);
    for (uint32_t i = 0; i < program->code_count; i++) {
        rh_code code = program->codes[i];
        if (RH_CODE_OF(code) == RH_CODE_TIME) {
            rh_pacer_await(pacer, RH_CODE_AT(code));
            continue;
        }
        rh_pacer_begin(pacer);
        run_code(player, code, program->wides, target->touch);
    }
}

static int
compare_ticks(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

uint64_t
rh_loop_calibrate(const rh_stopwatch *watch, unsigned probes, rh_histogram *ns)
{
    enum { KEPT = 4097 };
    uint64_t ticks[KEPT];
    unsigned kept = probes < KEPT ? probes : KEPT;
    for (unsigned i = 0; i < probes; i++) {
        uint64_t start = probe();
        uint64_t took = probe() - start;
        ticks[i % KEPT] = took;
        rh_histogram_add(ns, rh_ticks_ns(took, watch->scale));
    }
    qsort(ticks, kept, sizeof *ticks, compare_ticks);
    return kept ? ticks[kept / 2] : 0;
}
