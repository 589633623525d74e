#include "alloc/size_classes.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

/* A table in the making. */
typedef struct builder {
    const char *text;
    uint64_t alignment, small_bytes, largest; /* the last: small_bytes rounded up */
    uint32_t *bytes;
    uint32_t count;
    rh_error *error;
} builder;

static uint64_t
rounded_up(uint64_t bytes, uint64_t alignment)
{
    return (bytes + alignment - 1) / alignment * alignment;
}

bool
rh_size_classes_is_list(const char *text)
{
    return isdigit((unsigned char)text[0]);
}

/* ---- the three ways to tell a table ---- */

/* The next class is `bytes`, or the last one; false once that is there. */
static bool
append(builder *to, uint64_t bytes)
{
    if (bytes > to->largest)
        bytes = to->largest;
    if (to->count == 0 || to->bytes[to->count - 1] < bytes)
        to->bytes[to->count++] = (uint32_t)bytes;
    return bytes < to->largest;
}

static rh_status
build_linear(builder *to, const char *argument)
{
    uint64_t step = to->alignment;
    if (argument && (!rh_size_parse(argument, &step) || step == 0 || step % to->alignment != 0 ||
                     step > to->largest))
        return rh_fail(to->error, RH_USAGE,
                       "classes=%.64s: the step must be a multiple of align=%" PRIu64
                       " and at most small=%" PRIu64,
                       to->text, to->alignment, to->small_bytes);
    for (uint64_t bytes = step; append(to, bytes); bytes += step) {
    }
    return RH_OK;
}

static rh_status
build_geometric(builder *to, const char *argument)
{
    uint64_t parts = 0;
    bool good = argument && argument[strspn(argument, "0123456789")] == '\0' &&
                rh_size_parse(argument, &parts);
    if (!good || parts == 0 || parts > RH_CLASSES_PER_DOUBLING_MAX)
        return rh_fail(to->error, RH_USAGE,
                       "classes=%.64s: geometric needs the number of classes from a power of two "
                       "to the next, 1 to %d, such as geometric:4",
                       to->text, RH_CLASSES_PER_DOUBLING_MAX);
    bool more = append(to, to->alignment);
    for (uint64_t from = to->alignment; more; from *= 2)
        for (uint64_t part = 1; more && part <= parts; part++) {
            uint64_t bytes = from + (from * part + parts - 1) / parts;
            more = append(to, rounded_up(bytes, to->alignment));
        }
    return RH_OK;
}

/* Reads the size at *at, which a colon or the end follows, and passes both. */
static bool
read_size(const char **at, uint64_t *bytes)
{
    char word[RH_SIZE_TEXT];
    size_t length = strcspn(*at, ":");
    if (length >= sizeof word)
        return false;
    memcpy(word, *at, length);
    word[length] = '\0';
    *at += length + ((*at)[length] == ':');
    return rh_size_parse(word, bytes);
}

static rh_status
check_listed(const builder *to, uint64_t bytes, uint64_t before)
{
    if (bytes == 0 || bytes % to->alignment != 0)
        return rh_fail(to->error, RH_USAGE,
                       "classes=%.64s: %" PRIu64 " is not a multiple of align=%" PRIu64, to->text,
                       bytes, to->alignment);
    if (bytes <= before)
        return rh_fail(to->error, RH_USAGE,
                       "classes=%.64s: %" PRIu64 " after %" PRIu64 "; sizes must ascend", to->text,
                       bytes, before);
    if (bytes > RH_CLASS_UNITS_MAX * to->alignment)
        return rh_fail(to->error, RH_USAGE,
                       "classes=%.64s: %" PRIu64 " is larger than any pool allows", to->text,
                       bytes);
    return RH_OK;
}

/* What a list covers is what is to be served, no less and no more. */
static rh_status
check_coverage(builder *to)
{
    uint64_t last = to->bytes[to->count - 1];
    if (to->small_bytes == 0)
        to->small_bytes = to->largest = last;
    if (last < to->small_bytes)
        return rh_fail(to->error, RH_USAGE,
                       "classes=%.64s: the last size is %" PRIu64 ", less than small=%" PRIu64
                       "; add a class or leave small out",
                       to->text, last, to->small_bytes);
    if (last > to->largest)
        return rh_fail(to->error, RH_USAGE,
                       "classes=%.64s: the last size is %" PRIu64 ", above small=%" PRIu64
                       "; no request would use it",
                       to->text, last, to->small_bytes);
    return RH_OK;
}

static rh_status
build_list(builder *to)
{
    for (const char *at = to->text; *at;) {
        uint64_t bytes;
        if (to->count == RH_CLASSES_LISTED_MAX)
            return rh_fail(to->error, RH_USAGE, "classes=%.64s...: more than %d sizes", to->text,
                           RH_CLASSES_LISTED_MAX);
        const char *start = at;
        if (!read_size(&at, &bytes))
            return rh_fail(to->error, RH_USAGE,
                           "classes=%.64s: '%.*s' is not a size; a list is such as 16:32:64",
                           to->text, (int)(strcspn(start, ":") % 64), start);
        rh_status status = check_listed(to, bytes, to->count ? to->bytes[to->count - 1] : 0);
        if (status != RH_OK)
            return status;
        to->bytes[to->count++] = (uint32_t)bytes;
    }
    if (to->text[strlen(to->text) - 1] == ':')
        return rh_fail(to->error, RH_USAGE, "classes=%.64s: a size is missing after the last colon",
                       to->text);
    return check_coverage(to);
}

static rh_status
build(builder *to)
{
    if (rh_size_classes_is_list(to->text))
        return build_list(to);
    size_t word = strcspn(to->text, ":");
    const char *argument = to->text[word] == ':' ? to->text + word + 1 : NULL;
    if (word == strlen("linear") && strncmp(to->text, "linear", word) == 0)
        return build_linear(to, argument);
    if (word == strlen("geometric") && strncmp(to->text, "geometric", word) == 0)
        return build_geometric(to, argument);
    return rh_fail(to->error, RH_USAGE,
                   "'classes=%.64s' is not allowed; allowed: linear[:STEP], geometric:N (classes "
                   "from a power of two to the next), or sizes such as 16:32:48:64",
                   to->text);
}

/* ---- the table ---- */

/* Keeps the sizes, and the lookup by units, in memory of their own: none when they are the
 * multiples of the alignment. */
static rh_status
finish(const builder *from, rh_size_classes *classes)
{
    uint64_t units = from->largest / from->alignment;
    *classes = (rh_size_classes){.small_bytes = from->small_bytes, .count = from->count};
    if (from->count == units)
        return RH_OK;
    size_t sizes = from->count * sizeof *classes->bytes;
    classes->table_bytes = sizes + units * sizeof *classes->of_unit;
    classes->bytes = malloc(classes->table_bytes);
    if (!classes->bytes)
        return rh_fail(from->error, RH_SYSTEM, "no memory for a table of size classes");
    memcpy(classes->bytes, from->bytes, sizes);
    classes->of_unit = (uint16_t *)(classes->bytes + from->count);
    for (uint32_t i = 0, unit = 0; i < from->count; i++)
        for (; unit < from->bytes[i] / from->alignment; unit++)
            classes->of_unit[unit] = (uint16_t)i;
    return RH_OK;
}

rh_status
rh_size_classes_init(rh_size_classes *classes, const char *text, uint64_t alignment,
                     uint64_t small_bytes, rh_error *error)
{
    *classes = (rh_size_classes){.count = 0};
    builder made = {.text = text ? text : "linear",
                    .alignment = alignment,
                    .small_bytes = small_bytes,
                    .largest = rounded_up(small_bytes, alignment),
                    .error = error};
    bool listed = rh_size_classes_is_list(made.text);
    if ((small_bytes == 0 && !listed) || made.largest > RH_CLASS_UNITS_MAX * alignment)
        return rh_fail(error, RH_USAGE, "small=%" PRIu64 " is not from 1 to %" PRIu64, small_bytes,
                       RH_CLASS_UNITS_MAX * alignment);
    size_t most = listed ? RH_CLASSES_LISTED_MAX : made.largest / alignment;
    made.bytes = malloc(most * sizeof *made.bytes);
    if (!made.bytes)
        return rh_fail(error, RH_SYSTEM, "no memory for a table of size classes");
    rh_status status = build(&made);
    if (status == RH_OK)
        status = finish(&made, classes);
    free(made.bytes);
    return status;
}

void
rh_size_classes_release(rh_size_classes *classes)
{
    free(classes->bytes);
    *classes = (rh_size_classes){.count = 0};
}
