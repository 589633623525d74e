#include "analysis/story.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

/* The allocator with the least (or, negated, the most) of a number; NULL when none knows it. */
static const rh_subject *
extreme(const rh_workload *workload, const char *metric, double sign)
{
    const rh_subject *found = NULL;
    double best = INFINITY;
    for (size_t i = 0; i < workload->subject_count; i++) {
        double value = sign * rh_subject_median(&workload->subjects[i], metric);
        if (value < best) {
            best = value;
            found = &workload->subjects[i];
        }
    }
    return found;
}

static void append(char *text, size_t capacity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
append(char *text, size_t capacity, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, capacity - used, format, arguments);
    va_end(arguments);
}

/* "62.1 MiB (8.4 % more)". */
static void
append_held(char *text, size_t capacity, const rh_subject *subject, double requested)
{
    char size[RH_SIZE_TEXT];
    double held = rh_subject_median(subject, "peak_mapped_bytes");
    append(text, capacity, "%s", rh_size_human((uint64_t)held, size, sizeof size));
    if (requested > 0)
        append(text, capacity, " (%.1f %% %s)", fabs(held / requested - 1) * 100,
               held < requested ? "less" : "more");
}

char *
rh_story_memory(const rh_workload *workload, const rh_subject *baseline, char *text,
                size_t capacity)
{
    text[0] = '\0';
    double requested = rh_subject_median(baseline, "peak_requested_bytes");
    const rh_subject *least = extreme(workload, "peak_mapped_bytes", 1);
    const rh_subject *most = extreme(workload, "peak_mapped_bytes", -1);
    if (!isfinite(rh_subject_median(baseline, "peak_mapped_bytes")) || !least)
        return text;
    if (requested > 0) {
        char size[RH_SIZE_TEXT];
        append(text, capacity, "At its peak the program asks for %s; ",
               rh_size_human((uint64_t)requested, size, sizeof size));
    } else {
        append(text, capacity, "At the peak ");
    }
    append(text, capacity, "%s holds ", baseline->spec);
    append_held(text, capacity, baseline, requested);
    if (least == baseline) {
        append(text, capacity, ", the least of all");
    } else {
        append(text, capacity, ", %s the least with ", least->spec);
        append_held(text, capacity, least, requested);
    }
    if (most != baseline && most != least) {
        append(text, capacity, ", and %s the most with ", most->spec);
        append_held(text, capacity, most, requested);
    }
    append(text, capacity, ".");
    return text;
}

/* ", the fastest, mimalloc, 10.1 ns (0.90 times as long)". */
static void
append_time(char *text, size_t capacity, const char *role, const rh_subject *subject,
            const rh_subject *baseline, const char *speed)
{
    double ns = rh_subject_median(subject, speed);
    if (!isfinite(ns))
        return;
    rh_ratio ratio = rh_subject_ratio(subject, baseline, rh_quantity_find(speed), RH_PAIRED);
    append(text, capacity, "; %s, %s, %.1f ns", role, subject->spec, ns);
    if (ratio.verdict == RH_VERDICT_SAME)
        append(text, capacity, " (too near to tell apart)");
    else if (isfinite(ratio.value))
        append(text, capacity, " (%.2f times as long)", ratio.value);
}

char *
rh_story_speed(const rh_workload *workload, const rh_subject *baseline, char *text, size_t capacity)
{
    text[0] = '\0';
    const char *speed = rh_workload_speed(workload);
    double own = rh_subject_median(baseline, speed);
    const rh_subject *fastest = extreme(workload, speed, 1);
    const rh_subject *slowest = extreme(workload, speed, -1);
    if (!isfinite(own) || !fastest)
        return text;
    append(text, capacity, "A call takes %s %.1f ns", baseline->spec, own);
    const rh_subject *real = rh_workload_subject(workload, "cpython");
    if (real && real != baseline)
        append_time(text, capacity, "the library of the real CPython", real, baseline, speed);
    if (fastest != baseline && fastest != real)
        append_time(text, capacity, "the fastest", fastest, baseline, speed);
    if (slowest != baseline && slowest != real && slowest != fastest)
        append_time(text, capacity, "the slowest", slowest, baseline, speed);
    append(text, capacity, ".");
    return text;
}
