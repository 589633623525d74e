#include "traces/info_habits.h"

#include <stdio.h>

#include "base/output.h"
#include "base/size.h"
#include "traces/info_format.h"
#include "traces/trace_json.h"

static void
lifetime_row(rh_table *table, const char *label, uint64_t blocks, uint64_t bytes, uint64_t all)
{
    char count[RH_SIZE_TEXT], size[RH_SIZE_TEXT];
    double share = rh_info_percent(blocks, all);
    rh_table_cell(table, "  %s", label);
    rh_table_cell(table, "%s", rh_count_grouped(blocks, count, sizeof count));
    rh_table_cell(table, "%.1f %%", share);
    rh_table_cell(table, "%s", rh_size_human(bytes, size, sizeof size));
    rh_table_cell(table, "%s", rh_info_bar(share));
}

static void
print_lifetimes(const rh_habits *habits)
{
    static const char *const heading[] = {"  lives up to, calls", "blocks", "share", "bytes", ""};
    char label[RH_SIZE_TEXT];
    uint64_t all = habits->survivors;
    for (unsigned i = 0; i < RH_LIFETIMES; i++)
        all += habits->lifetimes[i];
    rh_table *table = rh_table_new(5);
    for (unsigned i = 0; i < 5; i++)
        rh_table_cell(table, "%s", heading[i]);
    for (unsigned i = 0; i < RH_LIFETIMES; i++) {
        uint64_t limit = rh_lifetime_limit(i);
        if (habits->lifetimes[i])
            lifetime_row(table,
                         limit == UINT64_MAX ? "longer"
                                             : rh_count_grouped(limit, label, sizeof label),
                         habits->lifetimes[i], habits->lifetime_bytes[i], all);
    }
    lifetime_row(table, "to the end", habits->survivors, habits->survivor_bytes, all);
    putchar('\n');
    rh_table_print(table, stdout);
    rh_table_free(table);
}

static const char *const growth_names[RH_GROWTHS] = {"smaller",      "same",       "to_1.25_times",
                                                     "to_1.5_times", "to_2_times", "more"};

static void
print_growths(const rh_habits *habits)
{
    static const char *const words[RH_GROWTHS] = {
        "get smaller",        "keep their size",     "grow by up to a quarter",
        "grow by up to half", "grow by up to twice", "grow by more"};
    uint64_t all = 0;
    char size[RH_SIZE_TEXT], most[RH_SIZE_TEXT];
    for (unsigned i = 0; i < RH_GROWTHS; i++)
        all += habits->growths[i];
    if (!all)
        return;
    printf("\n  Of the blocks that are resized");
    for (unsigned i = 0; i < RH_GROWTHS; i++)
        if (habits->growths[i])
            printf(", %.1f %% %s", rh_info_percent(habits->growths[i], all), words[i]);
    printf(".\n  Had each moved, %s would have been copied; one was resized %s %s.\n",
           rh_size_human(habits->resized_bytes, size, sizeof size),
           rh_count_grouped(habits->most_resizes, most, sizeof most),
           habits->most_resizes == 1 ? "time" : "times");
}

static void
print_threads(const rh_habits *habits)
{
    enum { THREADS_SHOWN = 12 };
    static const char *const heading[] = {"  thread", "events", "requests", "requested",
                                          "frees of others' blocks"};
    char events[RH_SIZE_TEXT], requests[RH_SIZE_TEXT], bytes[RH_SIZE_TEXT], others[RH_SIZE_TEXT];
    if (habits->thread_count < 2)
        return;
    rh_table *table = rh_table_new(5);
    for (unsigned i = 0; i < 5; i++)
        rh_table_cell(table, "%s", heading[i]);
    for (uint32_t i = 0; i < habits->thread_count && i < THREADS_SHOWN; i++) {
        const rh_thread_habits *thread = &habits->threads[i];
        rh_table_cell(table, "  t%u", (unsigned)i);
        rh_table_cell(table, "%s", rh_count_grouped(thread->events, events, sizeof events));
        rh_table_cell(table, "%s", rh_count_grouped(thread->requests, requests, sizeof requests));
        rh_table_cell(table, "%s", rh_size_human(thread->requested_bytes, bytes, sizeof bytes));
        rh_table_cell(table, "%s", rh_count_grouped(thread->foreign_deaths, others, sizeof others));
    }
    putchar('\n');
    rh_table_print(table, stdout);
    rh_table_free(table);
    if (habits->thread_count > THREADS_SHOWN)
        printf("  ... and %u more (--json has them all)\n",
               (unsigned)(habits->thread_count - THREADS_SHOWN));
}

static void
print_phases(const rh_habits *habits)
{
    enum { PHASES_SHOWN = 20 };
    static const char *const heading[] = {"  phase", "events", "requested", "most alive",
                                          "alive at its end"};
    char events[RH_SIZE_TEXT], bytes[RH_SIZE_TEXT], most[RH_SIZE_TEXT], end[RH_SIZE_TEXT];
    if (habits->phase_count < 2)
        return;
    rh_table *table = rh_table_new(5);
    for (unsigned i = 0; i < 5; i++)
        rh_table_cell(table, "%s", heading[i]);
    for (uint32_t i = 0; i < habits->phase_count && i < PHASES_SHOWN; i++) {
        const rh_phase *phase = &habits->phases[i];
        char name[RH_PHASE_NAME] = "(before the first mark)";
        for (size_t at = 0; i > 0 && at < sizeof name; at++)
            name[at] =
                phase->name[at] && (unsigned char)phase->name[at] < ' ' ? ' ' : phase->name[at];
        rh_table_cell(table, "  %s", name);
        rh_table_cell(table, "%s", rh_count_grouped(phase->events, events, sizeof events));
        rh_table_cell(table, "%s", rh_size_human(phase->requested_bytes, bytes, sizeof bytes));
        rh_table_cell(table, "%s", rh_size_human(phase->peak_bytes, most, sizeof most));
        rh_table_cell(table, "%s", rh_size_human(phase->end_bytes, end, sizeof end));
    }
    putchar('\n');
    rh_table_print(table, stdout);
    rh_table_free(table);
    if (habits->phase_count > PHASES_SHOWN)
        printf("  ... and %u more (--json has them all)\n",
               (unsigned)(habits->phase_count - PHASES_SHOWN));
}

void
rh_info_print_habits(const rh_habits *habits)
{
    print_lifetimes(habits);
    print_growths(habits);
    print_threads(habits);
    print_phases(habits);
}

static json_t *
json_lifetimes(const rh_habits *habits)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < RH_LIFETIMES; i++) {
        if (!habits->lifetimes[i])
            continue;
        json_t *bucket = json_object();
        rh_info_set_count(bucket, "up_to_calls", rh_lifetime_limit(i));
        rh_info_set_count(bucket, "blocks", habits->lifetimes[i]);
        rh_info_set_count(bucket, "bytes", habits->lifetime_bytes[i]);
        json_array_append_new(list, bucket);
    }
    return list;
}

static json_t *
json_threads(const rh_habits *habits)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < habits->thread_count; i++) {
        json_t *thread = json_object();
        rh_info_set_count(thread, "events", habits->threads[i].events);
        rh_info_set_count(thread, "requests", habits->threads[i].requests);
        rh_info_set_count(thread, "bytes", habits->threads[i].requested_bytes);
        rh_info_set_count(thread, "frees_of_others", habits->threads[i].foreign_deaths);
        json_array_append_new(list, thread);
    }
    return list;
}

static json_t *
json_phases(const rh_habits *habits)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < habits->phase_count; i++) {
        const rh_phase *phase = &habits->phases[i];
        json_t *object = json_object();
        json_object_set_new(object, "name", i ? rh_trace_json_string(phase->name) : json_null());
        rh_info_set_count(object, "first_event", phase->first_event);
        rh_info_set_count(object, "events", phase->events);
        rh_info_set_count(object, "requests", phase->requests);
        rh_info_set_count(object, "bytes", phase->requested_bytes);
        rh_info_set_count(object, "peak_requested_bytes", phase->peak_bytes);
        rh_info_set_count(object, "peak_live_blocks", phase->peak_blocks);
        rh_info_set_count(object, "end_requested_bytes", phase->end_bytes);
        rh_info_set_count(object, "end_live_blocks", phase->end_blocks);
        json_array_append_new(list, object);
    }
    return list;
}

void
rh_info_set_habits(json_t *object, const rh_habits *habits)
{
    json_t *growths = json_object();
    for (unsigned i = 0; i < RH_GROWTHS; i++)
        rh_info_set_count(growths, growth_names[i], habits->growths[i]);
    json_object_set_new(object, "lifetimes", json_lifetimes(habits));
    json_object_set_new(object, "resizes", growths);
    rh_info_set_count(object, "resized_bytes", habits->resized_bytes);
    rh_info_set_count(object, "most_resizes", habits->most_resizes);
    json_object_set_new(object, "by_thread", json_threads(habits));
    json_object_set_new(object, "phases", json_phases(habits));
}
