/* The options of the commands that run experiments (replay, arenas, tune), each said, checked and
 * read in one place. A command lists those it has among its own,
 *
 *     static const struct argp_option known[] = {RH_OPTION_AGE, {"list", ...}, {0}};
 *
 * and passes on what it does not read itself. Files, -a, -o and --json come along.
 */
#ifndef REHEAP_REPLAY_EXPERIMENT_OPTIONS_H
#define REHEAP_REPLAY_EXPERIMENT_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include "replay/experiment.h"

/* Keys; those of a command's own lie below. */
enum {
    RH_KEY_FIRST = 0x1000,
    RH_KEY_REPS = RH_KEY_FIRST,
    RH_KEY_SEED,
    RH_KEY_TOUCH,
    RH_KEY_DOMAIN,
    RH_KEY_MEASURE,
    RH_KEY_SAMPLES,
    RH_KEY_PATIENCE,
    RH_KEY_THREADS,
    RH_KEY_PACE,
    RH_KEY_LOOP,
    RH_KEY_AGE,
    RH_KEY_END
};

/* What differs from command to command is their argument. */
#define RH_OPTION_ALLOCATOR(standard)                                                              \
    {                                                                                              \
        "allocator", 'a', "SPEC", 0, "an allocator; may be given again (default: " standard ")", 0 \
    }
#define RH_OPTION_OUTPUT(use)                                                                      \
    {                                                                                              \
        "output", 'o', "RESULTS", 0, "keep the results in this file" use, 0                        \
    }
#define RH_OPTION_JSON(instead)                                                                    \
    {                                                                                              \
        "json", 'j', NULL, 0, "print one JSON object instead of " instead, 0                       \
    }
#define RH_OPTION_REPS(of)                                                                         \
    {                                                                                              \
        "reps", RH_KEY_REPS, "N", 0, "repetitions" of " (default: 3)", 0                           \
    }

#define RH_OPTION_SEED                                                                             \
    {                                                                                              \
        "seed", RH_KEY_SEED, "S", 0, "of the order of the runs (default: 1)", 0                    \
    }
#define RH_OPTION_MEASURE                                                                          \
    {                                                                                              \
        "measure", RH_KEY_MEASURE, "LIST", 0,                                                      \
            "of memory,throughput,latency,system (default: the first three)", 0                    \
    }
#define RH_OPTION_TOUCH                                                                            \
    {                                                                                              \
        "touch", RH_KEY_TOUCH, "MODE", 0,                                                          \
            "what is done with blocks: none; write the first byte, one a page (pages), one a "     \
            "cache line "                                                                          \
            "(lines), all (write); or write all, and read it before it is freed (read); default: " \
            "none",                                                                                \
            0                                                                                      \
    }
#define RH_OPTION_THREADS                                                                          \
    {                                                                                              \
        "threads", RH_KEY_THREADS, "one|recorded", 0,                                              \
            "throughput and latency: all calls in one thread, in recorded order (the default), "   \
            "or each "                                                                             \
            "recorded thread's in one of its own, all at once",                                    \
            0                                                                                      \
    }
#define RH_OPTION_PACE                                                                             \
    {                                                                                              \
        "pace", RH_KEY_PACE, "1x|10x|...", 0,                                                      \
            "latency: begin each call when it was recorded, so many times as fast, and tell "      \
            "response "                                                                            \
            "times from then on (default: none, one call after another)",                          \
            0                                                                                      \
    }
#define RH_OPTION_LOOP                                                                             \
    {                                                                                              \
        "loop", RH_KEY_LOOP, "N|steady", 0,                                                        \
            "play the recording N times on the same heap, or until the heap is steady; with "      \
            "`,end=free` "                                                                         \
            "what lives at the end of a round is freed (else it stays), with `steady,most=N` at "  \
            "most N "                                                                              \
            "rounds (else 100)",                                                                   \
            0                                                                                      \
    }
#define RH_OPTION_AGE                                                                              \
    {                                                                                              \
        "age", RH_KEY_AGE, "CHURN", 0,                                                             \
            "before the recording begins, fill each heap with blocks of its sizes, exchange them " \
            "CHURN "                                                                               \
            "times over, and free all but 10 % (`,keep=25%` for another share, `,seed=S` for "     \
            "other "                                                                               \
            "blocks)",                                                                             \
            0                                                                                      \
    }
#define RH_OPTION_DOMAIN                                                                           \
    {                                                                                              \
        "domain", RH_KEY_DOMAIN, "D", 0,                                                           \
            "where a recording without domains goes: raw, mem or obj (default: obj)", 0            \
    }
#define RH_OPTION_SAMPLES                                                                          \
    {                                                                                              \
        "samples", RH_KEY_SAMPLES, "N", 0, "memory samples a run (default: 1000)", 0               \
    }
#define RH_OPTION_PATIENCE                                                                         \
    {                                                                                              \
        "patience", RH_KEY_PATIENCE, "SECONDS", 0,                                                 \
            "a run that makes no progress for so long has failed (default: 120)", 0                \
    }

enum { RH_OPTION_WORDS = 256 };

/* What a call said. Its words are argv's. */
typedef struct rh_experiment_call {
    rh_experiment experiment; /* points at the lists below */
    const char *traces[RH_OPTION_WORDS], *specs[RH_OPTION_WORDS];
    const char *output; /* -o; NULL: none */
    bool json;
    bool given[RH_KEY_END - RH_KEY_FIRST]; /* which of the options with a key were */
} rh_experiment_call;

/* Nothing said: the defaults of rh_experiment_init. It stays where it is. */
void rh_experiment_call_init(rh_experiment_call *call);
/* Reads one of the options above, or a file; ARGP_ERR_UNKNOWN: it is neither. A bad value ends the
 * call, as argp's own errors do. */
error_t rh_experiment_call_parse(int key, char *argument, struct argp_state *state,
                                 rh_experiment_call *call);
/* Adds an allocator, as -a does. */
void rh_experiment_call_spec(rh_experiment_call *call, const char *spec);
bool rh_experiment_call_gave(const rh_experiment_call *call, int key);

#endif
