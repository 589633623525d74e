/* Any bytes as a file of any importer: it is refused with a message, or becomes a trace whose
 * events a replayer can follow. The first byte chooses the importer, and whether it is lenient. */
#define _GNU_SOURCE /* memfd_create */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/unit/traces/follower.h"
#include "traces/import.h"
#include "traces/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int condition)
{
    if (!condition)
        abort();
}

/* A file in memory, and its path. */
static int
memory_file(const uint8_t *data, size_t size, char path[64])
{
    int file = memfd_create("import", MFD_CLOEXEC);
    require(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", file);
    return file;
}

static void
follow_all(const char *path)
{
    rh_reader *reader;
    rh_batch batch;
    rh_error error = {.status = RH_OK};
    rh_reader_options options = {.audit = true};
    follower replayer = {0};
    require(rh_reader_open(path, &options, &reader, &error) == RH_OK);
    do {
        require(rh_reader_next(reader, &batch, &error) == RH_OK);
        require(follower_follow(&replayer, batch.events, batch.count, batch.slots));
    } while (batch.count > 0);
    require(rh_reader_contradiction(reader) == NULL);
    rh_reader_close(reader);
    follower_release(&replayer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t count = 0;
    while (rh_importers[count])
        count++;
    char input[64], folder[] = "/dev/shm/reheap-fuzz-XXXXXX", output[128];
    require(mkdtemp(folder) != NULL);
    snprintf(output, sizeof output, "%s/trace.rht", folder);
    int file = memory_file(data + 1, size - 1, input);
    rh_import_options options = {.importer = rh_importers[data[0] / 2 % count],
                                 .input = input,
                                 .output = output,
                                 .lenient = data[0] & 1};
    rh_import_report report;
    rh_error error = {.status = RH_OK};
    rh_status status = rh_import_run(&options, &report, &error);
    require(status == RH_OK || error.message[0]);
    if (status == RH_OK)
        follow_all(output);
    else
        require(access(output, F_OK) != 0);
    unlink(output);
    require(rmdir(folder) == 0);
    close(file);
    return 0;
}
