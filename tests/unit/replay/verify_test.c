/* Verification finds no difference where there is none, and every kind of difference where there is
 * one. The recordings are made here by running pymalloc itself on arenas of a test's own. */
#define _GNU_SOURCE
#include "replay/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/heap.h"
#include "tests/unit/replay/events.h"

enum { CALLS = 30000, SLOTS = 40000, BLOCK = 5000 };

typedef struct recording {
    rh_test_events events;
    rh_heap *heap;
    char *text; /* statistics, when the current call asked for an arena */
    size_t text_size;
    rh_trace_info info;
    size_t at;
    uint64_t next_arena;
    rh_event pending[16];
    size_t pending_count;
    uint64_t arenas;
} recording;

static recording made;

static void *
give_arena(void *ctx, size_t size)
{
    recording *self = ctx;
    if (!self->text) {
        FILE *stream = open_memstream(&self->text, &self->text_size);
        rh_heap_print_stats(self->heap, stream);
        fclose(stream);
    }
    self->next_arena += size * (1 + self->arenas++ % 3);
    self->pending[self->pending_count++] = (rh_event){
        .operation = RH_ARENA_ALLOC, .slot = RH_NO_SLOT, .size = size, .address = self->next_arena};
    return (void *)(uintptr_t)self->next_arena;
}

static void
take_arena(void *ctx, void *arena, size_t size)
{
    recording *self = ctx;
    self->pending[self->pending_count++] = (rh_event){.operation = RH_ARENA_FREE,
                                                      .slot = RH_NO_SLOT,
                                                      .size = size,
                                                      .address = (uint64_t)(uintptr_t)arena};
}

/* Whether a pool served it: only such blocks have addresses below the arenas' end. */
static bool
is_pooled(const rh_event *event, const void *block)
{
    uint64_t address = (uint64_t)(uintptr_t)block;
    return event->operation != RH_FREE && address >= (UINT64_C(1) << 36) &&
           address < (UINT64_C(1) << 40);
}

static void
record_call(recording *self, rh_heap *heap, void **blocks, rh_event event)
{
    const PyMemAllocatorEx *allocator = &heap->domain[event.domain];
    self->pending_count = 0;
    void **block = event.slot == RH_NO_SLOT ? NULL : &blocks[event.slot];
    if (event.operation == RH_FREE)
        allocator->free(allocator->ctx, block ? *block : NULL);
    else if (event.operation == RH_REALLOC)
        *block = allocator->realloc(allocator->ctx, event.flags & RH_EVENT_NULL ? NULL : *block,
                                    event.size);
    else if (event.operation == RH_CALLOC)
        *block = allocator->calloc(allocator->ctx, event.count, event.element);
    else
        *block = allocator->malloc(allocator->ctx, event.size);
    if (self->text)
        rh_test_events_add(&self->events, (rh_event){.operation = RH_CHECKPOINT,
                                                     .slot = RH_NO_SLOT,
                                                     .size = self->text_size,
                                                     .text = self->text});
    self->text = NULL;
    for (size_t i = 0; i < self->pending_count; i++)
        rh_test_events_add(&self->events, self->pending[i]);
    if (block && is_pooled(&event, *block)) {
        event.flags |= RH_EVENT_POOLED;
        event.address = (uint64_t)(uintptr_t)*block;
    }
    rh_test_events_add(&self->events, event);
}

/* Runs the script on a heap of its own. */
static int
record_with(const char *allocator, const char *spec, const char *version)
{
    rh_test_events script = {0};
    rh_test_events_random(&script, 21, CALLS * 2, SLOTS);
    rh_heap *heap;
    rh_error error = {.message = ""};
    made = (recording){.next_arena = UINT64_C(1) << 36};
    rh_trace_info_init(&made.info);
    made.info.python_version = (char *)(uintptr_t)version;
    made.info.allocator = (char *)(uintptr_t)allocator;
    made.info.domains = made.info.addresses = true;
    if (rh_heap_open(spec, &heap, &error) != RH_OK)
        return -1;
    made.heap = heap;
    const PyObjectArenaAllocator arenas = {&made, give_arena, take_arena};
    if (rh_heap_set_arenas(heap, &arenas, &error) != RH_OK)
        return -1;
    void **blocks = calloc(SLOTS, sizeof *blocks);
    for (size_t i = 0; i < script.count; i++)
        if (script.event[i].domain != PYMEM_DOMAIN_RAW)
            record_call(&made, heap, blocks, script.event[i]);
    made.pending_count = 0;
    /* Everything goes, so that arenas do. */
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        size_t last = made.events.count;
        while (last > 0 && made.events.event[last - 1].slot != slot)
            last--;
        if (last > 0 && made.events.event[last - 1].operation != RH_FREE)
            record_call(&made, heap, blocks,
                        (rh_event){.operation = RH_FREE,
                                   .slot = slot,
                                   .domain = made.events.event[last - 1].domain});
    }
    rh_heap_close(heap);
    free(blocks);
    rh_test_events_release(&script);
    return 0;
}

static int
record(void **state)
{
    (void)state;
    return record_with("pymalloc", "pymalloc@3.8,source=virtual,large=space", "3.8.18");
}

static int
record_debug(void **state)
{
    (void)state;
    return record_with("pymalloc_debug", "pymalloc@3.8,source=virtual,large=space+debug", "3.8.18");
}

static int
forget(void **state)
{
    (void)state;
    for (size_t i = 0; i < made.events.count; i++)
        if (made.events.event[i].operation == RH_CHECKPOINT)
            free((char *)(uintptr_t)made.events.event[i].text);
    rh_test_events_release(&made.events);
    return 0;
}

/* Batches that end blocks, with the hashes of the recorded addresses. */
static rh_status
next(void *ctx, rh_batch *batch, rh_error *error)
{
    (void)error;
    recording *self = ctx;
    size_t left = self->events.count - self->at, count = left < BLOCK ? left : BLOCK;
    *batch = (rh_batch){.events = self->events.event + self->at,
                        .count = count,
                        .first_event = self->at,
                        .slots = self->events.slots,
                        .block_ends = true};
    for (size_t i = 0; i < count; i++) {
        const rh_event *event = &batch->events[i];
        if (!(event->flags & RH_EVENT_POOLED))
            continue;
        batch->address_hash = rh_address_hash(batch->address_hash, event->address);
        batch->hashed++;
    }
    self->at += count;
    return RH_OK;
}

static rh_status
verify(rh_verification *result, rh_error *error)
{
    made.at = 0;
    rh_source source = {.ctx = &made, .next = next};
    *error = (rh_error){.status = RH_OK};
    return rh_verify(&source, &made.info, NULL, NULL, result, error);
}

/* The `which`th event of an operation that has all these flags. */
static rh_event *
find(rh_operation operation, unsigned flags, size_t which)
{
    for (size_t i = 0; i < made.events.count; i++) {
        rh_event *event = &made.events.event[i];
        if (event->operation == operation && (event->flags & flags) == flags && which-- == 0)
            return event;
    }
    fail_msg("the recording lacks such an event");
    return NULL;
}

static void
test_all_equal(void **state)
{
    (void)state;
    rh_verification result;
    rh_error error;
    for (int columns = 0; columns < 2; columns++) {
        made.info.addresses = columns;
        assert_int_equal(verify(&result, &error), RH_OK);
        assert_true(result.addresses_compared > 5000);
        assert_int_equal(result.arenas_compared, 2 * made.arenas);
        assert_int_equal(result.checkpoints_compared, made.arenas);
        assert_true(made.arenas > 4);
        assert_string_equal(result.address_difference, "");
    }
}

static void
test_an_address_differs(void **state)
{
    (void)state;
    rh_verification result;
    rh_error error;
    rh_event *event = find(RH_MALLOC, RH_EVENT_POOLED, 3000);
    event->address += 16;
    made.info.addresses = true;
    assert_int_equal(verify(&result, &error), RH_DIFFERENT);
    assert_int_equal(result.addresses_different, 1);
    char expected[64];
    snprintf(expected, sizeof expected, "event %zu ", (size_t)(event - made.events.event));
    assert_non_null(strstr(result.address_difference, expected));
    made.info.addresses = false;
    assert_int_equal(verify(&result, &error), RH_DIFFERENT);
    assert_true(result.addresses_different > 0 && result.addresses_different <= BLOCK);
    assert_non_null(strstr(result.address_difference, "--addresses"));
    event->address -= 16;
    assert_int_equal(verify(&result, &error), RH_OK);
}

static void
test_a_checkpoint_differs(void **state)
{
    (void)state;
    rh_verification result;
    rh_error error;
    char *digit = strstr((char *)(uintptr_t)find(RH_CHECKPOINT, 0, 3)->text, "    3");
    assert_non_null(digit);
    digit[4] = '4';
    assert_int_equal(verify(&result, &error), RH_DIFFERENT);
    assert_int_equal(result.checkpoints_different, 1);
    assert_int_equal(result.addresses_different, 0);
    assert_non_null(strstr(result.checkpoint_difference, "line "));
    digit[4] = '3';
    assert_int_equal(verify(&result, &error), RH_OK);
}

static void
test_arenas_differ(void **state)
{
    (void)state;
    rh_verification result;
    rh_error error;
    rh_event *freed = find(RH_ARENA_FREE, 0, 1), kept = *freed;
    freed->address += 1 << 18;
    assert_int_equal(verify(&result, &error), RH_DIFFERENT);
    assert_int_equal(result.arenas_different, 1);
    assert_int_equal(result.addresses_different, 0);
    *freed = (rh_event){.operation = RH_MARK, .slot = RH_NO_SLOT}; /* as if it had been kept */
    assert_int_equal(verify(&result, &error), RH_DIFFERENT);
    assert_int_equal(result.arenas_different, 1);
    *freed = kept;
    rh_event *got = find(RH_ARENA_ALLOC, 0, 2);
    kept = *got;
    *got = (rh_event){.operation = RH_MARK, .slot = RH_NO_SLOT};
    assert_int_equal(verify(&result, &error), RH_DIFFERENT);
    assert_true(result.arenas_different >= 1);
    assert_non_null(strstr(result.arena_difference, "asks for an arena"));
    assert_true(result.addresses_different > 0);
    *got = kept;
}

/* Another version's rules give other addresses: the check is not blind. */
static void
test_another_version_differs(void **state)
{
    (void)state;
    rh_verification result;
    rh_error error;
    made.info.python_version = (char *)"3.9.1";
    assert_int_equal(verify(&result, &error), RH_DIFFERENT);
    assert_true(result.arenas_different > 0);
    made.info.python_version = (char *)"3.8.18";
}

/* The debug hooks decide where blocks lie: without them nothing is as recorded. */
static void
test_with_debug_hooks(void **state)
{
    (void)state;
    rh_verification result;
    rh_error error;
    assert_int_equal(verify(&result, &error), RH_OK);
    assert_true(result.addresses_compared > 5000);
    assert_non_null(strstr(result.spec, "+debug"));
    made.info.allocator = (char *)"pymalloc";
    assert_int_equal(verify(&result, &error), RH_DIFFERENT);
    assert_true(result.addresses_different > 1000);
    assert_true(result.checkpoints_different > 0);
    made.info.allocator = (char *)"pymalloc_debug";
}

static void
test_refusals(void **state)
{
    (void)state;
    rh_verification result;
    rh_error error;
    static const char *const others[] = {"malloc", "malloc_debug", "mimalloc", NULL};
    for (int i = 0; i < 4; i++) {
        made.info.allocator = (char *)(uintptr_t)others[i];
        assert_int_equal(verify(&result, &error), RH_USAGE);
    }
    made.info.allocator = (char *)"pymalloc";
    made.info.python_version = NULL;
    assert_int_equal(verify(&result, &error), RH_USAGE);
    made.info.python_version = (char *)"2.7.1";
    assert_int_equal(verify(&result, &error), RH_USAGE);
    made.info.python_version = (char *)"3.8.18";
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_equal),
        cmocka_unit_test(test_an_address_differs),
        cmocka_unit_test(test_a_checkpoint_differs),
        cmocka_unit_test(test_arenas_differ),
        cmocka_unit_test(test_another_version_differs),
        cmocka_unit_test(test_refusals),
    };
    const struct CMUnitTest debug_tests[] = {cmocka_unit_test(test_with_debug_hooks)};
    int failed = cmocka_run_group_tests(tests, record, forget);
    return failed + cmocka_run_group_tests(debug_tests, record_debug, forget);
}
