/* trace FILE: what a trace costs: bytes an event by stream, time to read and to write an event.
 *
 * Times are medians of several runs over the whole file, of the processor and of the wall's clock.
 * The floor of reading is unpacking alone: zstd, with nothing made of the bytes. Encoding writes
 * the trace's first events again, out of memory, into a temporary file.
 */
#define _GNU_SOURCE /* mkstemp, strdup */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/host.h"
#include "base/output.h"
#include "traces/check.h"
#include "traces/copier.h"
#include "traces/event.h"
#include "traces/format.h"
#include "traces/parallel.h"
#include "traces/reader.h"
#include "traces/summary.h"
#include "traces/trace_info.h"
#include "traces/unpacker.h"
#include "traces/writer.h"

enum { RUNS = 5, ENCODED_MAX = 4 << 20 };

static const char *const stream_names[RH_STREAMS] = {
    "definitions", "tokens", "steps",     "distances", "rare",
    "texts",       "times",  "addresses", "live gaps", "live sizes"};

static void
insist(rh_status status, const rh_error *error)
{
    if (status == RH_OK)
        return;
    fprintf(stderr, "trace: %s\n", error->message);
    exit((int)status);
}

/* Of this process: others on the machine count less than on the wall's clock. */
static uint64_t
cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint8_t *
load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "trace: %s: cannot read it\n", path);
        exit(RH_BAD_INPUT);
    }
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size);
    if (!bytes || fread(bytes, 1, *size, file) != *size) {
        fprintf(stderr, "trace: %s: cannot read it\n", path);
        exit(RH_SYSTEM);
    }
    fclose(file);
    return bytes;
}

typedef struct sums {
    uint64_t events, blocks, keys, heads;
    uint64_t raw[RH_STREAMS], packed[RH_STREAMS];
} sums;

/* Unpacks every stream of the blocks in `bytes`. */
static void
unpack_all(const uint8_t *bytes, size_t size, sums *sum)
{
    rh_unpacker unpacker;
    rh_bytes raw[RH_STREAMS] = {{0}};
    rh_unpacker_init(&unpacker);
    *sum = (sums){0};
    size_t at = RH_HEADER_BYTES + rh_get_u32(bytes + 12);
    rh_block_head head;
    while (rh_block_head_read(bytes + at, size - at, &head) == RH_HEAD_SOUND) {
        const uint8_t *packed = bytes + at + head.head_bytes;
        if (head.key)
            rh_unpacker_restart(&unpacker);
        for (unsigned i = 0; i < RH_STREAMS; packed += head.packed[i++]) {
            sum->raw[i] += head.raw[i];
            sum->packed[i] += head.packed[i];
            if (i < RH_STREAMS_CONTINUED)
                rh_unpacker_unpack(&unpacker, i, packed, head.packed[i], head.raw[i], &raw[i]);
        }
        sum->events += head.events;
        sum->heads += head.head_bytes;
        sum->blocks++;
        sum->keys += head.key;
        at += head.head_bytes + head.payload_bytes;
    }
    for (unsigned i = 0; i < RH_STREAMS; i++)
        rh_bytes_release(&raw[i]);
    rh_unpacker_release(&unpacker);
}

static void
print_sizes(const sums *sum, size_t size)
{
    rh_table *table = rh_table_new(4);
    rh_table_cell(table, "stream");
    rh_table_cell(table, "raw");
    rh_table_cell(table, "packed");
    rh_table_cell(table, "bytes/event");
    double events = (double)sum->events;
    for (unsigned i = 0; i < RH_STREAMS; i++) {
        rh_table_cell(table, "%s", stream_names[i]);
        rh_table_cell(table, "%" PRIu64, sum->raw[i]);
        rh_table_cell(table, "%" PRIu64, sum->packed[i]);
        rh_table_cell(table, "%.4f", (double)sum->packed[i] / events);
    }
    rh_table_cell(table, "heads");
    rh_table_cell(table, "%s", "");
    rh_table_cell(table, "%" PRIu64, sum->heads);
    rh_table_cell(table, "%.4f", (double)sum->heads / events);
    rh_table_cell(table, "file");
    rh_table_cell(table, "%s", "");
    rh_table_cell(table, "%zu", size);
    rh_table_cell(table, "%.4f", (double)size / events);
    rh_table_print(table, stdout);
    rh_table_free(table);
    printf("%" PRIu64 " events in %" PRIu64 " blocks, %" PRIu64 " of them keys\n", sum->events,
           sum->blocks, sum->keys);
}

static int
by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double
median(double *ns)
{
    qsort(ns, RUNS, sizeof *ns, by_value);
    return ns[RUNS / 2];
}

static void
report(const char *what, double *ns, uint64_t events)
{
    double middle = median(ns);
    printf("%-34s %6.2f ns/event, best %.2f (%d runs)\n", what, middle / (double)events,
           ns[0] / (double)events, RUNS);
}

static uint64_t
decode_all(const char *path)
{
    rh_reader *reader;
    rh_batch batch;
    rh_error error = {.status = RH_OK};
    uint64_t events = 0;
    insist(rh_reader_open(path, NULL, &reader, &error), &error);
    do {
        insist(rh_reader_next(reader, &batch, &error), &error);
        events += batch.count;
    } while (batch.count);
    rh_reader_close(reader);
    return events;
}

static void
sum_up(const char *path, unsigned jobs)
{
    rh_reader *reader;
    rh_summary summary;
    rh_parallel_options parallel = {.jobs = jobs};
    rh_error error = {.status = RH_OK};
    insist(rh_reader_open(path, NULL, &reader, &error), &error);
    if (!rh_summary_init(&summary))
        exit(RH_SYSTEM);
    insist(rh_summary_read(&summary, reader, NULL, &parallel, &error), &error);
    rh_summary_release(&summary);
    rh_reader_close(reader);
}

static void
check(const char *path, unsigned jobs)
{
    rh_check_report found;
    rh_parallel_options parallel = {.jobs = jobs};
    rh_error error = {.status = RH_OK};
    insist(rh_check_trace(path, 0, &parallel, &found, &error), &error);
}

/* From nothing to the event in the middle. */
static void
seek_middle(const char *path, uint64_t middle)
{
    rh_reader *reader;
    rh_batch batch;
    rh_error error = {.status = RH_OK};
    insist(rh_reader_open(path, NULL, &reader, &error), &error);
    insist(rh_reader_seek(reader, middle, &error), &error);
    do
        insist(rh_reader_next(reader, &batch, &error), &error);
    while (batch.count && batch.first_event + batch.count <= middle);
    rh_reader_close(reader);
}

/* What `cut` and `filter` do with every event. */
static void
copy(const char *path)
{
    char temporary[] = "/tmp/trace_bench.XXXXXX";
    close(mkstemp(temporary));
    rh_reader *reader;
    rh_copier copier;
    rh_copy_source source = {0};
    rh_batch batch;
    rh_error error = {.status = RH_OK};
    insist(rh_reader_open(path, NULL, &reader, &error), &error);
    insist(rh_copier_open(&copier, temporary, rh_reader_info(reader), "copied", &error), &error);
    do {
        insist(rh_reader_next(reader, &batch, &error), &error);
        for (size_t i = 0; i < batch.count; i++) {
            rh_copier_expect(&copier, &source, batch.events, i, batch.count);
            insist(rh_copier_put(&copier, &source, &batch.events[i], &error), &error);
        }
    } while (batch.count);
    insist(rh_copier_end(&copier, RH_OK, &error), &error);
    rh_copy_source_release(&source);
    rh_reader_close(reader);
    unlink(temporary);
}

typedef struct timing {
    double cpu[RUNS], wall[RUNS];
} timing;

static void
begin_timing(timing *taken, int run)
{
    taken->cpu[run] = (double)cpu_ns();
    taken->wall[run] = (double)rh_host_now_ns();
}

static void
end_timing(timing *taken, int run)
{
    taken->cpu[run] = (double)cpu_ns() - taken->cpu[run];
    taken->wall[run] = (double)rh_host_now_ns() - taken->wall[run];
}

enum { FLOOR, DECODE, INFO, INFO_ALL, CHECK, CHECK_ALL, COPY, SEEK, THINGS };

static void
print_timings(timing taken[THINGS], uint64_t events)
{
    static const char *const names[THINGS] = {
        "floor: unpack",           "decode",
        "info, one thread",        "info, all processors",
        "check, one thread",       "check, all processors",
        "copy, as cut and filter", "get to the event in the middle"};
    static const char *const heading[] = {"reading", "processor", "of the floor", "wall",
                                          "million events/s"};
    rh_table *table = rh_table_new(5);
    for (unsigned i = 0; i < 5; i++)
        rh_table_cell(table, "%s", heading[i]);
    double floor = median(taken[FLOOR].cpu);
    for (unsigned i = 0; i < THINGS; i++) {
        double cpu = median(taken[i].cpu), wall = median(taken[i].wall);
        rh_table_cell(table, "%s", names[i]);
        if (i == SEEK) {
            rh_table_cell(table, "%.1f ms", cpu / 1e6);
            rh_table_cell(table, "%s", "");
            rh_table_cell(table, "%.1f ms", wall / 1e6);
            rh_table_cell(table, "%s", "");
            continue;
        }
        rh_table_cell(table, "%.2f ns/event", cpu / (double)events);
        rh_table_cell(table, "%.1f", cpu / floor);
        rh_table_cell(table, "%.2f ns/event", wall / (double)events);
        rh_table_cell(table, "%.1f", (double)events / wall * 1e3);
    }
    rh_table_print(table, stdout);
    rh_table_free(table);
    printf("medians of %d runs, in turns; %u processors\n", RUNS, rh_host_processors());
}

static void
measure_reading(const char *path, const uint8_t *bytes, size_t size)
{
    static timing taken[THINGS];
    uint64_t events = 0;
    for (int run = 0; run < RUNS; run++) {
        for (unsigned i = 0; i < THINGS; i++) {
            sums sum;
            begin_timing(&taken[i], run);
            switch (i) {
            case FLOOR:
                unpack_all(bytes, size, &sum);
                break;
            case DECODE:
                events = decode_all(path);
                break;
            case INFO:
            case INFO_ALL:
                sum_up(path, i == INFO ? 1 : 0);
                break;
            case CHECK:
            case CHECK_ALL:
                check(path, i == CHECK ? 1 : 0);
                break;
            case COPY:
                copy(path);
                break;
            default:
                seek_middle(path, events / 2);
                break;
            }
            end_timing(&taken[i], run);
        }
    }
    print_timings(taken, events);
}

/* The first events of the trace, with texts that last. */
static rh_event *
keep_events(const char *path, rh_trace_info *info, size_t *count, uint32_t *slots)
{
    rh_event *events = malloc(ENCODED_MAX * sizeof *events);
    rh_reader *reader;
    rh_batch batch = {.count = 1};
    rh_error error = {.status = RH_OK};
    insist(rh_reader_open(path, NULL, &reader, &error), &error);
    for (*count = 0; batch.count && *count < ENCODED_MAX;) {
        insist(rh_reader_next(reader, &batch, &error), &error);
        size_t room = ENCODED_MAX - *count, take = batch.count < room ? batch.count : room;
        memcpy(events + *count, batch.events, take * sizeof *events);
        for (size_t i = *count; i < *count + take; i++)
            if (events[i].operation == RH_MARK || events[i].operation == RH_CHECKPOINT)
                events[i].text = strdup(events[i].text);
        *count += take;
        *slots = batch.slots;
    }
    rh_trace_info_copy(info, rh_reader_info(reader));
    rh_reader_close(reader);
    return events;
}

static void
measure_encoding(const char *path)
{
    rh_trace_info info;
    size_t count;
    uint32_t slots = 0;
    rh_event *events = keep_events(path, &info, &count, &slots);
    uint32_t *handle = calloc((size_t)slots + 1, sizeof *handle);
    char temporary[] = "/tmp/trace_bench.XXXXXX";
    close(mkstemp(temporary));
    double encode[RUNS];
    for (int run = 0; run < RUNS; run++) {
        uint64_t start = cpu_ns();
        rh_writer *writer;
        rh_error error = {.status = RH_OK};
        rh_writer_options options = {.in_place = true};
        insist(rh_writer_open(temporary, &info, &options, &writer, &error), &error);
        for (size_t i = 0; i < count; i++) {
            uint32_t slot = events[i].slot == RH_NO_SLOT ? slots : events[i].slot;
            insist(rh_writer_event(writer, &events[i], &handle[slot], &error), &error);
        }
        insist(rh_writer_finish(writer, 0, 0, &error), &error);
        encode[run] = (double)(cpu_ns() - start);
    }
    unlink(temporary);
    report("encode, zstd and all", encode, count);
    free(handle);
    free(events);
    rh_trace_info_release(&info);
}

int
main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-') {
        fprintf(stderr, "Usage: ./dev bench trace FILE\n");
        return RH_USAGE;
    }
    /* Bazel starts this elsewhere; the path is relative to where the user stands. */
    const char *home = getenv("BUILD_WORKING_DIRECTORY");
    if (home && chdir(home) != 0)
        return RH_SYSTEM;
    rh_reader *reader;
    rh_error error = {.status = RH_OK};
    insist(rh_reader_open(argv[1], NULL, &reader, &error), &error);
    rh_reader_close(reader);
    size_t size;
    uint8_t *bytes = load(argv[1], &size);
    sums sum;
    unpack_all(bytes, size, &sum);
    print_sizes(&sum, size);
    measure_reading(argv[1], bytes, size);
    measure_encoding(argv[1]);
    free(bytes);
    return 0;
}
