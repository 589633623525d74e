/* Whether a trace is sound: its bytes against the format, its events against sense.
 *
 * Damage loses events; a breach of sense does not, but what the file says cannot have happened (an
 * arena freed that was never there, time that runs back), or its sums contradict its events.
 */
#ifndef REHEAP_TRACES_CHECK_H
#define REHEAP_TRACES_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/parallel.h"
#include "traces/reader.h"

enum { RH_CHECK_NOTES_MAX = 20, RH_CHECK_NOTE_BYTES = 320 };

typedef struct rh_check_report {
    rh_index_state index;
    uint64_t events;          /* that could be read */
    uint64_t lost_events;     /* at least so many could not */
    uint64_t blocks_in_order; /* of the file: read one after the other, by one thread */
    size_t damages;           /* places */
    size_t breaches;          /* of sense */
    size_t notes;             /* kept of both, the first ones */
    struct rh_check_note {
        bool damage;
        char text[RH_CHECK_NOTE_BYTES];
    } note[RH_CHECK_NOTES_MAX];
} rh_check_report;

/* Reads all of `path`, as `parallel` (NULL: the standard) says. RH_OK: sound; RH_DIFFERENT:
 * breaches of sense; RH_BAD_INPUT: damaged, or no trace at all (then *error says so and the report
 * is empty); others: the check could not be done. */
rh_status rh_check_trace(const char *path, uint64_t max_live_blocks,
                         const rh_parallel_options *parallel, rh_check_report *report,
                         rh_error *error);

#endif
