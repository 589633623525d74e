/* What is due when: a wheel of wheels over a clock that only goes forward.
 *
 * An entry lies in the slot of the highest byte in which its time differs from the clock's, one
 * wheel a byte; when the clock reaches a slot of a higher wheel its entries go down. So an entry
 * moves at most seven times, whatever is on the agenda (Varghese and Lauck, 1987). Entries of one
 * time come in the order in which they were put.
 */
#ifndef REHEAP_TRACES_GENERATE_AGENDA_H
#define REHEAP_TRACES_GENERATE_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

enum { RH_AGENDA_WHEELS = 8, RH_AGENDA_SLOTS = 256 };

typedef struct rh_agenda_entry {
    uint64_t time;
    uint32_t what;
    uint32_t after; /* in its slot, or among the spare: 0 ends */
} rh_agenda_entry;

typedef struct rh_agenda {
    uint64_t clock;
    uint64_t entries;       /* on it */
    uint64_t next;          /* when the first filled slot begins */
    rh_agenda_entry *entry; /* entry[0] is none */
    uint32_t used, room, spare;
    uint32_t first[RH_AGENDA_WHEELS][RH_AGENDA_SLOTS], last[RH_AGENDA_WHEELS][RH_AGENDA_SLOTS];
    uint64_t filled[RH_AGENDA_WHEELS][RH_AGENDA_SLOTS / 64]; /* bits: slots with entries */
    uint32_t due, due_last;                                  /* what has come */
} rh_agenda;

/* The clock begins at 0. False: no memory. */
bool rh_agenda_init(rh_agenda *agenda);
void rh_agenda_release(rh_agenda *agenda);

/* Puts `what` at `time`; if that is past, it is due now, behind what is due already. False: no
 * memory. */
bool rh_agenda_put(rh_agenda *agenda, uint64_t time, uint32_t what);

/* Moves the clock, which does not go back; entries up to `time` become due, in the order of their
 * times. */
void rh_agenda_advance(rh_agenda *agenda, uint64_t time);

/* Takes the first that is due; false when none is. */
bool rh_agenda_take(rh_agenda *agenda, uint32_t *what);

/* The time of the next entry that is not due yet, UINT64_MAX when there is none. */
uint64_t rh_agenda_next(const rh_agenda *agenda);

#endif
