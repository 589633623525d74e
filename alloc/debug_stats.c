#include "alloc/debug_stats.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The lines "LABEL   =   NUMBER" that every version prints once. */
static const struct {
    const char *label;
    size_t field;
} lines[] = {
    {"# arenas allocated total", offsetof(rh_debug_stats, arenas_allocated)},
    {"# arenas reclaimed", offsetof(rh_debug_stats, arenas_released)},
    {"# arenas highwater mark", offsetof(rh_debug_stats, arenas_highwater)},
    {"# arenas allocated current", offsetof(rh_debug_stats, arenas_current)},
    {"# bytes in allocated blocks", offsetof(rh_debug_stats, allocated_bytes)},
    {"# bytes in available blocks", offsetof(rh_debug_stats, available_bytes)},
    {"# bytes lost to pool headers", offsetof(rh_debug_stats, header_bytes)},
    {"# bytes lost to quantization", offsetof(rh_debug_stats, quantization_bytes)},
    {"# bytes lost to arena alignment", offsetof(rh_debug_stats, alignment_bytes)},
};

enum { LINES = sizeof lines / sizeof *lines, TOTAL_SEEN = 1 << LINES };

/* A number with commas in it. */
static uint64_t
grouped(const char *text)
{
    uint64_t number = 0;
    for (text += strspn(text, " "); (*text >= '0' && *text <= '9') || *text == ','; text++)
        if (*text != ',')
            number = number * 10 + (uint64_t)(*text - '0');
    return number;
}

static bool
starts(const char *line, const char *label)
{
    return strncmp(line, label, strlen(label)) == 0;
}

/* Lines whose labels hold numbers, and rows of the table of classes. */
static void
read_other(const char *line, const char *equals, rh_debug_stats *stats, unsigned *seen)
{
    uint64_t count, size, blocks, spare;
    unsigned class;
    if (!equals) {
        if (sscanf(line, "%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &class, &size, &count,
                   &blocks, &spare) == 5) {
            stats->pools_in_use += count;
            stats->live_blocks += blocks;
        }
    } else if (starts(line, "# bytes lost to arena map")) {
        stats->map_bytes += grouped(equals + 1);
    } else if (starts(line, "Total") && !(*seen & TOTAL_SEEN)) {
        stats->total_bytes = grouped(equals + 1); /* the arena map has a total of its own below */
        *seen |= TOTAL_SEEN;
    } else if (sscanf(line, "%" SCNu64 " arenas * %" SCNu64, &count, &size) == 2) {
        stats->arena_bytes = size;
    } else if (sscanf(line, "%" SCNu64 " unused pools * %" SCNu64, &count, &size) == 2) {
        stats->pools_free = count;
        stats->pool_bytes = size;
    }
}

static void
read_line(const char *line, rh_debug_stats *stats, unsigned *seen)
{
    const char *equals = strchr(line, '=');
    for (size_t i = 0; equals && i < LINES; i++) {
        if (starts(line, lines[i].label)) {
            uint64_t number = grouped(equals + 1);
            memcpy((char *)stats + lines[i].field, &number, sizeof number);
            *seen |= 1u << i;
            return;
        }
    }
    read_other(line, equals, stats, seen);
}

bool
rh_debug_stats_parse(const char *text, rh_debug_stats *stats)
{
    unsigned seen = 0;
    *stats = (rh_debug_stats){.total_bytes = 0};
    while (*text) {
        char line[256];
        size_t length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        read_line(line, stats, &seen);
        text += length + (text[length] == '\n');
    }
    return seen == (TOTAL_SEEN | (TOTAL_SEEN - 1)) && stats->arena_bytes && stats->pool_bytes;
}
