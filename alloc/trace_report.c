#include "alloc/trace_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/trace_table.h"
#include "base/size.h"

enum { ROWS = 20, NAME_CHARACTERS = 512, ORIGIN_FRAMES = 64 };

static void
write_counted(FILE *out, uint64_t count, int width)
{
    char text[RH_SIZE_TEXT];
    fprintf(out, "%*s", width, rh_count_grouped(count, text, sizeof text));
}

/* To a tenth, with thousands apart like the columns beside it. */
static void
write_average(FILE *out, uint64_t bytes, uint64_t blocks)
{
    char tenths[32], whole[RH_SIZE_TEXT];
    double average = (double)bytes / (double)blocks;
    snprintf(tenths, sizeof tenths, "%.1f", average);
    rh_count_grouped(strtoull(tenths, NULL, 10), whole, sizeof whole);
    fprintf(out, "%11s%s", whole, strchr(tenths, '.'));
}

static const char *
heading(rh_trace_key by)
{
    switch (by) {
    case RH_BY_SIZE:
        return "size";
    case RH_BY_DOMAIN:
        return "domain";
    case RH_BY_TRACEBACK:
        return "allocated at (most recent call first)";
    case RH_BY_LINE:
        return "allocated at line";
    default:
        return "allocated in";
    }
}

void
rh_trace_report_traceback(const rh_traceback *traceback, const rh_frame_provider *provider,
                          FILE *out)
{
    char name[NAME_CHARACTERS];
    for (uint32_t i = 0; i < traceback->count; i++) {
        const rh_frame *frame = &traceback->frames[i];
        fprintf(out, "  File \"%s\", line %" PRIu64 "\n",
                rh_frame_name(provider, frame, name, sizeof name), frame->line);
    }
}

static void
write_group(const rh_trace_group *group, rh_trace_key by, const rh_trace_snapshot *snapshot,
            FILE *out)
{
    char name[NAME_CHARACTERS];
    write_counted(out, group->bytes, 16);
    write_counted(out, group->blocks, 13);
    write_average(out, group->bytes, group->blocks);
    fputs("  ", out);
    if (by == RH_BY_SIZE || by == RH_BY_DOMAIN) {
        write_counted(out, group->number, 0);
        fputc('\n', out);
        return;
    }
    rh_frame_name(snapshot->provider, &group->frame, name, sizeof name);
    if (by == RH_BY_LINE && group->frame.line)
        fprintf(out, "%s:%" PRIu64 "\n", name, group->frame.line);
    else if (by == RH_BY_TRACEBACK)
        fputc('\n', out);
    else
        fprintf(out, "%s\n", name);
    if (by == RH_BY_TRACEBACK)
        rh_trace_report_traceback(&group->traceback, snapshot->provider, out);
}

void
rh_trace_report_groups(const rh_trace_groups *groups, const rh_trace_snapshot *snapshot,
                       size_t most, FILE *out)
{
    uint64_t other_bytes = 0, other_blocks = 0;
    fprintf(out, "%16s%13s%13s  %s\n", "bytes", "blocks", "average", heading(groups->by));
    for (size_t i = 0; i < groups->count; i++) {
        if (i < most) {
            write_group(&groups->groups[i], groups->by, snapshot, out);
        } else {
            other_bytes += groups->groups[i].bytes;
            other_blocks += groups->groups[i].blocks;
        }
    }
    if (groups->count <= most)
        return;
    write_counted(out, other_bytes, 16);
    write_counted(out, other_blocks, 13);
    write_average(out, other_bytes, other_blocks);
    fprintf(out, "  %zu others\n", groups->count - most);
}

static void
write_figures(const rh_tracer_figures *figures, FILE *out)
{
    static const char *const names[] = {"traced blocks", "traced bytes", "peak of traced bytes",
                                        "unlike tracebacks", "bytes in the tables of traces"};
    const uint64_t values[] = {figures->blocks, figures->traced_bytes, figures->peak_bytes,
                               figures->tracebacks, figures->table_bytes};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fprintf(out, "# %-33s=", names[i]);
        write_counted(out, values[i], 21);
        fputc('\n', out);
    }
}

/* Groups that were made with `status`. */
static void
write_section(const rh_trace_snapshot *snapshot, rh_trace_groups *groups, rh_status status,
              const rh_error *error, FILE *out)
{
    if (status != RH_OK)
        fprintf(out, "%s\n", error->message);
    else
        rh_trace_report_groups(groups, snapshot, ROWS, out);
    rh_trace_groups_release(groups);
}

static void
write_groups(const rh_trace_snapshot *snapshot, rh_trace_key by, FILE *out)
{
    rh_trace_groups groups;
    rh_error error = {0};
    fputc('\n', out);
    rh_status status = rh_trace_groups_make(&groups, snapshot, by, &error);
    write_section(snapshot, &groups, status, &error, out);
}

static void
write_peak(const rh_trace_snapshot *snapshot, FILE *out)
{
    rh_trace_groups groups;
    rh_error error = {0};
    fputs("\nat the peak:\n", out);
    rh_status status = rh_trace_groups_make_peak(&groups, snapshot, &error);
    write_section(snapshot, &groups, status, &error, out);
}

void
rh_trace_report_write(rh_tracer *tracer, FILE *out)
{
    rh_trace_snapshot snapshot;
    rh_error error = {0};
    if (rh_trace_snapshot_take(&snapshot, tracer, &error) != RH_OK) {
        fprintf(out, "%s\n", error.message);
        return;
    }
    write_figures(&snapshot.figures, out);
    if (snapshot.count) {
        write_groups(&snapshot, RH_BY_SIZE, out);
        if (snapshot.provider)
            write_groups(&snapshot, RH_BY_LINE, out);
    }
    if (rh_trace_table_count(&snapshot.peak_sizes))
        write_peak(&snapshot, out);
    rh_trace_snapshot_release(&snapshot);
}

bool
rh_trace_report_origin(rh_tracer *tracer, unsigned domain, uintptr_t address, const char *heading,
                       FILE *out)
{
    rh_frame frames[ORIGIN_FRAMES];
    size_t total;
    size_t known = rh_tracer_get_traceback(tracer, domain, address, frames, ORIGIN_FRAMES, &total);
    if (known == 0)
        return false;
    rh_traceback origin = {known < ORIGIN_FRAMES ? (uint32_t)known : ORIGIN_FRAMES, (uint32_t)total,
                           frames};
    fputs(heading, out);
    rh_trace_report_traceback(&origin, atomic_load(&tracer->provider), out);
    return true;
}
