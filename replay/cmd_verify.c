/* reheap verify: is our pymalloc the recorded one, address by address? */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "replay/commands.h"
#include "replay/trace_source.h"
#include "replay/verify.h"
#include "traces/reader.h"

#define FILES_MOST 256

typedef struct verify_options {
    const char *files[FILES_MOST];
    size_t count;
    bool json;
} verify_options;

static const struct argp_option known[] = {
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    verify_options *options = state->input;
    switch (key) {
    case 'j':
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->count == FILES_MOST)
            argp_error(state, "more than %d files at once: use several calls", FILES_MOST);
        options->files[options->count++] = argument;
        return 0;
    case ARGP_KEY_END:
        if (options->count == 0)
            argp_error(state, "name the recording to verify; `reheap record --python` makes one");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "FILE...",
    "Replays recordings of Python programs into pymalloc with the preset of their version, arenas "
    "placed where they were, and compares the address of every block, every arena and the text of "
    "every statistics checkpoint. Exit status 0: all equal; 1: something differs.\v"
    "Example:\n"
    "  reheap record -o program.rht -- /usr/bin/python3 program.py\n"
    "  reheap verify program.rht",
    NULL,
    NULL,
    NULL,
};

static void
show_progress(void *ctx, uint64_t events)
{
    rh_progress_update(ctx, events);
}

static rh_status
verify_file(const char *path, rh_verification *verification, char *version, size_t capacity,
            rh_error *error)
{
    rh_reader *reader;
    rh_status status = rh_reader_open(path, NULL, &reader, error);
    if (status != RH_OK)
        return status;
    const rh_trace_info *info = rh_reader_info(reader);
    snprintf(version, capacity, "%s", info->python_version ? info->python_version : "");
    rh_source source = rh_trace_source(reader);
    rh_progress progress;
    rh_progress_begin(&progress, "verifying", "events",
                      info->events == RH_TOTAL_UNKNOWN ? 0 : info->events);
    status = rh_verify(&source, info, show_progress, &progress, verification, error);
    rh_progress_end(&progress);
    rh_reader_close(reader);
    if (status != RH_OK && strncmp(error->message, path, strlen(path)) != 0)
        rh_error_prefix(error, "%s", path);
    return status;
}

static void
print_kind(const char *what, uint64_t compared, uint64_t different, const char *difference)
{
    char number[RH_SIZE_TEXT];
    printf("  %-12s %s compared, ", what, rh_count_grouped(compared, number, sizeof number));
    if (different)
        printf("%s different; the first: %s\n", rh_count_grouped(different, number, sizeof number),
               difference);
    else
        printf("all equal\n");
}

static void
print_file(const char *path, const char *version, const rh_verification *result)
{
    printf("%s: CPython %s against %s\n", path, version, result->spec);
    print_kind("addresses", result->addresses_compared, result->addresses_different,
               result->address_difference);
    print_kind("arenas", result->arenas_compared, result->arenas_different,
               result->arena_difference);
    print_kind("checkpoints", result->checkpoints_compared, result->checkpoints_different,
               result->checkpoint_difference);
}

static json_t *
counts_json(const rh_verification *result)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "events",
                     (json_int_t)result->events, "replayed", (json_int_t)result->replayed,
                     "addresses_compared", (json_int_t)result->addresses_compared,
                     "addresses_different", (json_int_t)result->addresses_different,
                     "checkpoints_compared", (json_int_t)result->checkpoints_compared,
                     "checkpoints_different", (json_int_t)result->checkpoints_different,
                     "arenas_compared", (json_int_t)result->arenas_compared, "arenas_different",
                     (json_int_t)result->arenas_different);
}

static void
set_text(json_t *object, const char *name, const char *text)
{
    json_t *value = *text ? json_string(text) : NULL;
    json_object_set_new(object, name, value ? value : json_null());
}

static json_t *
file_json(const char *path, const char *version, const rh_verification *result)
{
    json_t *object = counts_json(result);
    set_text(object, "file", path);
    set_text(object, "python_version", version);
    set_text(object, "spec", result->spec);
    set_text(object, "first_address_difference", result->address_difference);
    set_text(object, "first_arena_difference", result->arena_difference);
    set_text(object, "first_checkpoint_difference", result->checkpoint_difference);
    return object;
}

static void
add(rh_verification *sum, const rh_verification *result)
{
    sum->events += result->events;
    sum->replayed += result->replayed;
    sum->addresses_compared += result->addresses_compared;
    sum->addresses_different += result->addresses_different;
    sum->checkpoints_compared += result->checkpoints_compared;
    sum->checkpoints_different += result->checkpoints_different;
    sum->arenas_compared += result->arenas_compared;
    sum->arenas_different += result->arenas_different;
}

/* Differences do not end it, anything else does. */
static rh_status
verify_files(const verify_options *options, json_t *files, rh_verification *sum, rh_error *error)
{
    rh_status outcome = RH_OK;
    for (size_t i = 0; i < options->count; i++) {
        rh_verification result;
        char version[64];
        rh_status status = verify_file(options->files[i], &result, version, sizeof version, error);
        if (status != RH_OK && status != RH_DIFFERENT)
            return status;
        if (status == RH_DIFFERENT) {
            fprintf(stderr, "reheap verify: %s\n", error->message);
            outcome = RH_DIFFERENT;
        }
        add(sum, &result);
        if (options->json)
            json_array_append_new(files, file_json(options->files[i], version, &result));
        else
            print_file(options->files[i], version, &result);
    }
    return outcome;
}

static int
run(int argc, char **argv)
{
    verify_options options = {.count = 0};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    rh_interrupt_watch();
    rh_error error = {.status = RH_OK};
    rh_verification sum = {.events = 0};
    json_t *files = json_array();
    rh_status status = verify_files(&options, files, &sum, &error);
    if (status != RH_OK && status != RH_DIFFERENT)
        fprintf(stderr, "reheap verify: %s\n", error.message);
    if (options.json && (status == RH_OK || status == RH_DIFFERENT)) {
        json_t *object = counts_json(&sum);
        json_object_set_new(object, "schema", json_string("reheap.verify/1"));
        json_object_set(object, "files", files);
        json_dumpf(object, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(object);
    }
    json_decref(files);
    return (int)status;
}

const rh_command rh_cmd_verify = {
    "verify", "compare our pymalloc with the recorded one, address by address", run};
