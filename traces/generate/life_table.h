/* Lives: everything that happens to a block, from its birth to its end, as a short text of bytes.
 *
 *   birth   operation and domain, flags, alignment, then varints: thread, size; calloc: elements,
 * and the size of one step    when, operation and domain, flags, thread; realloc: the new size step
 * ...
 *
 * What happens in the same way to many blocks is one life: a table keeps each once, and names it by
 * a number. An event without a block, such as a free of NULL, is a life without steps.
 *
 * *When* is in calls and says no more than it has to: steps that come soon are told by their
 * distance from the one before, exactly up to some calls and in bins of a sixteenth above; steps
 * that come later, by a place in the trace (the fitter's slots).
 */
#ifndef REHEAP_TRACES_GENERATE_LIFE_TABLE_H
#define REHEAP_TRACES_GENERATE_LIFE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "traces/event.h"

/* ---- when ---- */

enum {
    RH_WHEN_EXACT = 1 << 12,  /* from here on: a distance, told exactly */
    RH_WHEN_PLACES = 1 << 26, /* from here on: a place in the trace */
};

/* The bin of a distance in calls, 1 or more; below RH_WHEN_EXACT. */
uint64_t rh_when_distance(uint64_t calls);

/* The same without a bin, for distances below 2^25. */
static inline uint64_t
rh_when_exactly(uint64_t calls)
{
    return RH_WHEN_EXACT + calls;
}

/* A distance of a bin's, or the exact one. */
uint64_t rh_when_draw(uint64_t when, rh_random *random);

/* At the call of that number. */
static inline uint64_t
rh_when_place(uint64_t call)
{
    return RH_WHEN_PLACES + call;
}

/* ---- a life, being written ---- */

typedef struct rh_life {
    uint8_t *bytes; /* `within` as long as it fits */
    uint32_t size, room;
    uint8_t within[40];
} rh_life;

void rh_life_release(rh_life *life);
/* Begins with a birth, or an event without a block. A life is released before it begins anew. */
void rh_life_begin(rh_life *life, const rh_event *birth);
/* False: no memory. */
bool rh_life_step(rh_life *life, uint64_t when, const rh_event *event);

/* ---- the table ---- */

/* From this size on blocks move the memory that is mapped by themselves, so that it matters when
 * each comes and goes. */
#define RH_LIFE_LARGE (UINT64_C(16) << 10)

typedef struct rh_life_entry {
    uint64_t place; /* in the bytes */
    bool anchored;  /* a large block: its birth keeps its place */
    uint32_t kind;  /* the same for lives that are much alike: operation, domain, thread, about the
                       size, about when the first step comes */
    uint32_t size;
    uint32_t steps : 31;
    uint32_t lasting : 1; /* it has a step told by place, or no end: what the live set is made of */
} rh_life_entry;

typedef struct rh_life_table {
    rh_life_entry *entry;
    uint32_t count, room;
    uint8_t *bytes;
    uint64_t used, bytes_room;
    uint32_t *bucket; /* numbers + 1, by hash */
    uint32_t buckets;
} rh_life_table;

bool rh_life_table_init(rh_life_table *table); /* false: no memory */
void rh_life_table_release(rh_life_table *table);

/* The number of a life, which is added if it is new. `ends`: it does not outlive the trace. False:
 * no memory, or 2^32 lives. */
bool rh_life_table_add(rh_life_table *table, const rh_life *life, bool ends, uint32_t *number);

/* ---- a life, being read ---- */

/* Reads the birth; *at is then the place of the first step. */
void rh_life_read_birth(const rh_life_table *table, uint32_t number, rh_event *birth, uint64_t *at);
/* When the step at `at` comes; false at the end of the life. Moves *at behind that. */
bool rh_life_read_when(const rh_life_table *table, uint32_t number, uint64_t *at, uint64_t *when);
/* The step itself. */
void rh_life_read_step(const rh_life_table *table, uint64_t *at, rh_event *event);

#endif
