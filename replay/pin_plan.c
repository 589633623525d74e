#include "replay/pin_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

#define TENTHS 10

/* The call that a word means; false: there is none. */
static bool
find_event(const rh_scan *scan, const char *word, uint64_t *event)
{
    for (size_t i = 0; i < scan->mark_count; i++) {
        if (strcmp(scan->marks[i].text, word) != 0)
            continue;
        *event = scan->marks[i].event;
        return *event > 0;
    }
    return rh_count_parse(word, event) && *event > 0 && *event <= scan->counts.calls;
}

rh_status
rh_pin_wish_check(const rh_pin_wish *wish, const rh_scan *scan, const char *path, rh_error *error)
{
    uint64_t event;
    for (size_t i = 0; i < wish->at_count; i++)
        if (!find_event(scan, wish->at[i], &event))
            return rh_fail(error, RH_USAGE,
                           "%s: --at %s: there is no such mark, and it is no event from 1 to "
                           "%" PRIu64 "; `reheap info` lists the marks",
                           path, wish->at[i], scan->counts.calls);
    return RH_OK;
}

static void
add_point(rh_pin_order *order, const char *name, uint64_t event)
{
    if (event == 0)
        return; /* before the first call nothing is held */
    snprintf(order->points[order->point_count].name, RH_PIN_NAME, "%s", name);
    order->points[order->point_count++].event = event;
}

/* The place of a phase's name; of too many names, the last place is that of all the rest. */
static uint32_t
birth_of(rh_pin_order *order, const char *name)
{
    char cut[RH_PIN_NAME];
    snprintf(cut, sizeof cut, "%s", name);
    for (uint32_t i = 0; i < order->birth_count; i++)
        if (strcmp(order->births[i], cut) == 0)
            return i;
    if (order->birth_count == RH_PIN_BIRTHS)
        return RH_PIN_BIRTHS - 1;
    uint32_t place = order->birth_count++;
    bool rest = place == RH_PIN_BIRTHS - 1;
    snprintf(order->births[place], RH_PIN_NAME, "%s", rest ? "(other phases)" : cut);
    return place;
}

static void
add_phase(rh_pin_order *order, const char *name, uint64_t calls)
{
    if (order->phase_count == RH_PIN_PHASES)
        return;
    order->phases[order->phase_count].calls = calls;
    order->phases[order->phase_count++].birth = birth_of(order, name);
}

/* From mark to mark; where the program announced none, tenths of the recording. */
static void
plan_phases(const rh_scan *scan, rh_pin_order *order)
{
    uint64_t calls = scan->counts.calls;
    char name[32];
    if (scan->mark_count)
        add_phase(order, "(before the first mark)", 0);
    for (size_t i = 0; i < scan->mark_count; i++)
        add_phase(order, scan->marks[i].text, scan->marks[i].event);
    for (unsigned i = 0; !scan->mark_count && i < TENTHS; i++) {
        snprintf(name, sizeof name, "%u-%u %% of the calls", i * 100 / TENTHS,
                 (i + 1) * 100 / TENTHS);
        add_phase(order, name, calls / TENTHS * i + calls % TENTHS * i / TENTHS);
    }
}

static void
plan_unders(const rh_pin_wish *wish, rh_pin_order *order)
{
    static const unsigned standard[] = {10, 25, 50};
    unsigned other = wish->under_percent;
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
        order->unders[order->under_count++] = standard[i];
        other = other == standard[i] ? 0 : other;
    }
    if (other)
        order->unders[order->under_count++] = other;
}

void
rh_pin_plan(const rh_pin_wish *wish, const rh_scan *scan, bool aged,
            const rh_arena_history *history, const rh_memory_totals *totals, rh_pin_order *order)
{
    *order = (rh_pin_order){0};
    if (aged)
        birth_of(order, "(before, by --age)"); /* the first: that of blocks in no phase */
    plan_phases(scan, order);
    plan_unders(wish, order);
    if (!history->known)
        return;
    add_point(order, "peak", totals->peak.event);
    add_point(order, "worst", history->worst.event);
    add_point(order, "end", totals->calls);
    for (size_t i = 0; i < wish->at_count; i++) {
        uint64_t event = 0;
        if (find_event(scan, wish->at[i], &event))
            add_point(order, wish->at[i], event);
    }
}
