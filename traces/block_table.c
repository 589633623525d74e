#define _GNU_SOURCE
#include "traces/block_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/output.h"
#include "traces/trace_json.h"

enum { WINDOW_BYTES = 1 << 20 };

rh_status
rh_block_table_read(const rh_block_table *table, uint64_t offset, void *bytes, size_t size,
                    rh_error *error)
{
    char *at = bytes;
    while (size) {
        ssize_t got = pread(table->descriptor, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot read it (at byte %llu)",
                                 table->path, (unsigned long long)offset);
        if (got == 0)
            return rh_fail(error, RH_BAD_INPUT, "%s: the file ends at byte %llu, too early",
                           table->path, (unsigned long long)offset);
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return RH_OK;
}

static rh_status
open_file(rh_block_table *table, const char *path, rh_error *error)
{
    table->path = strdup(path);
    if (!table->path)
        return rh_fail(error, RH_SYSTEM, "%s: out of memory", path);
    /* A named pipe would wait for its writer; what it is, is looked at next. */
    table->descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (table->descriptor < 0)
        return rh_fail_errno(error, errno == ENOENT ? RH_BAD_INPUT : RH_SYSTEM, errno,
                             "%s: cannot open it", path);
    struct stat status;
    if (fstat(table->descriptor, &status) != 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot look at it", path);
    if (!S_ISREG(status.st_mode))
        return rh_fail(error, RH_BAD_INPUT, "%s: it is not a regular file; a trace must be one",
                       path);
    table->file_bytes = (uint64_t)status.st_size;
    return RH_OK;
}

static rh_status
check_magic(const rh_block_table *table, const uint8_t *bytes, size_t size, rh_error *error)
{
    size_t compare = size < 8 ? size : 8;
    if (size == 0)
        return rh_fail(error, RH_BAD_INPUT, "%s: the file is empty; record it again", table->path);
    if (memcmp(bytes, RH_TRACE_MAGIC, compare) != 0)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: this is not a reheap trace (at byte 0); `reheap record` makes them",
                       table->path);
    if (size < RH_HEADER_BYTES)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: the file ends at byte %zu, inside its header; nothing can be recovered",
                       table->path, size);
    unsigned version = rh_get_u16(bytes + 8);
    if (version != RH_FORMAT_VERSION)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: the trace has format version %u, and this program reads version %d (at "
                       "byte 8); use the reheap that recorded it, or a newer one",
                       table->path, version, RH_FORMAT_VERSION);
    return RH_OK;
}

static rh_status
read_header(rh_block_table *table, rh_error *error)
{
    uint8_t prefix[RH_HEADER_BYTES];
    size_t size = table->file_bytes < sizeof prefix ? (size_t)table->file_bytes : sizeof prefix;
    rh_status status = rh_block_table_read(table, 0, prefix, size, error);
    if (status == RH_OK)
        status = check_magic(table, prefix, size, error);
    if (status != RH_OK)
        return status;
    size_t length = rh_get_u32(prefix + 12);
    if (length > RH_JSON_MAX || rh_get_u16(prefix + 10) != 0)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: the header is damaged (at byte 10); nothing can be read without it",
                       table->path);
    table->blocks_offset = RH_HEADER_BYTES + length;
    if (table->blocks_offset > table->file_bytes)
        return rh_fail(
            error, RH_BAD_INPUT,
            "%s: the file ends at byte %llu, inside its header; nothing can be recovered",
            table->path, (unsigned long long)table->file_bytes);
    uint8_t *bytes = malloc(table->blocks_offset + 1);
    if (!bytes)
        return rh_fail(error, RH_SYSTEM, "%s: out of memory", table->path);
    status = rh_block_table_read(table, 0, bytes, table->blocks_offset, error);
    char why[128];
    if (status == RH_OK && rh_header_hash(bytes, length) != rh_get_u64(bytes + 16))
        status = rh_fail(error, RH_BAD_INPUT,
                         "%s: the header is damaged (bytes 0 to %llu do not match their checksum); "
                         "nothing can be read without it",
                         table->path, (unsigned long long)table->blocks_offset - 1);
    else if (status == RH_OK && !rh_trace_json_read_header((const char *)bytes + RH_HEADER_BYTES,
                                                           length, &table->info, why))
        status = rh_fail(error, RH_BAD_INPUT, "%s: the description makes no sense: %s (at byte %d)",
                         table->path, why, RH_HEADER_BYTES);
    free(bytes);
    return status;
}

static bool
add_entry(rh_block_table *table, const rh_block_entry *entry)
{
    if (table->blocks == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 64;
        rh_block_entry *block = realloc(table->block, capacity * sizeof *block);
        if (!block)
            return false;
        table->block = block;
        table->capacity = capacity;
    }
    table->block[table->blocks++] = *entry;
    return true;
}

/* Entries must cover the bytes from the header to the index exactly. */
static bool
read_entries(rh_block_table *table, const uint8_t *bytes, size_t size, uint64_t index_offset)
{
    rh_cursor in = {bytes, bytes + size, false};
    uint64_t offset = table->blocks_offset, event = 0;
    while (in.at < in.end) {
        uint64_t first = rh_take_varint(&in), events = rh_take_varint(&in);
        rh_block_entry entry = {.offset = offset,
                                .bytes = first >> 1,
                                .first_event = event,
                                .events = (uint32_t)events,
                                .key = first & 1};
        if (in.failed || events > RH_BLOCK_EVENTS_MAX || entry.bytes < RH_BLOCK_PREFIX_BYTES ||
            entry.bytes > index_offset - offset || (offset == table->blocks_offset && !entry.key) ||
            !add_entry(table, &entry))
            return false;
        offset += entry.bytes;
        event += events;
    }
    return offset == index_offset;
}

/* Reads the index that begins at `offset`; false when there is none that is sound. */
static bool
read_index_at(rh_block_table *table, uint64_t offset)
{
    if (offset < table->blocks_offset || offset > table->file_bytes ||
        table->file_bytes - offset < RH_INDEX_PREFIX_BYTES + RH_FOOTER_BYTES)
        return false;
    size_t size = (size_t)(table->file_bytes - offset);
    uint8_t prefix[RH_INDEX_PREFIX_BYTES];
    if (rh_block_table_read(table, offset, prefix, sizeof prefix, NULL) != RH_OK ||
        memcmp(prefix, RH_INDEX_MAGIC, 4) != 0 || rh_get_u32(prefix + 12) != 0)
        return false;
    uint64_t entries = rh_get_u32(prefix + 4), totals = rh_get_u32(prefix + 8);
    if (totals > RH_JSON_MAX || entries + totals != size - RH_INDEX_PREFIX_BYTES - RH_FOOTER_BYTES)
        return false;
    uint8_t *body = malloc(entries + totals + 1);
    char why[128];
    bool good =
        body &&
        rh_block_table_read(table, offset + sizeof prefix, body, entries + totals, NULL) == RH_OK &&
        rh_format_hash(body, entries + totals) == rh_get_u64(prefix + 16) &&
        read_entries(table, body, entries, offset) &&
        rh_trace_json_read_totals((const char *)body + entries, totals, &table->info, why);
    free(body);
    return good;
}

static bool
read_index(rh_block_table *table)
{
    uint8_t footer[RH_FOOTER_BYTES];
    if (table->file_bytes < table->blocks_offset + RH_INDEX_PREFIX_BYTES + RH_FOOTER_BYTES)
        return false;
    uint64_t at = table->file_bytes - RH_FOOTER_BYTES;
    if (rh_block_table_read(table, at, footer, sizeof footer, NULL) != RH_OK ||
        memcmp(footer + 8, RH_END_MAGIC, 8) != 0)
        return false;
    uint64_t offset = rh_get_u64(footer);
    if (!read_index_at(table, offset)) {
        table->blocks = 0;
        return false;
    }
    table->index = RH_INDEX_SOUND;
    table->blocks_end = offset;
    return true;
}

/* A piece of the file in memory, for scanning. */
typedef struct scan {
    uint8_t *bytes;
    uint64_t offset; /* of bytes[0] in the file */
    size_t size;
} scan;

/* Bytes from `offset` on: at least a head's, where the file has them. */
static rh_status
look_at(const rh_block_table *table, scan *window, uint64_t offset, const uint8_t **bytes,
        size_t *available, rh_error *error)
{
    uint64_t left = table->file_bytes - offset;
    size_t wanted = left < RH_BLOCK_HEAD_MAX ? (size_t)left : RH_BLOCK_HEAD_MAX;
    if (offset < window->offset || offset + wanted > window->offset + window->size) {
        window->offset = offset;
        window->size = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        rh_status status = rh_block_table_read(table, offset, window->bytes, window->size, error);
        if (status != RH_OK)
            return status;
    }
    *bytes = window->bytes + (offset - window->offset);
    *available = window->size - (size_t)(offset - window->offset);
    return RH_OK;
}

/* Whether what stands at the end is the start of an index that was cut off, rather than damage. */
static bool
index_is_cut(const uint8_t *bytes, size_t available)
{
    size_t compare = available < 4 ? available : 4;
    if (memcmp(bytes, RH_INDEX_MAGIC, compare) != 0)
        return false;
    if (available < 16)
        return true;
    uint64_t whole = (uint64_t)RH_INDEX_PREFIX_BYTES + rh_get_u32(bytes + 4) +
                     rh_get_u32(bytes + 8) + RH_FOOTER_BYTES;
    return available < whole;
}

/* What stands at the end of the sound blocks, when no block follows. */
static void
judge_tail(rh_block_table *table, const uint8_t *bytes, size_t available, const rh_block_head *head)
{
    if (index_is_cut(bytes, available))
        return;
    if (available >= 4 && memcmp(bytes, RH_INDEX_MAGIC, 4) == 0) {
        table->index = RH_INDEX_DAMAGED;
        return;
    }
    table->tail_bytes = table->file_bytes - table->blocks_end;
    table->tail_events = head->events;
}

static rh_status
scan_blocks(rh_block_table *table, scan *window, rh_error *error)
{
    uint64_t offset = table->blocks_offset, next_event = 0;
    table->index = RH_INDEX_MISSING;
    table->blocks_end = offset;
    while (offset < table->file_bytes) {
        const uint8_t *bytes;
        size_t available;
        rh_status status = look_at(table, window, offset, &bytes, &available, error);
        if (status == RH_OK && rh_interrupted()) /* the file may be of any size, and all holes */
            status = rh_fail(error, RH_INTERRUPTED, "%s: interrupted", table->path);
        if (status != RH_OK)
            return status;
        rh_block_head head = {0};
        rh_head_result result = rh_block_head_read(bytes, available, &head);
        uint64_t size = (uint64_t)head.head_bytes + head.payload_bytes;
        if (result == RH_HEAD_SOUND && size <= table->file_bytes - offset &&
            head.first_event >= next_event) {
            rh_block_entry entry = {offset, size, head.first_event, head.events, head.key};
            if (!add_entry(table, &entry))
                return rh_fail(error, RH_SYSTEM, "%s: out of memory", table->path);
            next_event = head.first_event + head.events;
            table->blocks_end = offset += size;
            table->tail_bytes = table->tail_events = 0;
            continue;
        }
        if (offset == table->blocks_end)
            judge_tail(table, bytes, available, &head);
        const uint8_t *next = memchr(bytes + 1, RH_BLOCK_MAGIC[0], available - 1);
        offset += next ? (uint64_t)(next - bytes) : available;
    }
    return RH_OK;
}

static rh_status
find_blocks(rh_block_table *table, rh_error *error)
{
    if (read_index(table))
        return RH_OK;
    scan window = {malloc(WINDOW_BYTES), 0, 0};
    if (!window.bytes)
        return rh_fail(error, RH_SYSTEM, "%s: out of memory", table->path);
    rh_status status = scan_blocks(table, &window, error);
    free(window.bytes);
    return status;
}

rh_status
rh_block_table_open(rh_block_table *table, const char *path, rh_error *error)
{
    *table = (rh_block_table){.descriptor = -1};
    rh_trace_info_init(&table->info);
    rh_status status = open_file(table, path, error);
    if (status == RH_OK)
        status = read_header(table, error);
    if (status == RH_OK)
        status = find_blocks(table, error);
    if (status != RH_OK) {
        rh_block_table_close(table);
        return status;
    }
    table->info.file_bytes = table->file_bytes;
    table->info.complete = table->index == RH_INDEX_SOUND;
    return RH_OK;
}

void
rh_block_table_close(rh_block_table *table)
{
    if (table->descriptor >= 0)
        close(table->descriptor);
    free(table->path);
    free(table->block);
    rh_trace_info_release(&table->info);
    *table = (rh_block_table){.descriptor = -1};
}
