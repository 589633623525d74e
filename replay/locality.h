/* How near to one another lie the blocks that a program uses one after another: the distinct pages
 * and cache lines that hold the first byte of the blocks named by a thousand events. An allocator
 * that packs what is used together needs fewer. It is a count of addresses, not of misses, and the
 * same every time where the addresses are. */
#ifndef REHEAP_REPLAY_LOCALITY_H
#define REHEAP_REPLAY_LOCALITY_H

#include <stdint.h>

#define RH_LOCALITY_WINDOW 1000 /* events */
#define RH_LOCALITY_TABLE  4096 /* above twice as much as a window can name */

/* A set that is emptied by beginning a new round. A place holds key and round in one number, so
 * that it takes half as much of the caches that the heap wants: an address below 2^57 has a key of
 * 51 bits. */
#define RH_LOCALITY_ROUNDS (1u << 13)
typedef struct rh_address_set {
    uint64_t place[RH_LOCALITY_TABLE];
    uint32_t round, count; /* rounds from 1 on */
} rh_address_set;

typedef struct rh_locality {
    rh_address_set pages, lines;
    uint32_t events;                        /* in this window */
    uint64_t windows, pages_sum, lines_sum; /* of the whole windows so far */
} rh_locality;

void rh_locality_begin(rh_locality *locality);
/* An event names a block: at most two to an event. */
void rh_locality_name(rh_locality *locality, const void *block);
/* An event is over. */
void rh_locality_count(rh_locality *locality);

#endif
