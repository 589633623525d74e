/* A likeness: a model fitted to a trace, from which traces like it are made.
 *
 * The trace is cut into windows of some thousand calls. Of each window the likeness keeps which
 * lives (life_table.h) were born in it, and which followed which. A made trace has in each window
 * the same births in another order, a walk by chance in which every life is followed by those that
 * it was followed by: a Markov chain of the first order whose transitions are drawn without
 * replacement. So sizes, operations, domains, threads, lifetimes, growth, and how all of these
 * change over time are those of the trace, and neighbours in time are likely neighbours, as
 * fragmentation wants it; but which block follows which is drawn anew with every seed, and so is
 * when within its bin or slot a step comes.
 *
 * A longer trace has more of the births whose lives are brief; what lasts, and with it the curve of
 * live bytes, stays. A shorter one has fewer of them.
 */
#ifndef REHEAP_TRACES_GENERATE_LIKENESS_H
#define REHEAP_TRACES_GENERATE_LIKENESS_H

#include <stdint.h>

#include "base/error.h"
#include "traces/generate/maker.h"
#include "traces/trace_info.h"

typedef struct rh_likeness rh_likeness;

typedef struct rh_likeness_options {
    uint64_t window; /* calls, below 2^25; 0: the default */
} rh_likeness_options;

/* Reads the trace. Calls that an allocator made for itself are left out, as are arenas and
 * checkpoints. Takes some bytes a call: four for each birth, and each different life once. */
rh_status rh_likeness_fit(const char *path, const rh_likeness_options *options,
                          rh_likeness **likeness, rh_error *error);
void rh_likeness_free(rh_likeness *likeness);

/* What the trace says of itself: its domains are those of the made one. Belongs to the likeness. */
const rh_trace_info *rh_likeness_info(const rh_likeness *likeness);

typedef struct rh_likeness_facts {
    uint64_t events;         /* calls of the trace, without nested ones */
    uint64_t lasting_events; /* of these, those of lives that last: a trace cannot be shorter */
    uint64_t births;         /* and calls without a block */
    uint64_t windows, lives; /* different lives */
} rh_likeness_facts;

rh_likeness_facts rh_likeness_tell(const rh_likeness *likeness);

/* Makes a trace of about maker->wanted calls (0: as many as the trace has), and ends when every
 * life has. Failures go to the maker. */
typedef struct rh_likeness_made {
    uint64_t neighbours; /* births that came after another in the same window */
    uint64_t moved;      /* of these, those that came after another one than in the trace */
} rh_likeness_made;

void rh_likeness_make(const rh_likeness *likeness, rh_maker *maker, rh_likeness_made *made);

#endif
