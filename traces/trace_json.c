#define _GNU_SOURCE /* strdup */
#include "traces/trace_json.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHY_BYTES = 128 };

typedef enum member_kind { TEXT, COUNT, STATUS, FLAG, TIMES } member_kind;

typedef struct member {
    const char *name;
    member_kind kind;
    size_t offset;
} member;

#define MEMBER(name, kind)                                                                         \
    {                                                                                              \
#name, kind, offsetof(rh_trace_info, name)                                                 \
    }

static const member header_members[] = {
    MEMBER(command, TEXT),        MEMBER(program, TEXT),     MEMBER(capture, TEXT),
    MEMBER(python_version, TEXT), MEMBER(allocator, TEXT),   MEMBER(recorder, TEXT),
    MEMBER(host, TEXT),           MEMBER(started, TEXT),     MEMBER(arena_bytes, COUNT),
    MEMBER(pool_bytes, COUNT),    MEMBER(process_id, COUNT), MEMBER(timestamps, TIMES),
    MEMBER(addresses, FLAG),      MEMBER(domains, FLAG),     {NULL, TEXT, 0},
};

static const member total_members[] = {
    MEMBER(events, COUNT),
    MEMBER(allocations, COUNT),
    MEMBER(reallocations, COUNT),
    MEMBER(frees, COUNT),
    MEMBER(null_frees, COUNT),
    MEMBER(failures, COUNT),
    MEMBER(nested_events, COUNT),
    MEMBER(arena_events, COUNT),
    MEMBER(marks, COUNT),
    MEMBER(checkpoints, COUNT),
    MEMBER(threads, COUNT),
    MEMBER(dropped_events, COUNT),
    MEMBER(undecided_events, COUNT),
    MEMBER(peak_requested_bytes, COUNT),
    MEMBER(peak_live_blocks, COUNT),
    MEMBER(end_requested_bytes, COUNT),
    MEMBER(end_live_blocks, COUNT),
    MEMBER(elapsed_ns, COUNT),
    MEMBER(ended, TEXT),
    MEMBER(pauses, COUNT),
    MEMBER(exit_status, STATUS),
    {NULL, TEXT, 0},
};

static const char *const times_names[] = {"none", "coarse", "exact"};

/* The length of the well-formed UTF-8 character at `text`, 0 when there is none. */
static size_t
character_bytes(const unsigned char *text)
{
    size_t bytes = text[0] < 0x80   ? 1
                   : text[0] < 0xC2 ? 0
                   : text[0] < 0xE0 ? 2
                   : text[0] < 0xF0 ? 3
                   : text[0] < 0xF5 ? 4
                                    : 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    if ((text[0] == 0xE0 && text[1] < 0xA0) || (text[0] == 0xED && text[1] > 0x9F) ||
        (text[0] == 0xF0 && text[1] < 0x90) || (text[0] == 0xF4 && text[1] > 0x8F))
        return 0;
    return bytes;
}

json_t *
rh_trace_json_string(const char *text)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    char *clean = malloc(strlen(text) * (sizeof replacement - 1) + 1);
    if (!clean)
        return NULL;
    char *out = clean;
    while (*text) {
        size_t bytes = character_bytes((const unsigned char *)text);
        const char *from = bytes ? text : replacement;
        size_t length = bytes ? bytes : sizeof replacement - 1;
        memcpy(out, from, length);
        out += length;
        text += bytes ? bytes : 1;
    }
    *out = '\0';
    json_t *string = json_string(clean);
    free(clean);
    return string;
}

static json_t *
value_of(const void *field, member_kind kind)
{
    switch (kind) {
    case TEXT: {
        char *text = *(char *const *)field;
        return text ? rh_trace_json_string(text) : json_null();
    }
    case COUNT: {
        uint64_t count = *(const uint64_t *)field;
        return count > INT64_MAX ? json_null() : json_integer((json_int_t)count);
    }
    case STATUS:
        return json_integer(*(const int64_t *)field);
    case FLAG:
        return json_boolean(*(const bool *)field);
    default:
        return json_string(times_names[*(const rh_timestamps *)field]);
    }
}

static char *
write_members(const rh_trace_info *info, const member *members)
{
    json_t *object = json_object();
    for (; object && members->name; members++) {
        json_t *value = value_of((const char *)info + members->offset, members->kind);
        if (json_is_null(value)) /* unknown is left out */
            continue;
        if (json_object_set_new(object, members->name, value) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return text;
}

char *
rh_trace_json_header(const rh_trace_info *info)
{
    return write_members(info, header_members);
}

char *
rh_trace_json_totals(const rh_trace_info *info)
{
    return write_members(info, total_members);
}

static bool
read_times(const json_t *value, rh_timestamps *times)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name && i < sizeof times_names / sizeof *times_names; i++) {
        if (strcmp(name, times_names[i]) == 0) {
            *times = (rh_timestamps)i;
            return true;
        }
    }
    return false;
}

static bool
read_text(const json_t *value, char **text)
{
    if (!json_is_string(value))
        return false;
    free(*text);
    *text = strdup(json_string_value(value));
    return *text != NULL;
}

static bool
read_value(const json_t *value, void *field, member_kind kind)
{
    switch (kind) {
    case TEXT:
        return read_text(value, field);
    case COUNT:
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return false;
        *(uint64_t *)field = (uint64_t)json_integer_value(value);
        return true;
    case STATUS:
        if (!json_is_integer(value))
            return false;
        *(int64_t *)field = json_integer_value(value);
        return true;
    case FLAG:
        *(bool *)field = json_is_true(value);
        return json_is_boolean(value);
    default:
        return read_times(value, field);
    }
}

static bool
read_members(const char *text, size_t size, rh_trace_info *info, const member *members, char *why)
{
    json_error_t problem;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    if (!json_is_object(object)) {
        if (object)
            snprintf(why, WHY_BYTES, "it is not a JSON object");
        else
            snprintf(why, WHY_BYTES, "it is not JSON: %.80s", problem.text);
        json_decref(object);
        return false;
    }
    bool good = true;
    for (; good && members->name; members++) {
        const json_t *value = json_object_get(object, members->name);
        if (!value || json_is_null(value))
            continue;
        good = read_value(value, (char *)info + members->offset, members->kind);
        if (!good)
            snprintf(why, WHY_BYTES, "its member \"%s\" is of the wrong kind", members->name);
    }
    json_decref(object);
    return good;
}

bool
rh_trace_json_read_header(const char *text, size_t size, rh_trace_info *info, char *why)
{
    return read_members(text, size, info, header_members, why);
}

bool
rh_trace_json_read_totals(const char *text, size_t size, rh_trace_info *info, char *why)
{
    return read_members(text, size, info, total_members, why);
}
