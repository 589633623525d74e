#define _GNU_SOURCE
#include "replay/pace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/host.h"

#define SLEEP_LEAST_NS 3e5   /* what is nearer is spun for */
#define WAKE_EARLY_NS  1.5e5 /* a sleeper wakes up late */
#define SLEEP_MOST_NS  5e8   /* between two beats */

bool
rh_pace_parse(const char *text, double *pace)
{
    char *end;
    if (strcmp(text, "none") == 0) {
        *pace = 0;
        return true;
    }
    if (*text < '0' || *text > '9')
        return false;
    double value = strtod(text, &end);
    if (strcmp(end, "x") != 0 || !(value >= RH_PACE_LEAST && value <= RH_PACE_MOST))
        return false;
    *pace = value;
    return true;
}

char *
rh_pace_text(double pace, char *text, size_t capacity)
{
    double back = -1;
    snprintf(text, capacity, "none");
    for (int places = 0; pace > 0 && back != pace && places <= 17; places++) {
        snprintf(text, capacity, "%.*fx", places, pace);
        back = strtod(text, NULL);
    }
    return text;
}

rh_pacer
rh_pacer_make(double pace, double ticks_per_ns, rh_latency *response, _Atomic uint32_t *beat)
{
    return (rh_pacer){.ticks_per_recorded_ns = ticks_per_ns / pace,
                      .ns_per_tick = 1 / ticks_per_ns,
                      .scale = rh_ticks_scale(ticks_per_ns),
                      .late_ticks = (uint64_t)((double)RH_PACE_LATE_NS * ticks_per_ns),
                      .response = response,
                      .beat = beat};
}

void
rh_pacer_due(rh_pacer *pacer, uint64_t recorded_ns, uint64_t now_ticks)
{
    if (!pacer->begun) {
        pacer->begun = true;
        pacer->origin_ns = recorded_ns;
        pacer->origin_ticks = pacer->start_ticks = now_ticks;
    }
    uint64_t since = recorded_ns > pacer->origin_ns ? recorded_ns - pacer->origin_ns : 0;
    pacer->due_ticks =
        pacer->origin_ticks + (uint64_t)((double)since * pacer->ticks_per_recorded_ns);
}

static void
sleep_ns(double ns)
{
    struct timespec wait = {.tv_sec = (time_t)(ns / 1e9), .tv_nsec = (long)fmod(ns, 1e9)};
    nanosleep(&wait, NULL);
}

void
rh_pacer_await(rh_pacer *pacer, uint64_t recorded_ns)
{
    uint64_t now = rh_host_ticks();
    rh_pacer_due(pacer, recorded_ns, now);
    for (; now < pacer->due_ticks; now = rh_host_ticks()) {
        double left_ns = (double)(pacer->due_ticks - now) * pacer->ns_per_tick;
        if (left_ns < SLEEP_LEAST_NS && pacer->roughly)
            return;
        if (left_ns < SLEEP_LEAST_NS) {
            __builtin_ia32_pause();
            continue;
        }
        sleep_ns(fmin(left_ns - WAKE_EARLY_NS, SLEEP_MOST_NS));
        if (pacer->beat)
            atomic_fetch_add(pacer->beat, 1);
    }
}

void
rh_pacer_again(rh_pacer *pacer)
{
    if (pacer->last_due_ticks > pacer->origin_ticks)
        pacer->origin_ticks = pacer->last_due_ticks;
}

rh_pace_totals
rh_pacer_totals(const rh_pacer *pacer)
{
    uint64_t origin = pacer->start_ticks;
    uint64_t due = pacer->last_due_ticks, begun = pacer->last_begun_ticks;
    return (rh_pace_totals){
        .calls = pacer->calls,
        .late = pacer->late,
        .latest_ns = rh_ticks_ns(pacer->latest_ticks, pacer->scale),
        .scheduled_ns = rh_ticks_ns(due > origin ? due - origin : 0, pacer->scale),
        .elapsed_ns = rh_ticks_ns(begun > origin ? begun - origin : 0, pacer->scale)};
}

void
rh_pace_totals_merge(rh_pace_totals *totals, const rh_pace_totals *other)
{
    totals->calls += other->calls;
    totals->late += other->late;
#define LARGER(name) totals->name = other->name > totals->name ? other->name : totals->name
    LARGER(latest_ns);
    LARGER(scheduled_ns);
    LARGER(elapsed_ns);
#undef LARGER
}
