/* reheap fidelity: how near the replays of a made trace come to those of the one it is like. */
#include <argp.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/commands.h"
#include "analysis/compare.h"
#include "analysis/fidelity.h"
#include "base/error.h"
#include "base/output.h"
#include "base/size.h"
#include "replay/spec_check.h"

enum { KEY_AT_LEAST = 256, SPECS_MOST = 64 };

static const char *const standard_specs[] = {"pymalloc", "bestfit", "malloc"};

typedef struct fidelity_options {
    const char *original, *made;
    const char *specs[SPECS_MOST];
    size_t spec_count;
    double at_least; /* per cent */
    bool json;
} fidelity_options;

static const struct argp_option known[] = {
    {"allocator", 'a', "SPEC", 0,
     "replay into this one; may be given again (default: pymalloc, bestfit and malloc)", 0},
    {"at-least", KEY_AT_LEAST, "PERCENT", 0, "end with 1 if the score is below", 0},
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0},
};

static void
read_share(fidelity_options *options, struct argp_state *state, const char *text)
{
    char *end;
    options->at_least = strtod(text, &end);
    if (end == text || *end || !(options->at_least >= 0 && options->at_least <= 100))
        argp_error(state, "--at-least=%s: it is a number from 0 to 100", text);
}

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    fidelity_options *options = state->input;
    switch (key) {
    case 'a':
        if (options->spec_count == SPECS_MOST)
            argp_error(state, "at most %d allocators", SPECS_MOST);
        options->specs[options->spec_count++] = argument;
        return 0;
    case KEY_AT_LEAST:
        read_share(options, state, argument);
        return 0;
    case 'j':
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->made)
            argp_error(state, "two traces; '%s' is the third", argument);
        *(options->original ? &options->made : &options->original) = argument;
        return 0;
    case ARGP_KEY_END:
        if (!options->made)
            argp_error(state, "name two traces: the original, and the one that is like it");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "ORIGINAL MADE",
    "Replays two traces into the same allocators and scores how near the memory of the second's "
    "replays comes to the first's: 100 % is the same.\v"
    "Example:\n"
    "  reheap generate --like program.rht -o like.rht\n"
    "  reheap fidelity program.rht like.rht -a pymalloc -a mimalloc",
    NULL,
    NULL,
    NULL,
};

/* Bytes are shown with a unit, 1 + a fraction as per cent above. */
static void
number_cell(rh_table *table, const rh_fidelity_number *number, double value)
{
    char text[RH_SIZE_TEXT];
    if (isnan(value))
        rh_table_cell(table, "-");
    else if (strncmp(number->name, "fragmentation", 13) == 0)
        rh_table_cell(table, "%.1f %%", 100 * value);
    else if (strcmp(number->name, "arenas_highwater") == 0)
        rh_table_cell(table, "%.0f", value);
    else if (strcmp(number->name, "pools_recycled") == 0)
        rh_table_cell(table, "%.3g a call", value);
    else
        rh_table_cell(table, "%s", rh_size_human((uint64_t)value, text, sizeof text));
}

static void
print_human(const fidelity_options *options, const rh_fidelity *fidelity)
{
    printf("original: %s\nmade:     %s\n\n", options->original, options->made);
    rh_table *table = rh_table_new(5);
    static const char *const headings[] = {"allocator", "number", "original", "made", "difference"};
    for (size_t i = 0; i < 5; i++)
        rh_table_cell(table, "%s", headings[i]);
    for (size_t i = 0; i < fidelity->count; i++) {
        const rh_fidelity_allocator *one = &fidelity->allocator[i];
        bool first = true;
        for (size_t k = 0; k < RH_FIDELITY_NUMBERS; k++) {
            if (isnan(one->number[k].difference))
                continue;
            rh_table_cell(table, "%s", first ? one->spec : "");
            rh_table_cell(table, "%s", one->number[k].name);
            number_cell(table, &one->number[k], one->number[k].original);
            number_cell(table, &one->number[k], one->number[k].made);
            rh_table_cell(table, "%.2f %%", 100 * one->number[k].difference);
            first = false;
        }
    }
    rh_table_print(table, stdout);
    rh_table_free(table);
    putchar('\n');
    for (size_t i = 0; i < fidelity->count; i++)
        printf("%s: %.2f %%\n", fidelity->allocator[i].spec, 100 * fidelity->allocator[i].score);
    printf("score: %.2f %%, the largest difference %.2f %%\n", 100 * fidelity->score,
           100 * fidelity->worst);
}

static json_t *
allocator_json(const rh_fidelity_allocator *one)
{
    json_t *numbers = json_object();
    for (size_t i = 0; i < RH_FIDELITY_NUMBERS; i++) {
        const rh_fidelity_number *number = &one->number[i];
        json_object_set_new(numbers, number->name,
                            json_pack("{s:o, s:o, s:o}", "original",
                                      rh_json_number(number->original), "made",
                                      rh_json_number(number->made), "difference",
                                      rh_json_number(number->difference)));
    }
    return json_pack("{s:s, s:o, s:o}", "spec", one->spec, "score", rh_json_number(one->score),
                     "numbers", numbers);
}

static rh_status
print_json(const fidelity_options *options, const rh_fidelity *fidelity, rh_error *error)
{
    json_t *list = json_array();
    for (size_t i = 0; i < fidelity->count; i++)
        json_array_append_new(list, allocator_json(&fidelity->allocator[i]));
    json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "schema", "reheap.fidelity/1",
                               "original", options->original, "made", options->made, "score",
                               rh_json_number(fidelity->score), "worst",
                               rh_json_number(fidelity->worst), "allocators", list);
    int failed = object ? json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : -1;
    json_decref(object);
    putchar('\n');
    return failed ? rh_fail(error, RH_SYSTEM, "cannot print the JSON") : RH_OK;
}

static rh_status
judge(const fidelity_options *options, rh_error *error)
{
    rh_fidelity fidelity;
    rh_status status = RH_OK;
    for (size_t i = 0; i < options->spec_count && status == RH_OK; i++)
        status = rh_spec_check(options->specs[i], error);
    if (status == RH_OK)
        status = rh_fidelity_measure(options->original, options->made, options->specs,
                                     options->spec_count, &fidelity, error);
    if (status != RH_OK)
        return status;
    if (options->json)
        status = print_json(options, &fidelity, error);
    else
        print_human(options, &fidelity);
    if (status == RH_OK && !(100 * fidelity.score >= options->at_least))
        status = rh_fail(error, RH_DIFFERENT, "%s: a score of %.2f %%, below %g %%", options->made,
                         100 * fidelity.score, options->at_least);
    rh_fidelity_release(&fidelity);
    return status;
}

static int
run(int argc, char **argv)
{
    fidelity_options options = {.spec_count = 0};
    rh_error error = {.status = RH_OK};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    if (options.spec_count == 0) {
        options.spec_count = sizeof standard_specs / sizeof *standard_specs;
        memcpy(options.specs, standard_specs, sizeof standard_specs);
    }
    rh_interrupt_watch();
    rh_status status = judge(&options, &error);
    if (status != RH_OK)
        fprintf(stderr, "reheap fidelity: %s\n", error.message);
    return (int)status;
}

const rh_command rh_cmd_fidelity = {"fidelity", "how near a made trace's replays are", run};
