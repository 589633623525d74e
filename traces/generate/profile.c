#include "traces/generate/profile.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "traces/lines.h"

enum { SIZES_MAX = 1 << 20 };
#define BLOCK_MAX  (UINT64_C(1) << 40)
#define NUMBER_MAX 1e18

/* Cuts the next field off: what lies before the next comma, without blanks around. NULL when there
 * is none. */
static char *
next_field(char **cursor)
{
    char *field = *cursor;
    if (!field)
        return NULL;
    char *comma = strchr(field, ',');
    *cursor = comma ? comma + 1 : NULL;
    char *end = comma ? comma : field + strlen(field);
    while (end > field && strchr(" \t\r", end[-1]))
        end--;
    *end = '\0';
    return field + strspn(field, " \t");
}

/* A number that is neither negative, infinite nor hexadecimal. */
static bool
read_number(const char *text, double *number)
{
    char *end;
    if (!text || !*text || strspn(text, "0123456789.eE+-") != strlen(text))
        return false;
    *number = strtod(text, &end);
    return !*end && isfinite(*number) && *number >= 0 && *number <= NUMBER_MAX;
}

/* NULL, or what is wrong with the line. */
static const char *
read_line(char *line, rh_profile_size *one)
{
    char *cursor = line, *size = next_field(&cursor), *rate = next_field(&cursor),
         *live = next_field(&cursor);
    if (!live || cursor)
        return "it is not three numbers with commas between them, `SIZE, RATE, LIVE`";
    double bytes;
    if (!read_number(size, &bytes) || bytes != floor(bytes))
        return "the size is not a whole number";
    if (bytes > (double)BLOCK_MAX)
        return "the size is above 1T";
    one->size = (uint64_t)bytes;
    if (!read_number(rate, &one->rate))
        return "the rate of allocation is not a number from 0 to 1e18";
    if (!read_number(live, &one->live))
        return "how many live is not a number from 0 to 1e18";
    return NULL;
}

static rh_status
add(rh_profile *profile, const rh_profile_size *one, size_t *room, rh_error *error)
{
    if (profile->count == SIZES_MAX)
        return rh_fail(error, RH_BAD_INPUT, "more than %d sizes", SIZES_MAX);
    if (profile->count == *room) {
        *room = *room ? *room * 2 : 256;
        rh_profile_size *grown = realloc(profile->sizes, *room * sizeof *grown);
        if (!grown)
            return rh_fail(error, RH_SYSTEM, "out of memory");
        profile->sizes = grown;
    }
    profile->sizes[profile->count++] = *one;
    profile->rate += one->rate;
    profile->live += one->live;
    profile->live_bytes += one->live * (double)one->size;
    return RH_OK;
}

static rh_status
read_lines(rh_lines *lines, rh_profile *profile, rh_error *error)
{
    char *line;
    size_t room = 0;
    rh_status status;
    while ((status = rh_lines_next(lines, &line, error)) == RH_OK && line) {
        rh_profile_size one;
        line += strspn(line, " \t\r");
        if (!*line || *line == '#')
            continue;
        const char *wrong = read_line(line, &one);
        status =
            wrong ? rh_fail(error, RH_BAD_INPUT, "%s", wrong) : add(profile, &one, &room, error);
        if (status != RH_OK)
            return rh_error_prefix(error, "line %" PRIu64, rh_lines_number(lines));
    }
    return status;
}

rh_status
rh_profile_read(const char *path, rh_profile *profile, rh_error *error)
{
    rh_lines *lines;
    *profile = (rh_profile){.sizes = NULL};
    rh_status status = rh_lines_open(path, &lines, error);
    if (status != RH_OK)
        return status;
    status = read_lines(lines, profile, error);
    rh_lines_close(lines);
    if (status == RH_OK && (!(profile->rate > 0) || !(profile->live_bytes > 0)))
        status = rh_fail(error, RH_BAD_INPUT, "there is nothing in it that %s",
                         profile->rate > 0 ? "lives" : "is allocated");
    if (status == RH_OK)
        return RH_OK;
    rh_profile_release(profile);
    return error && strncmp(error->message, path, strlen(path)) != 0
               ? rh_error_prefix(error, "%s", path)
               : status;
}

void
rh_profile_release(rh_profile *profile)
{
    free(profile->sizes);
    profile->sizes = NULL;
    profile->count = 0;
}
