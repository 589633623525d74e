/* Writes the golden traces of the current format into a folder: once for each version of the
 * format, and never again, since what they are for is to be readable by all later programs.
 *
 *   example.rht  the worked example of docs/trace-format.md
 *   every.rht    every kind of event, exact times, addresses, several blocks and keys
 */
#define _GNU_SOURCE /* strdup */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "tests/unit/traces/story.h"
#include "traces/event.h"
#include "traces/trace_info.h"
#include "traces/writer.h"

static void
insist(rh_status status, const rh_error *error)
{
    if (status == RH_OK)
        return;
    fprintf(stderr, "golden_trace: %s\n", error->message);
    exit((int)status);
}

static void
write_example(const char *path)
{
    static const rh_event events[] = {
        {.operation = RH_ARENA_ALLOC, .size = 1 << 20, .address = 0x7f0000000000},
        {.operation = RH_MALLOC,
         .domain = 2,
         .flags = RH_EVENT_POOLED,
         .size = 56,
         .address = 0x7f0000000030},
        {.operation = RH_MALLOC,
         .domain = 2,
         .flags = RH_EVENT_POOLED,
         .size = 56,
         .address = 0x7f0000000070},
        {.operation = RH_CALLOC, .domain = 0, .size = 1000, .count = 10, .element = 100},
        {.operation = RH_FREE, .domain = 2},
        {.operation = RH_REALLOC, .domain = 0, .size = 2000},
        {.operation = RH_FREE, .domain = 2},
        {.operation = RH_MARK, .size = 4, .text = "done"},
    };
    static const unsigned block[] = {0, 1, 2, 3, 1, 3, 2, 0};
    rh_trace_info info;
    rh_trace_info_init(&info);
    info.command = strdup("python3 -c pass");
    info.capture = strdup("python");
    info.domains = true;
    rh_writer *writer;
    rh_error error = {.status = RH_OK};
    uint32_t handle[4] = {0};
    insist(rh_writer_open(path, &info, NULL, &writer, &error), &error);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        insist(rh_writer_event(writer, &events[i], &handle[block[i]], &error), &error);
    insist(rh_writer_finish(writer, 0, 0, &error), &error);
    rh_trace_info_release(&info);
}

static void
write_every(const char *path)
{
    story told;
    story_make(
        &told,
        &(story_plan){
            .seed = 1, .count = 400, .live = 20, .timestamps = RH_TIMES_EXACT, .addresses = true});
    story_write(&told, path, &(rh_writer_options){.block_events = 50, .key_bytes = 10});
    story_release(&told);
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "Usage: golden_trace FOLDER\n");
        return RH_USAGE;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/example.rht", argv[1]);
    write_example(path);
    snprintf(path, sizeof path, "%s/every.rht", argv[1]);
    write_every(path);
    return 0;
}
