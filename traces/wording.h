/* Events in short: words of 64 bits, for who needs of an event only what it does and to which
 * block.
 *
 * What an event says but for its block is put into a word once for each token of a file's
 * dictionary; while decoding only the block's slot is added. No rh_event is made on the way, and
 * what the word is for need not be known here.
 */
#ifndef REHEAP_TRACES_WORDING_H
#define REHEAP_TRACES_WORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/event.h"

/*
 *     63        32 31        5 4      0
 *    +------------+-----------+--------+
 *    | a death:   |   slot    | any    |
 *    | the size   |           |        |
 *    +------------+-----------+--------+
 */
#define RH_WORD_SLOT_SHIFT 5
#define RH_WORD_SLOTS      ((uint32_t)1 << 27) /* slots from here on get no words */
#define RH_WORD_SIZE_SHIFT 32
#define RH_WORD_SIZE_MAX   UINT32_MAX /* deaths of larger blocks have none */

/* Counts of an event, 16 bits each, which are summed: the lowest is whether it gives a word; what
 * the others count is the wording's business. */
typedef uint64_t rh_tally;
#define RH_TALLY(field)           (UINT64_C(1) << 16 * (field))
#define RH_TALLY_OF(tally, field) ((uint32_t)((tally) >> 16 * (field)&0xFFFF))

typedef struct rh_word {
    uint64_t bits; /* zeros where the slot goes, and in a death the size */
    rh_tally tally;
} rh_word;

typedef struct rh_wording {
    /* The word for an event of which all is known but its slot (0, or RH_NO_SLOT when it has none)
     * and, when it dies or is resized, its block's size. False: it has none and is delivered as an
     * event. */
    bool (*word_for)(const void *ctx, const rh_event *event, rh_word *word);
    const void *ctx;
} rh_wording;

/* A caller's room for words, and what a call made of it. */
typedef struct rh_words {
    uint64_t *word;
    uint32_t capacity;
    uint32_t events;  /* that were read, those counted in that gave no word; below 65536 */
    rh_tally tally;   /* their sum: in its lowest field, how many words */
    uint64_t time_ns; /* of the last event; 0: the trace has no times */
} rh_words;

#endif
