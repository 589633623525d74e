/* Spec strings: how an allocator and its parameters are named.
 *
 *   NAME[@PRESET][,KEY=VALUE]...[+LAYER[,KEY=VALUE]...]...
 *
 * Sizes take K, M, G; a backslash escapes , + and itself. Names, keys, ranges and defaults stand in
 * the allocators' own tables below; the parser, its messages and `reheap allocators` all read
 * those.
 */
#ifndef REHEAP_ALLOC_SPEC_H
#define REHEAP_ALLOC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "base/error.h"
#include "base/settings.h"

#define RH_SPEC_LAYERS_MAX 8

/* An allocator or a layer with its settings, parsed and within the ranges of its keys. */
typedef struct rh_spec_part {
    char *preset; /* NULL when none was given */
    rh_settings settings;
} rh_spec_part;

/* The value of a key. False, leaving the result alone, when the spec does not give it. */
static inline bool
rh_spec_number(const rh_spec_part *part, const char *key, uint64_t *number)
{
    return rh_settings_number(&part->settings, key, number);
}

static inline bool
rh_spec_text(const rh_spec_part *part, const char *key, const char **text)
{
    return rh_settings_text(&part->settings, key, text);
}

typedef struct rh_allocator {
    const char *name;
    const char *summary;        /* a line for the listing */
    const char *const *presets; /* NULL-terminated; NULL when there are none */
    const rh_key *keys;         /* ends with a NULL name; NULL when there are none */
    bool many;                  /* any number of instances in one process */
    bool deterministic;         /* same operations, same counters, every time */
    bool threads;        /* several threads may use a heap at once, and free each other's blocks */
    bool process_malloc; /* it serves the whole process: what was mapped before a heap was opened is
                            its own too */
    const char *library; /* soname the child process must be started with; "" when the key so= names
                            it; NULL when none */
    const char *package; /* the Debian package that has it, for the message; NULL when none */
    /* Not NULL: a name for other specs. Writes the one that these settings stand for; the parser
     * puts it in their place, so that nobody meets this allocator in a parsed spec. `open` is NULL
     * then. RH_USAGE for settings that stand for nothing. */
    rh_status (*stands_for)(const rh_spec_part *part, char *text, size_t capacity, rh_error *error);
    /* Opens an instance. Combinations that the key table cannot rule out are RH_USAGE. */
    rh_status (*open)(const rh_spec_part *part, rh_heap **heap, rh_error *error);
    /* Writes the version of what would run ("3.11.2", "5.3.0"); may be NULL. */
    void (*version)(const rh_spec_part *part, char *text, size_t capacity);
} rh_allocator;

typedef struct rh_layer {
    const char *name;
    const char *summary;
    const rh_key *keys;
    /* Wraps `inner`, which belongs to the new heap from then on (also closed by its close). */
    rh_status (*wrap)(const rh_spec_part *part, rh_heap *inner, rh_heap **heap, rh_error *error);
} rh_layer;

typedef struct rh_spec {
    const rh_allocator *allocator;
    rh_spec_part base;
    size_t layers;
    const rh_layer *layer[RH_SPEC_LAYERS_MAX];
    rh_spec_part layer_part[RH_SPEC_LAYERS_MAX];
} rh_spec;

/* Parses `text`. RH_USAGE names the bad part and what is allowed. */
rh_status rh_spec_parse(const char *text, rh_spec *spec, rh_error *error);
void rh_spec_release(rh_spec *spec);

/* The library to put into LD_PRELOAD of the process that will open this heap: "" when none, else a
 * path or soname found by the loader. RH_CANNOT_RUN when it is not installed: the message names the
 * package. */
rh_status rh_spec_library(const rh_spec *spec, char *path, size_t capacity, rh_error *error);

/* All allocators and layers, in the order of the listing; the arrays end with NULL. */
extern const rh_allocator *const rh_allocators[];
extern const rh_layer *const rh_layers[];

#endif
