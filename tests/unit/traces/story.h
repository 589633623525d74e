/* Made-up recordings for the tests of traces/: every kind of event, in an order that only luck
 * could have given, and the counts that a reader must find. */
#ifndef REHEAP_TESTS_STORY_H
#define REHEAP_TESTS_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/event.h"
#include "traces/trace_info.h"
#include "traces/writer.h"

typedef struct story {
    rh_trace_info info;
    rh_event *events;
    uint32_t *block; /* which block an event is about, by the story's own numbers; 0: none */
    size_t count;
    uint32_t blocks; /* numbers used */
} story;

typedef struct story_plan {
    uint64_t seed;
    size_t count;
    unsigned live; /* blocks alive, about */
    rh_timestamps timestamps;
    bool addresses;
    bool plain; /* nothing but malloc and free of one thread */
} story_plan;

void story_make(story *told, const story_plan *plan);
void story_release(story *told);

/* Writes it with `options` to `path`; aborts the test when that fails. */
void story_write(const story *told, const char *path, const rh_writer_options *options);

/* Adds `more` to the number that follows `name` in the totals of the trace at `path`, and mends the
 * checksum; false when it is not there. */
bool story_forge_totals(const char *path, const char *name, unsigned more);

/* A path in the folder tests may write to; from malloc. */
char *story_path(const char *name);

#endif
