#define _GNU_SOURCE
#include "replay/self_maps.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/counters.h"
#include "base/host.h"

/* Reads one line "FROM-TO rwxp ... PATH" as it comes, byte by byte: lines cross the borders of
 * reads. */
typedef struct scan {
    uint64_t from, to, sum;
    enum { IN_FROM, IN_TO, IN_MODE, IN_REST } part;
    unsigned mode;     /* characters of the mode seen */
    bool counted;      /* writable and private so far */
    bool file;         /* its path begins with a slash */
    bool path;         /* its path has begun */
    unsigned stack;    /* characters of "[stack]" matched at the line's end */
    uint64_t file_end; /* where the last mapping of a file's data ended */
} scan;

static uint64_t
hex(char c)
{
    return (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void
end_line(scan *line)
{
    static const unsigned whole = sizeof "[stack]" - 1;
    bool counted = line->counted && line->mode >= 4;
    if (counted && line->file)
        line->file_end = line->to;
    else if (counted && line->stack != whole && line->from != line->file_end)
        line->sum += line->to - line->from;
    *line = (scan){.sum = line->sum, .file_end = line->file_end};
}

static void
scan_byte(scan *line, char c)
{
    static const char stack[] = "[stack]";
    if (c == '\n') {
        end_line(line);
        return;
    }
    switch (line->part) {
    case IN_FROM:
        if (c == '-')
            line->part = IN_TO;
        else
            line->from = line->from << 4 | hex(c);
        break;
    case IN_TO:
        if (c == ' ') {
            line->part = IN_MODE;
            line->counted = true;
        } else {
            line->to = line->to << 4 | hex(c);
        }
        break;
    case IN_MODE:
        if (c == ' ')
            line->part = IN_REST;
        else if ((line->mode == 1 && c != 'w') || (line->mode == 3 && c != 'p'))
            line->counted = false;
        line->mode += c != ' ';
        break;
    case IN_REST:
        if (!line->path && (c == '/' || c == '['))
            line->file = c == '/';
        line->path |= c == '/' || c == '[';
        line->stack = c == stack[line->stack] ? line->stack + 1 : c == stack[0];
        break;
    }
}

uint64_t
rh_self_maps_sum(const char *text, uint64_t bytes)
{
    scan line = {0};
    for (uint64_t i = 0; i < bytes; i++)
        scan_byte(&line, text[i]);
    return line.sum;
}

uint64_t
rh_self_mapped_bytes(void)
{
    char text[16384];
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return RH_UNKNOWN;
    scan line = {0};
    ssize_t length;
    while ((length = read(file, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < length; i++)
            scan_byte(&line, text[i]);
    close(file);
    return length < 0 ? RH_UNKNOWN : line.sum;
}

uint64_t
rh_self_resident_bytes(void)
{
    char text[128], *end;
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return RH_UNKNOWN;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return RH_UNKNOWN;
    text[length] = '\0';
    strtoull(text, &end, 10);
    uint64_t resident = strtoull(end, &end, 10), shared = strtoull(end, &end, 10);
    return (resident - shared) * rh_host_page_bytes();
}

uint64_t
rh_self_huge_bytes(void)
{
    static const char label[] = "AnonHugePages:";
    char text[4096];
    int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return RH_UNKNOWN;
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    if (got <= 0)
        return RH_UNKNOWN;
    text[got] = '\0';
    const char *line = strstr(text, label);
    return line ? strtoull(line + strlen(label), NULL, 10) * 1024 : RH_UNKNOWN;
}
