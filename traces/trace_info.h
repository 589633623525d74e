/* What a trace says about itself: its header, and the totals that its end adds. */
#ifndef REHEAP_TRACES_TRACE_INFO_H
#define REHEAP_TRACES_TRACE_INFO_H

#include <stdbool.h>
#include <stdint.h>

#define RH_TOTAL_UNKNOWN UINT64_MAX

typedef enum rh_timestamps { RH_TIMES_NONE, RH_TIMES_COARSE, RH_TIMES_EXACT } rh_timestamps;

/* Strings are NULL when unknown and belong to the struct (rh_trace_info_release frees them). */
typedef struct rh_trace_info {
    char *command;        /* the command line, words quoted for a shell */
    char *program;        /* path of the recorded executable */
    char *capture;        /* "python", "malloc", "python+malloc", or "import:FORMAT" */
    char *python_version; /* "3.11.2"; NULL when not Python */
    char *
        allocator; /* of the recorded program: "pymalloc", "malloc", "mimalloc", "pymalloc_debug" */
    char *recorder;       /* name and version of what wrote the file */
    char *host;           /* kernel and machine */
    char *started;        /* ISO 8601, UTC */
    uint64_t arena_bytes; /* geometry of the recorded pymalloc; 0 when unknown */
    uint64_t pool_bytes;
    uint64_t process_id;
    rh_timestamps timestamps;
    bool addresses; /* the address column is there */
    bool domains;   /* events carry domains */
    bool complete;  /* false: the file ends early (crash, kill, full disk) or was recovered without
                       its index */

    /* Known at the end; RH_TOTAL_UNKNOWN when the file ends early. */
    uint64_t events; /* allocations + reallocations + frees + null_frees + failures; arenas, marks,
                        checkpoints apart */
    uint64_t allocations;   /* malloc, calloc, aligned, realloc of NULL; failed ones not counted */
    uint64_t reallocations; /* of live blocks, succeeded */
    uint64_t frees;         /* free(NULL) not counted */
    uint64_t null_frees;    /* free(NULL) */
    uint64_t failures;      /* recorded calls that returned NULL */
    uint64_t nested_events; /* of the above, those marked nested */
    uint64_t arena_events;
    uint64_t marks;
    uint64_t checkpoints;
    uint64_t threads;
    uint64_t dropped_events; /* RH_TOTAL_UNKNOWN: unknown */
    uint64_t
        undecided_events; /* whose place among other threads' could not be told exactly; the same */
    uint64_t peak_requested_bytes, peak_live_blocks;
    uint64_t end_requested_bytes, end_live_blocks;
    uint64_t elapsed_ns;
    char *ended;         /* why the recording ended before its program; NULL: it did not */
    uint64_t pauses;     /* in the recording; RH_TOTAL_UNKNOWN: none that is known of */
    int64_t exit_status; /* as wait(2) gives it; -1 unknown */
    uint64_t file_bytes;
} rh_trace_info;

void rh_trace_info_init(rh_trace_info *info);
void rh_trace_info_release(rh_trace_info *info);

/* Copies what describes the recording; totals start at 0. False: no memory, and `copy` is released.
 */
bool rh_trace_info_copy(rh_trace_info *copy, const rh_trace_info *info);

/* Adds `uses` events of one kind to the counts (not to live and peak numbers). */
void rh_trace_info_count(rh_trace_info *info, unsigned operation, unsigned flags, uint64_t uses);

#endif
