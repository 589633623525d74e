/* What becomes of a recording by way of words is what becomes of it by way of events: the same
 * operations in the same batches, and the same counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/program.h"
#include "tests/unit/traces/story.h"
#include "traces/reader.h"
#include "traces/wording.h"

enum { EVENTS = 30000, CODES = 700, WIDES = 60 };

/* One way through the recording, stopped wherever a batch is full. */
typedef struct way {
    rh_reader *reader;
    rh_compiler compiler;
    rh_wording wording;
    bool in_words;
    rh_batch batch;
    size_t done; /* of its events */
    uint64_t worded;
    bool ended;
    rh_code codes[CODES];
    rh_wide wides[WIDES];
    rh_program program;
} way;

static void
set_out(way *at, const char *path, const rh_compiler *options, bool in_words)
{
    rh_error error = {0};
    *at = (way){.compiler = *options, .in_words = in_words};
    if (rh_reader_open(path, NULL, &at->reader, &error) != RH_OK)
        fail_msg("%s", error.message);
    at->wording = rh_compile_wording(&at->compiler);
    if (in_words)
        rh_reader_use_wording(at->reader, &at->wording);
    at->program = (rh_program){
        .codes = at->codes, .wides = at->wides, .code_capacity = CODES, .wide_capacity = WIDES};
}

static void
read_on(way *at)
{
    rh_error error = {0};
    rh_words words = {.word = at->codes + at->program.code_count};
    rh_status status;
    if (at->in_words) {
        words.capacity = rh_compile_room(&at->compiler, &at->program);
        status = rh_reader_next_words(at->reader, &words, &at->batch, &error);
        assert_true(words.events <= words.capacity);
        assert_true(!words.events || !at->batch.count);
        rh_compile_words(&at->compiler, &words, &at->program);
        at->worded += words.events;
    } else {
        status = rh_reader_next(at->reader, &at->batch, &error);
    }
    if (status != RH_OK)
        fail_msg("%s", error.message);
    at->done = 0;
    at->ended = !at->batch.count && !words.events;
}

/* The next batch; false at the end. */
static bool
fill(way *at)
{
    at->program.code_count = at->program.wide_count = 0;
    memset(at->wides, 0, sizeof at->wides);
    while (!at->ended) {
        at->done += rh_compile(&at->compiler, at->batch.events + at->done,
                               at->batch.count - at->done, &at->program);
        if (at->done < at->batch.count || !rh_compile_room(&at->compiler, &at->program))
            break;
        read_on(at);
    }
    return at->program.code_count != 0;
}

static void
compare_counts(const rh_compiler *left, const rh_compiler *right)
{
    assert_int_equal(left->calls, right->calls);
    assert_int_equal(left->allocations, right->allocations);
    assert_int_equal(left->reallocations, right->reallocations);
    assert_int_equal(left->frees, right->frees);
    assert_int_equal(left->null_frees, right->null_frees);
    assert_int_equal(left->recorded_failures, right->recorded_failures);
    assert_int_equal(left->nested_events, right->nested_events);
    assert_int_equal(left->foreign_events, right->foreign_events);
}

/* Returns how many events had words. */
static uint64_t
compare_ways(const char *path, const rh_compiler *options)
{
    way *events = malloc(sizeof *events), *words = malloc(sizeof *words);
    assert_true(events && words);
    set_out(events, path, options, false);
    set_out(words, path, options, true);
    bool more;
    do {
        more = fill(events);
        assert_int_equal(fill(words), more);
        assert_int_equal(events->program.code_count, words->program.code_count);
        assert_int_equal(events->program.wide_count, words->program.wide_count);
        assert_memory_equal(events->codes, words->codes,
                            events->program.code_count * sizeof *events->codes);
        assert_memory_equal(events->wides, words->wides, sizeof events->wides);
    } while (more);
    assert_true(events->ended && words->ended);
    compare_counts(&events->compiler, &words->compiler);
    uint64_t worded = words->worded;
    rh_reader_close(events->reader);
    rh_reader_close(words->reader);
    free(events);
    free(words);
    return worded;
}

static uint64_t
compare_story(const story_plan *plan, const rh_writer_options *options, rh_compiler compiler)
{
    story told;
    char *path = story_path("words.rht");
    story_make(&told, plan);
    story_write(&told, path, options);
    compiler.has_times = plan->timestamps != RH_TIMES_NONE;
    uint64_t worded = compare_ways(path, &compiler);
    story_release(&told);
    free(path);
    return worded;
}

static void
test_every_kind_of_event(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        story_plan plan = {.seed = seed,
                           .count = EVENTS,
                           .live = seed % 3 ? 40 : 9000,
                           .timestamps = (rh_timestamps)(seed % 3)};
        rh_writer_options options = {.block_events = seed % 2 ? 1000 : 0};
        rh_compiler compiler = {.has_domains = seed % 4 != 0,
                                .domain = PYMEM_DOMAIN_OBJ,
                                .sample_every = seed % 5 ? 97 : 0};
        compiler.next_sample = compiler.sample_every;
        assert_true(compare_story(&plan, &options, compiler) > EVENTS / 2);
    }
}

static void
test_mallocs_and_frees(void **state)
{
    (void)state;
    story_plan plan = {.seed = 3, .count = EVENTS, .live = 300, .plain = true};
    uint64_t worded = compare_story(&plan, NULL, (rh_compiler){.has_domains = true});
    assert_int_equal(worded, EVENTS);
}

/* A column of addresses is read with the events it belongs to. */
static void
test_addresses_leave_no_words(void **state)
{
    (void)state;
    story_plan plan = {.seed = 4, .count = EVENTS, .live = 300, .addresses = true};
    uint64_t worded = compare_story(&plan, NULL, (rh_compiler){.has_domains = true});
    assert_int_equal(worded, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_event),
        cmocka_unit_test(test_mallocs_and_frees),
        cmocka_unit_test(test_addresses_leave_no_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
