#define _GNU_SOURCE
#include "replay/trace_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <xxhash.h>

static rh_status
next(void *ctx, rh_batch *batch, rh_error *error)
{
    return rh_reader_next(ctx, batch, error);
}

static void
speak(void *ctx, const rh_wording *wording)
{
    rh_reader_use_wording(ctx, wording);
}

static rh_status
next_words(void *ctx, rh_words *words, rh_batch *batch, rh_error *error)
{
    return rh_reader_next_words(ctx, words, batch, error);
}

rh_source
rh_trace_source(rh_reader *reader)
{
    return (rh_source){.ctx = reader, .next = next, .speak = speak, .next_words = next_words};
}

static rh_status
reopen(void *ctx, rh_error *error)
{
    rh_trace_again *again = ctx;
    rh_trace_again_close(again);
    return rh_reader_open(again->path, NULL, &again->reader, error);
}

static rh_status
next_again(void *ctx, rh_batch *batch, rh_error *error)
{
    const rh_trace_again *again = ctx;
    return rh_reader_next(again->reader, batch, error);
}

static void
speak_again(void *ctx, const rh_wording *wording)
{
    const rh_trace_again *again = ctx;
    rh_reader_use_wording(again->reader, wording);
}

static rh_status
next_words_again(void *ctx, rh_words *words, rh_batch *batch, rh_error *error)
{
    const rh_trace_again *again = ctx;
    return rh_reader_next_words(again->reader, words, batch, error);
}

rh_status
rh_trace_again_open(rh_trace_again *again, const char *path, rh_error *error)
{
    *again = (rh_trace_again){.path = path};
    return reopen(again, error);
}

rh_source
rh_trace_again_source(rh_trace_again *again)
{
    return (rh_source){.ctx = again,
                       .next = next_again,
                       .speak = speak_again,
                       .next_words = next_words_again,
                       .again = reopen};
}

void
rh_trace_again_close(rh_trace_again *again)
{
    if (again->reader)
        rh_reader_close(again->reader);
    again->reader = NULL;
}

rh_status
rh_trace_hash(const char *path, char hash[RH_TRACE_HASH_TEXT], rh_error *error)
{
    static char buffer[1 << 16];
    FILE *file = fopen(path, "re");
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        abort();
    XXH3_128bits_reset(state);
    size_t length = 0;
    while (file && (length = fread(buffer, 1, sizeof buffer, file)) > 0)
        XXH3_128bits_update(state, buffer, length);
    XXH128_hash_t digest = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(hash, RH_TRACE_HASH_TEXT, "%016" PRIx64 "%016" PRIx64, (uint64_t)digest.high64,
             (uint64_t)digest.low64);
    if (!file || ferror(file)) {
        rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot read it", path);
        if (file)
            fclose(file);
        return RH_SYSTEM;
    }
    fclose(file);
    return RH_OK;
}

static void
set_text(json_t *object, const char *name, const char *text)
{
    json_t *value = text ? json_string(text) : NULL;
    json_object_set_new(object, name, value ? value : json_null());
}

static void
set_number(json_t *object, const char *name, uint64_t number)
{
    json_object_set_new(
        object, name, number == RH_TOTAL_UNKNOWN ? json_null() : json_integer((json_int_t)number));
}

char *
rh_trace_describe(const rh_trace_info *info)
{
    json_t *object = json_object();
#define TEXT(name) set_text(object, #name, info->name);
    TEXT(command)
    TEXT(program)
    TEXT(capture)
    TEXT(python_version)
    TEXT(allocator)
    TEXT(recorder)
    TEXT(host)
    TEXT(started)
#undef TEXT
#define NUMBER(name) set_number(object, #name, info->name);
    NUMBER(arena_bytes)
    NUMBER(pool_bytes)
    NUMBER(events)
    NUMBER(allocations)
    NUMBER(reallocations)
    NUMBER(frees)
    NUMBER(null_frees)
    NUMBER(failures)
    NUMBER(nested_events)
    NUMBER(arena_events)
    NUMBER(marks)
    NUMBER(checkpoints)
    NUMBER(threads)
    NUMBER(dropped_events)
    NUMBER(peak_requested_bytes)
    NUMBER(peak_live_blocks)
    NUMBER(elapsed_ns)
    NUMBER(file_bytes)
#undef NUMBER
    json_object_set_new(object, "complete", json_boolean(info->complete));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!text)
        abort();
    return text;
}
