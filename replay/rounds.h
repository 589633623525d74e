/* Looped replay: the recording again and again on the same heap, until it has settled or so many
 * times.
 *
 * What lives at the end of a round stays for ever (`keep`: the replayed program leaks it; the
 * recording has no frees of it, and none are made up), or is freed in the order of birth before the
 * next round (`free`: a program that ends each piece of its work). A heap is steady when the most
 * it had mapped in a round was the same, to a thousandth, RH_STEADY_TIMES times in a row, or when
 * several rounds that differ came back in the same order so often; and as much was requested at the
 * end of each: a leak is never steady. Passes that do not look after each call take what they see
 * at the ends of batches, or of rounds.
 */
#ifndef REHEAP_REPLAY_ROUNDS_H
#define REHEAP_REPLAY_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/results.h"
#include "replay/source.h"
#include "traces/event.h"

#define RH_ROUNDS_MOST   10000
#define RH_STEADY_TIMES  3
#define RH_STEADY_MOST   100 /* rounds, where nothing else was said */
#define RH_STEADY_LIKELY 10  /* that a heap takes which becomes steady at all */

typedef struct rh_loop {
    unsigned rounds; /* at most; 0: not looped, which is one round */
    bool steady;     /* ends when the heap is */
    bool frees;      /* what lives at the end of a round is freed */
} rh_loop;

/* "none", or N or "steady", and after commas "most=N" and "end=keep" or "end=free". RH_USAGE,
 * leaving *loop alone, on anything else. */
rh_status rh_loop_parse(const char *text, rh_loop *loop, rh_error *error);
/* What is read back as the same. Returns `text`. */
char *rh_loop_text(const rh_loop *loop, char *text, size_t capacity);
bool rh_loop_same(const rh_loop *one, const rh_loop *other);
/* Among how many rounds samples and looks are shared: with `steady` the rounds that are likely, so
 * that a heap which is steady soon is still looked at often. At least 1. */
unsigned rh_loop_shares(bool steady, unsigned rounds);

/* Whether the last of these rounds makes the heap steady: how many rounds that is to be seen in, a
 * multiple of RH_STEADY_TIMES. 0: it does not. */
size_t rh_rounds_steady(const rh_round *rounds, size_t count);

/* The blocks that live at the end of a recording, oldest first, as events that free them. */
typedef struct rh_leftovers {
    rh_event *frees;
    size_t count;
    uint64_t bytes; /* requested */
} rh_leftovers;

/* Reads the source to its end. RH_INTERRUPTED on Ctrl-C. */
rh_status rh_leftovers_find(const rh_source *source, rh_leftovers *leftovers, rh_error *error);
void rh_leftovers_release(rh_leftovers *leftovers);

#endif
