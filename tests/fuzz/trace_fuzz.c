/* Any bytes as a trace: it is refused with a message that names the file, or it is read, leniently
 * to its end, in events that a replayer can follow.
 *
 * The first byte chooses: bit 0 gives every block checksums that match, without which mutations of
 * bytes hardly get beyond them; bit 1 reads from a key in the middle.
 */
#define _GNU_SOURCE /* memfd_create */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/unit/traces/follower.h"
#include "traces/format.h"
#include "traces/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FORGE = 1, SEEK = 2, LIVE_MAX = 1 << 16 };

static void
require(int condition)
{
    if (!condition)
        abort();
}

static void
forge(uint8_t *bytes, size_t size)
{
    if (size < RH_HEADER_BYTES)
        return;
    size_t at = RH_HEADER_BYTES + rh_get_u32(bytes + 12);
    while (at < size && size - at > RH_BLOCK_PREFIX_BYTES &&
           memcmp(bytes + at, RH_BLOCK_MAGIC, 4) == 0) {
        size_t head = rh_get_u16(bytes + at + 4), payload = rh_get_u32(bytes + at + 8);
        if (head < RH_BLOCK_PREFIX_BYTES || head > RH_BLOCK_HEAD_MAX || head + payload > size - at)
            return;
        rh_block_forge(bytes + at, head, payload);
        at += head + payload;
    }
}

static void
follow(follower *replayer, const rh_batch *batch)
{
    require(follower_follow(replayer, batch->events, batch->count, batch->slots));
}

static void
read_trace(rh_reader *reader, bool seek, follower *replayer)
{
    rh_batch batch = {.count = 0};
    rh_error error = {.status = RH_OK};
    rh_status status = RH_OK;
    if (seek) {
        status = rh_reader_seek(reader, 300, &error);
        while (status == RH_OK && rh_reader_live(reader, &batch, &error) == RH_OK && batch.count)
            follow(replayer, &batch);
    }
    while (status == RH_OK && (status = rh_reader_next(reader, &batch, &error)) == RH_OK &&
           (batch.count || batch.block_ends))
        follow(replayer, &batch);
    require(status == RH_OK || error.message[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned how = size ? data[0] : 0;
    size_t length = size ? size - 1 : 0;
    uint8_t *bytes = malloc(length + 1);
    if (length)
        memcpy(bytes, data + 1, length);
    if (how & FORGE)
        forge(bytes, length);
    int file = memfd_create("trace", 0);
    require(file >= 0 && write(file, bytes, length) == (ssize_t)length);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    rh_reader *reader;
    rh_error error = {.status = RH_OK};
    rh_reader_options options = {.max_live_blocks = LIVE_MAX, .lenient = true, .audit = true};
    rh_status status = rh_reader_open(path, &options, &reader, &error);
    if (status == RH_OK) {
        follower replayer = {.taken = NULL};
        read_trace(reader, how & SEEK, &replayer);
        follower_release(&replayer);
        rh_reader_close(reader);
    } else {
        require(status == RH_BAD_INPUT && strncmp(error.message, path, strlen(path)) == 0);
    }
    close(file);
    free(bytes);
    return 0;
}
