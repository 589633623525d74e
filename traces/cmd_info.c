/* reheap info: what a trace holds. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "traces/commands.h"
#include "traces/event_names.h"
#include "traces/info_format.h"
#include "traces/info_habits.h"
#include "traces/one_trace.h"
#include "traces/read_loop.h"
#include "traces/reader.h"
#include "traces/summary.h"
#include "traces/trace_json.h"

static const struct argp parser = {
    NULL,
    rh_one_reading_parse,
    "FILE",
    "Tells what a trace holds: what was recorded, how many events of which kind, how much was "
    "alive, "
    "and which sizes were asked for.\v"
    "The whole trace is read. One that ends early is told up to there, with a note.\n\n"
    "Example:\n"
    "  reheap info program.rht\n"
    "  reheap info --json program.rht",
    rh_one_trace_reading_argp,
    NULL,
    NULL,
};

/* Reads everything. A trace that is damaged further on is told up to there; `note` says so. */
static rh_status
read_all(rh_reader *reader, const rh_one_reading *options, rh_summary *summary, rh_error *note,
         rh_error *error)
{
    rh_progress progress;
    rh_progress_begin(&progress, "reading", "events", 0);
    rh_reader_options how = {.max_live_blocks = options->reading.max_live};
    rh_parallel_options parallel = {
        .jobs = options->reading.jobs, .watch = rh_read_loop_watch, .ctx = &progress};
    rh_status status = rh_summary_init(summary)
                           ? rh_summary_read(summary, reader, &how, &parallel, note)
                           : rh_fail(note, RH_SYSTEM, "out of memory");
    rh_progress_end(&progress);
    if (status == RH_OK || status == RH_BAD_INPUT)
        return RH_OK;
    *error = *note;
    return status;
}

/* Numbers that only the recorder knew. */
static void
add_known(rh_digest *digest, const rh_trace_info *info)
{
    digest->totals.dropped_events = info->dropped_events;
    digest->totals.undecided_events = info->undecided_events;
    digest->totals.elapsed_ns = info->elapsed_ns;
    digest->totals.pauses = info->pauses;
    digest->totals.exit_status = info->exit_status;
    digest->totals.file_bytes = info->file_bytes;
}

static double
bytes_per_event(const rh_trace_info *totals)
{
    return totals->events ? (double)totals->file_bytes / (double)totals->events : 0;
}

static json_t *
json_sizes(const rh_digest *digest)
{
    json_t *sizes = json_array();
    for (unsigned i = 0; i < RH_DIGEST_SIZES; i++) {
        if (!digest->size_births[i])
            continue;
        json_t *size = json_object();
        uint64_t limit = rh_digest_bucket_limit(i);
        rh_info_set_count(size, "up_to_bytes", limit);
        rh_info_set_count(size, "requests", digest->size_births[i]);
        rh_info_set_count(size, "bytes", digest->size_bytes[i]);
        json_array_append_new(sizes, size);
    }
    return sizes;
}

static json_t *
json_domains(const rh_digest *digest)
{
    json_t *domains = json_object();
    for (unsigned i = 0; i < RH_DIGEST_DOMAINS; i++) {
        json_t *domain = json_object();
        rh_info_set_count(domain, "events", digest->domain_events[i]);
        rh_info_set_count(domain, "requests", digest->domain_births[i]);
        rh_info_set_count(domain, "bytes", digest->domain_bytes[i]);
        json_object_set_new(domains, rh_event_domain_names[i], domain);
    }
    return domains;
}

static void
set_share(json_t *object, const char *name, uint64_t part, uint64_t whole)
{
    json_object_set_new(object, name,
                        whole ? json_real((double)part / (double)whole) : json_null());
}

static void
set_counts(json_t *object, const rh_digest *digest)
{
    const rh_trace_info *totals = &digest->totals;
    rh_info_set_count(object, "events", totals->events);
    rh_info_set_count(object, "allocations", totals->allocations);
    rh_info_set_count(object, "reallocations", totals->reallocations);
    rh_info_set_count(object, "frees", totals->frees);
    rh_info_set_count(object, "null_frees", totals->null_frees);
    rh_info_set_count(object, "foreign_frees", digest->foreign_frees);
    rh_info_set_count(object, "failed_allocations", totals->failures);
    rh_info_set_count(object, "nested_events", totals->nested_events);
    rh_info_set_count(object, "arena_events", totals->arena_events);
    rh_info_set_count(object, "marks", totals->marks);
    rh_info_set_count(object, "checkpoints", totals->checkpoints);
    rh_info_set_count(object, "threads", totals->threads);
    rh_info_set_count(object, "dropped_events", totals->dropped_events);
    rh_info_set_count(object, "undecided_events", totals->undecided_events);
    rh_info_set_count(object, "peak_requested_bytes", totals->peak_requested_bytes);
    rh_info_set_count(object, "peak_live_blocks", totals->peak_live_blocks);
    rh_info_set_count(object, "end_requested_bytes", totals->end_requested_bytes);
    rh_info_set_count(object, "end_live_blocks", totals->end_live_blocks);
    rh_info_set_count(object, "pauses", totals->pauses);
    rh_info_set_count(object, "wall_ns", totals->elapsed_ns);
    rh_info_set_count(object, "file_bytes", totals->file_bytes);
    json_object_set_new(object, "bytes_per_event", json_real(bytes_per_event(totals)));
    json_object_set_new(object, "domains", json_domains(digest));
    json_object_set_new(object, "sizes", json_sizes(digest));
    set_share(object, "small_requests_share", digest->small_births, digest->births);
    set_share(object, "small_bytes_share", digest->small_bytes, digest->birth_bytes);
}

static void
line(const char *label, const char *value)
{
    if (!value || !*value)
        return;
    printf("  %-10s ", label);
    rh_output_plain(value, stdout);
    putchar('\n');
}

static void
print_description(const rh_one_trace *trace, const rh_trace_info *info)
{
    static const char *const times[] = {"no timestamps", "coarse timestamps", "exact timestamps"};
    char text[512], size[RH_SIZE_TEXT], arena[RH_SIZE_TEXT], pool[RH_SIZE_TEXT];
    printf("%s: ", trace->path);
    rh_output_plain(info->command ? info->command : "an unknown command", stdout);
    putchar('\n');
    line("program", info->program);
    snprintf(text, sizeof text, "%s%s%s%s", info->python_version ? "Python " : "",
             info->python_version ? info->python_version : "",
             info->python_version && info->allocator ? ", " : "",
             info->allocator ? info->allocator : "");
    line("allocator", text);
    if (info->arena_bytes) {
        snprintf(text, sizeof text, "arenas of %s, pools of %s",
                 rh_size_exact(info->arena_bytes, arena, sizeof arena),
                 rh_size_exact(info->pool_bytes, pool, sizeof pool));
        line("geometry", text);
    }
    line("started", info->started);
    line("host", info->host);
    line("recorder", info->recorder);
    snprintf(text, sizeof text, "%s, %s, %s%s", info->capture ? info->capture : "unknown",
             times[info->timestamps], info->addresses ? "addresses" : "no addresses",
             info->domains ? "" : ", no domains");
    line("capture", text);
    if (info->ended) {
        snprintf(text, sizeof text, "%s, before the program did", info->ended);
        line("ended", text);
    }
    if (info->pauses != RH_TOTAL_UNKNOWN && info->pauses > 0) {
        snprintf(text, sizeof text, "%" PRIu64 " time%s", info->pauses,
                 info->pauses == 1 ? "" : "s");
        line("paused", text);
    }
    line("file", rh_size_human(info->file_bytes, size, sizeof size));
}

static void
count_line(rh_table *table, const char *label, uint64_t count, const char *more)
{
    char text[RH_SIZE_TEXT];
    rh_table_cell(table, "  %s", label);
    rh_table_cell(table, "%s",
                  count == RH_TOTAL_UNKNOWN ? "-" : rh_count_grouped(count, text, sizeof text));
    rh_table_cell(table, "%s", more);
}

static void
bytes_line(rh_table *table, const char *label, uint64_t blocks, uint64_t bytes)
{
    char size[RH_SIZE_TEXT], more[64];
    snprintf(more, sizeof more, "blocks, %s", rh_size_human(bytes, size, sizeof size));
    count_line(table, label, blocks, more);
}

static void
print_counts(const rh_digest *digest)
{
    const rh_trace_info *totals = &digest->totals;
    char more[96], count[RH_SIZE_TEXT];
    rh_table *table = rh_table_new(3);
    rh_table_cell(table, "%s", "");
    rh_table_cell(table, "%s", "");
    rh_table_cell(table, "%s", "");
    snprintf(more, sizeof more, "at %.3f bytes each in the file", bytes_per_event(totals));
    count_line(table, "events", totals->events, more);
    count_line(table, "  allocations", totals->allocations, "");
    count_line(table, "  reallocations", totals->reallocations, "");
    if (digest->foreign_frees)
        snprintf(more, sizeof more, "among them %s of blocks older than the recording",
                 rh_count_grouped(digest->foreign_frees, count, sizeof count));
    count_line(table, "  frees", totals->frees, digest->foreign_frees ? more : "");
    count_line(table, "  frees of NULL", totals->null_frees, "");
    count_line(table, "  failed allocations", totals->failures, "");
    count_line(table, "nested", totals->nested_events, "of these, made by the allocator itself");
    count_line(table, "dropped", totals->dropped_events,
               totals->dropped_events == RH_TOTAL_UNKNOWN ? "unknown" : "");
    if (totals->undecided_events != RH_TOTAL_UNKNOWN && totals->threads > 1)
        count_line(table, "undecided", totals->undecided_events,
                   "a few microseconds off their place among other threads'");
    count_line(table, "arena events", totals->arena_events, "");
    count_line(table, "marks", totals->marks, "");
    count_line(table, "checkpoints", totals->checkpoints, "");
    count_line(table, "threads", totals->threads, "");
    bytes_line(table, "most alive", totals->peak_live_blocks, totals->peak_requested_bytes);
    bytes_line(table, "alive at the end", totals->end_live_blocks, totals->end_requested_bytes);
    rh_table_print(table, stdout);
    rh_table_free(table);
}

static void
print_domains(const rh_digest *digest)
{
    char count[RH_SIZE_TEXT], births[RH_SIZE_TEXT], size[RH_SIZE_TEXT];
    rh_table *table = rh_table_new(4);
    rh_table_cell(table, "  domain");
    rh_table_cell(table, "events");
    rh_table_cell(table, "requests");
    rh_table_cell(table, "requested");
    for (unsigned i = 0; i < RH_DIGEST_DOMAINS; i++) {
        if (i == RH_DOMAIN_LIBC && !digest->domain_events[i])
            continue; /* only in a recording of both */
        rh_table_cell(table, "  %s", rh_event_domain_names[i]);
        rh_table_cell(table, "%s", rh_count_grouped(digest->domain_events[i], count, sizeof count));
        rh_table_cell(table, "%s",
                      rh_count_grouped(digest->domain_births[i], births, sizeof births));
        rh_table_cell(table, "%s", rh_size_human(digest->domain_bytes[i], size, sizeof size));
    }
    putchar('\n');
    rh_table_print(table, stdout);
    rh_table_free(table);
}

static void
print_sizes(const rh_digest *digest)
{
    char count[RH_SIZE_TEXT], size[RH_SIZE_TEXT], limit[RH_SIZE_TEXT];
    rh_table *table = rh_table_new(6);
    static const char *const heading[] = {"  size up to", "requests", "share",
                                          "requested",    "share",    ""};
    for (unsigned i = 0; i < 6; i++)
        rh_table_cell(table, "%s", heading[i]);
    for (unsigned i = 0; i < RH_DIGEST_SIZES; i++) {
        if (!digest->size_births[i])
            continue;
        uint64_t up_to = rh_digest_bucket_limit(i);
        double share = rh_info_percent(digest->size_births[i], digest->births);
        rh_table_cell(table, "  %s",
                      up_to == UINT64_MAX ? "more" : rh_size_exact(up_to, limit, sizeof limit));
        rh_table_cell(table, "%s", rh_count_grouped(digest->size_births[i], count, sizeof count));
        rh_table_cell(table, "%.1f %%", share);
        rh_table_cell(table, "%s", rh_size_human(digest->size_bytes[i], size, sizeof size));
        rh_table_cell(table, "%.1f %%",
                      rh_info_percent(digest->size_bytes[i], digest->birth_bytes));
        rh_table_cell(table, "%s", rh_info_bar(share));
    }
    putchar('\n');
    rh_table_print(table, stdout);
    rh_table_free(table);
    printf("\n  Requests are allocations and reallocations, without nested ones and failures.\n"
           "  %.1f %% of them, with %.1f %% of the bytes, ask for at most %d bytes.\n",
           rh_info_percent(digest->small_births, digest->births),
           rh_info_percent(digest->small_bytes, digest->birth_bytes), RH_DIGEST_SMALL_MAX);
}

static rh_status
print_json(const rh_one_trace *trace, const rh_trace_info *info, const rh_digest *digest,
           const rh_habits *habits, const rh_error *note, rh_error *error)
{
    json_t *object = json_object();
    json_object_set_new(object, "schema", json_string("reheap.info/1"));
    json_object_set_new(object, "file", rh_trace_json_string(trace->path));
    char *header = rh_trace_json_header(info);
    json_t *described = header ? json_loads(header, 0, NULL) : NULL;
    free(header);
    json_object_update(object, described);
    json_decref(described);
    json_object_set_new(object, "complete", json_boolean(info->complete));
    json_object_set_new(object, "damage",
                        note->status == RH_OK ? json_null() : rh_trace_json_string(note->message));
    json_object_set_new(object, "ended",
                        info->ended ? rh_trace_json_string(info->ended) : json_null());
    json_object_set_new(object, "exit_status",
                        info->exit_status < 0 ? json_null() : json_integer(info->exit_status));
    set_counts(object, digest);
    rh_info_set_habits(object, habits);
    int failed = json_dumpf(object, stdout, JSON_INDENT(2));
    json_decref(object);
    if (failed)
        return rh_fail(error, RH_SYSTEM, "%s: cannot print the JSON", trace->path);
    putchar('\n');
    return RH_OK;
}

static void
print_human(const rh_one_trace *trace, const rh_trace_info *info, const rh_digest *digest,
            const rh_habits *habits, const rh_error *note)
{
    print_description(trace, info);
    print_counts(digest);
    if (info->domains)
        print_domains(digest);
    print_sizes(digest);
    rh_info_print_habits(habits);
    if (info->exit_status > 0)
        printf("  The program ended with wait status %" PRId64 ".\n", info->exit_status);
    if (note->status != RH_OK)
        printf("  The trace could not be read to its end; this is what precedes: %s\n",
               note->message);
    else if (!info->complete)
        printf("  The trace has no index: its recording ended early, and these numbers were "
               "counted.\n");
}

static rh_status
tell(const rh_one_reading *options, rh_error *error)
{
    const rh_one_trace *trace = &options->trace;
    rh_reader_options how = {.max_live_blocks = options->reading.max_live};
    rh_reader *reader;
    rh_status status = rh_reader_open(trace->path, &how, &reader, error);
    if (status != RH_OK)
        return status;
    rh_summary summary;
    rh_error note = {.status = RH_OK};
    status = read_all(reader, options, &summary, &note, error);
    const rh_trace_info *info = rh_reader_info(reader);
    add_known(&summary.digest, info);
    if (status == RH_OK && trace->json)
        status = print_json(trace, info, &summary.digest, &summary.habits, &note, error);
    else if (status == RH_OK)
        print_human(trace, info, &summary.digest, &summary.habits, &note);
    if (status == RH_OK && note.status != RH_OK) {
        *error = note;
        status = note.status;
    }
    rh_summary_release(&summary);
    rh_reader_close(reader);
    return status;
}

static int
run(int argc, char **argv)
{
    rh_one_reading options = {.trace = {.path = NULL}};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_error error = {.status = RH_OK};
    rh_status status = tell(&options, &error);
    if (error.status == RH_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = rh_fail(&error, RH_SYSTEM, "cannot print to the standard output");
    if (status != RH_OK)
        fprintf(stderr, "reheap info: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_info = {"info", "tell what a trace holds", run};
