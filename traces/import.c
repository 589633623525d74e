#define _GNU_SOURCE
#include "traces/import.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/output.h"
#include "traces/format.h"
#include "traces/lines.h"

bool
rh_import_complain(rh_import *import, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(import->complaint, sizeof import->complaint, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- events ---- */

static bool
no_memory(rh_import *import)
{
    rh_fail(&import->error, RH_SYSTEM, "out of memory");
    return false;
}

uint32_t
rh_import_thread(rh_import *import, uint64_t name)
{
    rh_pointer_entry *entry = rh_pointer_find(&import->threads, name + 1);
    if (entry->key)
        return entry->handle;
    uint32_t number = import->thread_count++;
    if (!rh_pointer_add(&import->threads, entry, name + 1, number))
        no_memory(import);
    return number;
}

static bool
hand_on(rh_import *import, rh_event *event, uint32_t *handle)
{
    if (!import->writer && rh_writer_open(import->output, &import->info, NULL, &import->writer,
                                          &import->error) != RH_OK)
        return false;
    if (event->time_ns < import->last_time_ns)
        event->time_ns = import->last_time_ns; /* time does not go back in a trace */
    import->last_time_ns = event->time_ns;
    import->events++;
    return rh_writer_event(import->writer, event, handle, &import->error) == RH_OK;
}

/* The writer would refuse it, too, but for good and without the line's number. */
static bool
representable(rh_import *import, const rh_event *event)
{
    if (event->operation < RH_MARK && event->size > RH_SIZE_MAX &&
        rh_bears(event->operation, event->flags))
        return rh_import_complain(import, "a block of %" PRIu64 " bytes, more than a trace can say",
                                  event->size);
    return true;
}

/* A block as its file names it. */
typedef struct spelled {
    char text[32];
} spelled;

static spelled
spell(const rh_import *import, uint64_t name)
{
    spelled block;
    if (import->number_sign)
        snprintf(block.text, sizeof block.text, "%s%" PRIu64, import->number_sign, name - 1);
    else
        snprintf(block.text, sizeof block.text, "0x%" PRIx64, name);
    return block;
}

bool
rh_import_birth(rh_import *import, uint64_t name, rh_event *event)
{
    rh_pointer_entry *entry = rh_pointer_find(&import->blocks, name);
    uint32_t handle = 0;
    if (entry->key)
        return rh_import_complain(import, "block %s is allocated while it lives",
                                  spell(import, name).text);
    if (!representable(import, event) || !hand_on(import, event, &handle))
        return false;
    return rh_pointer_add(&import->blocks, entry, name, handle) || no_memory(import);
}

bool
rh_import_death(rh_import *import, uint64_t name, rh_event *event)
{
    rh_pointer_entry *entry = rh_pointer_find(&import->blocks, name);
    if (!entry->key)
        return rh_import_complain(import, "block %s is freed but does not live",
                                  spell(import, name).text);
    uint32_t handle = entry->handle;
    rh_pointer_remove(&import->blocks, entry);
    return hand_on(import, event, &handle);
}

bool
rh_import_resize(rh_import *import, uint64_t old_name, uint64_t new_name, rh_event *event)
{
    rh_pointer_entry *entry = rh_pointer_find(&import->blocks, old_name);
    if (!entry->key)
        return rh_import_complain(import, "block %s is resized but does not live",
                                  spell(import, old_name).text);
    if (new_name != old_name && rh_pointer_find(&import->blocks, new_name)->key)
        return rh_import_complain(import, "block %s is moved to %s, where another lives",
                                  spell(import, old_name).text, spell(import, new_name).text);
    if (!representable(import, event))
        return false;
    uint32_t handle = entry->handle;
    rh_pointer_remove(&import->blocks, entry);
    if (!hand_on(import, event, &handle))
        return false;
    entry = rh_pointer_find(&import->blocks, new_name);
    return rh_pointer_add(&import->blocks, entry, new_name, handle) || no_memory(import);
}

bool
rh_import_plain(rh_import *import, rh_event *event)
{
    uint32_t handle = 0;
    event->slot = RH_NO_SLOT;
    return representable(import, event) && hand_on(import, event, &handle);
}

/* ---- the run ---- */

/* What becomes of a line that an importer refused. */
static rh_status
refuse(const rh_import_options *options, rh_import *import, uint64_t number,
       rh_import_report *report, rh_error *error)
{
    if (import->error.status != RH_OK) {
        *error = import->error;
        return error->status;
    }
    const char *input = strcmp(options->input, "-") ? options->input : "standard input";
    if (import->rejected)
        return rh_fail(error, RH_BAD_INPUT, "%s: line %" PRIu64 ": %s", input, number,
                       import->complaint);
    if (!options->lenient)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: line %" PRIu64 ": %s; --lenient leaves such lines out and counts them",
                       input, number, import->complaint);
    if (report->skipped++ == 0)
        snprintf(report->first_skipped, sizeof report->first_skipped, "line %" PRIu64 ": %s",
                 number, import->complaint);
    return RH_OK;
}

static rh_status
import_lines(const rh_import_options *options, rh_import *import, rh_lines *lines,
             rh_import_report *report, rh_error *error)
{
    rh_progress progress;
    struct stat file;
    bool sized = strcmp(options->input, "-") && stat(options->input, &file) == 0;
    rh_progress_begin(&progress, "importing", "bytes", sized ? (uint64_t)file.st_size : 0);
    rh_status status = RH_OK;
    char *line;
    while ((status = rh_lines_next(lines, &line, error)) == RH_OK && line) {
        report->lines = rh_lines_number(lines);
        if (!options->importer->line(import, line))
            status = refuse(options, import, report->lines, report, error);
        if (status == RH_OK && rh_interrupted())
            status = rh_fail(error, RH_INTERRUPTED, "interrupted: there is no %s", options->output);
        if (status != RH_OK)
            break;
        rh_progress_update(&progress, rh_lines_consumed(lines));
    }
    rh_progress_end(&progress);
    if (status == RH_OK && options->importer->end && !options->importer->end(import))
        status = refuse(options, import, report->lines, report, error);
    return status;
}

static rh_status
finish(const rh_import_options *options, rh_import *import, rh_import_report *report,
       rh_error *error)
{
    report->events = import->events;
    if (!import->writer)
        return rh_fail(error, RH_BAD_INPUT, "%s: there is no event in it; is it of the format %s?",
                       options->input, options->importer->name);
    const rh_trace_info *info = &import->info; /* our own text tells of the recording's end */
    bool told = info->dropped_events != RH_TOTAL_UNKNOWN;
    rh_writer_set_undecided(import->writer, info->undecided_events);
    rh_writer_set_ended(import->writer, info->ended);
    rh_writer_set_pauses(import->writer, info->pauses);
    rh_status status =
        rh_writer_finish(import->writer, info->exit_status, told ? info->dropped_events : 0, error);
    import->writer = NULL;
    return status;
}

rh_status
rh_import_run(const rh_import_options *options, rh_import_report *report, rh_error *error)
{
    rh_lines *lines;
    rh_import import = {.output = options->output, .number_sign = options->importer->number_sign};
    *report = (rh_import_report){0};
    rh_status status = rh_lines_open(options->input, &lines, error);
    if (status != RH_OK)
        return status;
    rh_trace_info_init(&import.info);
    import.state = calloc(1, options->importer->state_bytes + 1);
    bool good = rh_pointer_table_init(&import.blocks);
    good = rh_pointer_table_init(&import.threads) && good;
    char capture[64];
    snprintf(capture, sizeof capture, "import:%s", options->importer->name);
    import.info.capture = strdup(capture);
    import.info.recorder = strdup("reheap import");
    if (!good || !import.state || !import.info.capture || !import.info.recorder)
        status = rh_fail(error, RH_SYSTEM, "out of memory");
    if (status == RH_OK)
        status = import_lines(options, &import, lines, report, error);
    if (status == RH_OK)
        status = finish(options, &import, report, error);
    rh_writer_discard(import.writer);
    rh_lines_close(lines);
    rh_trace_info_release(&import.info);
    rh_pointer_table_release(&import.blocks);
    rh_pointer_table_release(&import.threads);
    if (import.state && options->importer->release)
        options->importer->release(&import);
    free(import.state);
    return status;
}
