/* Compiling: events of a trace become operations of 8 bytes, so that the timed loop does nothing
 * but index an array, call and store.
 *
 *     63          32 31            4 3    0
 *    +--------------+---------------+------+
 *    |     size     |     slot      | code |     code: what to do, in which domain
 *    +--------------+---------------+------+
 *
 * What does not fit (sizes and slots that are too large, callocs of more than one element, aligned
 * requests, realloc of NULL or to 0 bytes, samples) becomes RH_CODE_WIDE, whose size is the place
 * of an rh_wide in a table beside the operations.
 *
 * The rules of replaying are applied here: a recorded failure is counted and not issued; an event
 * nested in another is not replayed; a free of a block from before the recording is counted, and a
 * realloc of one is an allocation; a trace without domains goes to the domain of the options; the
 * C library's calls in a recording of both go to RAW.
 */
#ifndef REHEAP_REPLAY_PROGRAM_H
#define REHEAP_REPLAY_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/pymem.h"
#include "traces/event.h"
#include "traces/wording.h"

typedef uint64_t rh_code;

/* The calls in each domain: code = call + domain. RH_CODE_RARE is set in all but malloc and free,
 * RH_CODE_DIES tells these two apart. */
enum {
    RH_CODE_MALLOC = 0,
    RH_CODE_FREE = 4, /* size: of the block */
    RH_CODE_REALLOC = 16,
    RH_CODE_FREE_NULL = 19, /* size: the domain */
    RH_CODE_CALLOC = 20,    /* of one element */
    RH_CODE_TIME = 23,     /* not a call: what follows was recorded at RH_CODE_AT. Only in a program
                              compiled with `times`, for a paced loop */
    RH_CODE_NEW = 24,      /* realloc of NULL */
    RH_CODE_WIDE = 27,     /* size: place of the rh_wide */
    RH_CODE_ELEMENTS = 28, /* calloc of elements: size is RH_CODE_ELEMENT(count, bytes of one) */
    RH_CODE_THREAD = 31,   /* not a call: what follows is of the thread `size`. Only in a program
                              compiled with `threads`, which no loop takes but a thread_plan.h */

    RH_CODE_DIES = 4,
    RH_CODE_RARE = 16
};
#define RH_CODE_BITS       5
#define RH_CODE_SLOT_BITS  27
#define RH_CODE_SLOTS      ((uint32_t)1 << RH_CODE_SLOT_BITS)
#define RH_CODE_OF(code)   ((unsigned)((code) & ((1u << RH_CODE_BITS) - 1)))
#define RH_CODE_CALL(of)   ((of) & ~3u) /* of: an RH_CODE_OF that is neither FREE_NULL nor WIDE */
#define RH_CODE_DOMAIN(of) ((of)&3u)
#define RH_CODE_SLOT(code) ((uint32_t)(code) >> RH_CODE_BITS)
#define RH_CODE_SIZE(code) ((code) >> 32)

#define RH_CODE_AT(code) ((code) >> RH_CODE_BITS) /* ns since the recording began */
#define RH_CODE_AT_MOST  (UINT64_MAX >> RH_CODE_BITS)

#define RH_CODE_COUNT_BITS         24
#define RH_CODE_COUNTS             ((uint64_t)1 << RH_CODE_COUNT_BITS)
#define RH_CODE_BYTES              ((uint64_t)1 << (32 - RH_CODE_COUNT_BITS))
#define RH_CODE_ELEMENT(count, of) ((uint64_t)(of) << RH_CODE_COUNT_BITS | (count))
#define RH_CODE_COUNT_OF(size)     ((size) & (RH_CODE_COUNTS - 1))
#define RH_CODE_BYTES_OF(size)     ((size) >> RH_CODE_COUNT_BITS)

typedef enum rh_wide_kind {
    RH_WIDE_MALLOC,
    RH_WIDE_CALLOC,
    RH_WIDE_REALLOC,
    RH_WIDE_NEW, /* realloc of NULL */
    RH_WIDE_ALIGNED,
    RH_WIDE_FREE,
    RH_WIDE_SAMPLE /* not a call: size is the number of calls before it, count the time */
} rh_wide_kind;

typedef struct rh_wide {
    uint8_t kind; /* rh_wide_kind */
    uint8_t domain;
    uint8_t alignment_log2;
    uint32_t slot;
    uint64_t size;  /* calloc: of all elements */
    uint64_t count; /* calloc: elements */
    uint64_t element;
} rh_wide;

/* A compiled batch; the caller owns the arrays. */
typedef struct rh_program {
    rh_code *codes;
    rh_wide *wides;
    uint32_t code_count, code_capacity;
    uint32_t wide_count, wide_capacity;
} rh_program;

typedef struct rh_compiler {
    /* options */
    PyMemAllocatorDomain domain; /* for a trace without domains */
    int has_domains;
    int has_times;
    int threads;           /* emit RH_CODE_THREAD where another thread goes on */
    int times;             /* emit RH_CODE_TIME where the time goes on */
    uint64_t sample_every; /* emit RH_WIDE_SAMPLE after as many calls; 0: never */

    /* what was compiled so far */
    uint64_t calls; /* that the heap gets: the sum of the next four */
    uint64_t allocations, reallocations, frees, null_frees;
    uint64_t recorded_failures, nested_events, foreign_events; /* not issued */
    uint64_t next_sample;
    uint64_t last_time_ns;
    uint32_t thread;                                  /* of what was compiled last */
    uint64_t time_ns, first_time_ns, largest_time_ns; /* with `times`: of what was compiled last,
                                                         of the first, the largest; 0: none yet */
} rh_compiler;

/* Compiles events, appending to `program`, until all are done or it is full; returns how many were
 * consumed. Room for one event (two codes, two wides) is made sure of before each. */
size_t rh_compile(rh_compiler *compiler, const rh_event *events, size_t count, rh_program *program);

/* The same without events on the way: a wording whose words are the codes of common events, for a
 * reader. `compiler` has its options, which stay, and outlives it; those with `threads` or `times`,
 * which put codes between those of events, take none. */
bool rh_compile_takes_words(const rh_compiler *compiler);
rh_wording rh_compile_wording(const rh_compiler *compiler);
/* How many words may be appended to `program` before it is full or a sample is due. */
uint32_t rh_compile_room(const rh_compiler *compiler, const rh_program *program);
/* Counts words in that were written behind the program's codes. */
void rh_compile_words(rh_compiler *compiler, const rh_words *words, rh_program *program);

#endif
