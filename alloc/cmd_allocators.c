/* reheap allocators: every allocator and layer, with what a spec may say of it. All of it is read
 * from the tables that parse specs. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "alloc/availability.h"
#include "alloc/commands.h"
#include "alloc/spec.h"
#include "base/error.h"
#include "base/settings.h"
#include "base/size.h"

typedef struct allocators_options {
    bool json;
    const char *name; /* this one alone */
} allocators_options;

static const struct argp_option known[] = {
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    allocators_options *options = state->input;
    switch (key) {
    case 'j':
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (options->name)
            argp_error(state, "one name at a time; '%s' is the second", argument);
        options->name = argument[0] == '+' ? argument + 1 : argument; /* as layers are listed */
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    known,
    parse,
    "[NAME]",
    "Lists the allocators that a spec can name, with their presets and keys, and the layers that "
    "can be put on them.\v"
    "A spec is NAME[@PRESET][,KEY=VALUE]...[+LAYER[,KEY=VALUE]...]...; sizes take K, M, G; a "
    "backslash goes before a comma or a plus that belongs to a value.\n\n"
    "Example:\n"
    "  reheap allocators pymalloc\n"
    "  reheap replay program.rht -a pymalloc@3.9,arena=4M -a mimalloc",
    NULL,
    NULL,
    NULL,
};

static void
print_keys(const rh_key *keys, const char *otherwise)
{
    for (const rh_key *key = keys; key && key->name; key++) {
        printf("    %-9s %s\n              allowed: ", key->name, key->help);
        rh_key_print_allowed(key, stdout);
        const char *standard = key->standard ? key->standard : otherwise;
        printf("; default: %s\n", *standard ? standard : "none");
    }
}

static void
print_allocator(const rh_allocator *allocator)
{
    printf("%-10s  %s\n", allocator->name, allocator->summary);
    rh_availability availability;
    rh_availability_of(allocator, &availability);
    if (!availability.installed)
        printf("    not installed: it is in Debian's package %s\n", allocator->package);
    else if (availability.version[0])
        printf("    version   %s\n", availability.version);
    if (allocator->presets) {
        fputs("    presets  ", stdout);
        for (const char *const *preset = allocator->presets; *preset; preset++)
            printf(" @%s", *preset);
        putchar('\n');
    }
    print_keys(allocator->keys, allocator->presets ? "the preset's" : "none; needed");
}

static bool
is_wanted(const char *name, const allocators_options *options)
{
    return !options->name || strcmp(name, options->name) == 0;
}

static void
print_all(const allocators_options *options)
{
    for (size_t i = 0; rh_allocators[i]; i++)
        if (is_wanted(rh_allocators[i]->name, options))
            print_allocator(rh_allocators[i]);
    if (!options->name && rh_layers[0])
        puts("\nLayers, each put on with a plus:");
    for (size_t i = 0; rh_layers[i]; i++) {
        if (!is_wanted(rh_layers[i]->name, options))
            continue;
        printf("+%-9s  %s\n", rh_layers[i]->name, rh_layers[i]->summary);
        print_keys(rh_layers[i]->keys, "none; needed");
    }
}

static json_t *
choices_json(const char *choices)
{
    json_t *list = json_array();
    while (choices) {
        size_t length = strcspn(choices, "|");
        json_array_append_new(list, json_stringn(choices, length));
        choices = choices[length] ? choices + length + 1 : NULL;
    }
    return list;
}

static json_t *
key_json(const rh_key *key)
{
    static const char *const kinds[] = {"size", "count", "choice", "text"};
    json_t *object = json_pack("{s:s, s:s, s:s, s:s?}", "name", key->name, "kind", kinds[key->kind],
                               "help", key->help, "default", key->standard);
    if (key->kind == RH_KEY_SIZE || key->kind == RH_KEY_COUNT) {
        json_object_set_new(object, "min", json_integer((json_int_t)key->min));
        /* JSON's integers end here; a limit above it is none. */
        if (key->max <= INT64_MAX)
            json_object_set_new(object, "max", json_integer((json_int_t)key->max));
        json_object_set_new(object, "power_of_two", json_boolean(key->power_of_two));
    } else if (key->choices) {
        json_object_set_new(object, key->kind == RH_KEY_CHOICE ? "choices" : "forms",
                            choices_json(key->choices));
    }
    return object;
}

static json_t *
keys_json(const rh_key *keys)
{
    json_t *list = json_array();
    for (const rh_key *key = keys; key && key->name; key++)
        json_array_append_new(list, key_json(key));
    return list;
}

static json_t *
allocator_json(const rh_allocator *allocator)
{
    rh_availability availability;
    rh_availability_of(allocator, &availability);
    json_t *presets = json_array();
    for (const char *const *preset = allocator->presets; preset && *preset; preset++)
        json_array_append_new(presets, json_string(*preset));
    return json_pack("{s:s, s:s, s:o, s:o, s:b, s:s?, s:s?, s:b, s:b, s:b, s:b}", "name",
                     allocator->name, "summary", allocator->summary, "presets", presets, "keys",
                     keys_json(allocator->keys), "installed", availability.installed, "version",
                     availability.version[0] ? availability.version : NULL, "package",
                     allocator->package, "preloaded", allocator->library != NULL, "many",
                     allocator->many, "deterministic", allocator->deterministic, "threads",
                     allocator->threads);
}

static bool
print_json(const allocators_options *options)
{
    json_t *allocators = json_array(), *layers = json_array();
    for (size_t i = 0; rh_allocators[i]; i++)
        if (is_wanted(rh_allocators[i]->name, options))
            json_array_append_new(allocators, allocator_json(rh_allocators[i]));
    for (size_t i = 0; rh_layers[i]; i++)
        if (is_wanted(rh_layers[i]->name, options))
            json_array_append_new(layers, json_pack("{s:s, s:s, s:o}", "name", rh_layers[i]->name,
                                                    "summary", rh_layers[i]->summary, "keys",
                                                    keys_json(rh_layers[i]->keys)));
    json_t *whole = json_pack("{s:s, s:o, s:o}", "schema", "reheap.allocators/1", "allocators",
                              allocators, "layers", layers);
    bool printed = json_dumpf(whole, stdout, JSON_INDENT(2)) == 0;
    putchar('\n');
    json_decref(whole);
    return printed;
}

static bool
exists(const char *name)
{
    for (size_t i = 0; rh_allocators[i]; i++)
        if (strcmp(rh_allocators[i]->name, name) == 0)
            return true;
    for (size_t i = 0; rh_layers[i]; i++)
        if (strcmp(rh_layers[i]->name, name) == 0)
            return true;
    return false;
}

static int
run(int argc, char **argv)
{
    allocators_options options = {.json = false};
    argp_err_exit_status = RH_USAGE;
    argp_parse(&parser, argc, argv, 0, NULL, &options);
    if (options.name && !exists(options.name)) {
        fprintf(stderr,
                "reheap allocators: there is no allocator or layer '%s'; `reheap allocators` "
                "lists them\n",
                options.name);
        return RH_USAGE;
    }
    bool printed = true;
    if (options.json)
        printed = print_json(&options);
    else
        print_all(&options);
    if (fflush(stdout) != 0 || !printed) {
        fprintf(stderr, "reheap allocators: cannot write the list\n");
        return RH_SYSTEM;
    }
    return RH_OK;
}

const rh_command rh_cmd_allocators = {"allocators", "list allocators, their presets and keys", run};
