/* Making a trace out of nothing: what every model writes through.
 *
 * A model says births, deaths and resizes one after another, until it is told to stop: each of the
 * functions below is false when the trace has the events that were asked for, when something
 * failed, or when the user wants to stop, and a model then returns. The same seed makes the same
 * trace.
 */
#ifndef REHEAP_TRACES_GENERATE_MAKER_H
#define REHEAP_TRACES_GENERATE_MAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/output.h"
#include "base/random.h"
#include "traces/event.h"
#include "traces/writer.h"

typedef struct rh_maker {
    rh_random random;
    uint64_t wanted; /* calls to make; 0: as many as one round of the model has */
    uint64_t events; /* calls made so far; marks are none */
    rh_error error;

    /* for this module */
    rh_writer *writer;
    uint32_t thread;
    uint32_t *numbers; /* of threads, by the model's own numbers: 1 more; 0: it has not appeared */
    uint32_t numbers_room, threads;
    const char *path;
    uint64_t next_look; /* progress and Ctrl-C at so many events */
    rh_progress progress;
} rh_maker;

/* `info` describes the trace; `wanted` as above. */
rh_status rh_maker_open(rh_maker *maker, const char *path, const rh_trace_info *info, uint64_t seed,
                        uint64_t wanted, rh_error *error);

/* Ends the trace, which then stands under its name, unless something failed: then nothing is left,
 * and the error is the first failure's. Frees what the maker holds in either case. */
rh_status rh_maker_close(rh_maker *maker, rh_error *error);

/* Whose events come next: the model's own number of a thread, 0 at first. In the trace threads are
 * numbered as they appear. */
bool rh_maker_switch(rh_maker *maker, uint32_t thread);

/* A block is named by what its birth returned; a resize may name it anew. */
bool rh_make_birth(rh_maker *maker, uint64_t size, uint32_t *block);
bool rh_make_death(rh_maker *maker, uint32_t block);
bool rh_make_resize(rh_maker *maker, uint32_t *block, uint64_t size);
bool rh_make_mark(rh_maker *maker, const char *text);

/* Any event, whose thread is set here; a birth's, resize's or death's block in *block. */
bool rh_make_event(rh_maker *maker, rh_event *event, uint32_t *block);

/* The trace cannot be made: RH_USAGE for parameters that are impossible together. Always false. */
bool rh_maker_fail(rh_maker *maker, rh_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for want of memory. */
bool rh_maker_no_memory(rh_maker *maker);

/* Whether a model that comes in rounds has another one to make, `round` counting from 0. */
static inline bool
rh_maker_goes_on(const rh_maker *maker, uint64_t round)
{
    return maker->error.status == RH_OK &&
           (maker->wanted ? maker->events < maker->wanted : round == 0);
}

#endif
