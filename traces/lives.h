/* Which block lives at an address, as far as that can be known: each has a handle, given by whoever
 * writes events, and a key, made of its address.
 *
 * Threads that allocate without a lock leave open in which order two of them used one address, if
 * both did within a few microseconds. Where the choice turns out to have been wrong, the threads
 * wait for one another, and what is wrong is made good as soon as can be:
 *
 *   a birth was taken too early     both blocks live for a moment, the one that should have gone
 *                                   before under a key with a number in these bits; of several at
 *                                   an address the last one dies first
 *   a death was taken too early     it was another's; that other is owed, and the next block at the
 *                                   address dies as it is born
 *
 * Nothing is lost by it: each birth has its death, at most a little off its place. */
#ifndef REHEAP_TRACES_LIVES_H
#define REHEAP_TRACES_LIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/pointer_table.h"

/* In keys: the block an allocator got for itself, at an address that it may have handed on
 * unchanged. */
#define RH_NESTED_KEY (UINT64_C(1) << 63)
/* What the C library gave out, where a recording has the interpreter's domains too: all of it under
 * these keys, nested or not, since there an address lives only once. A block born nested is nested
 * to its end, whoever calls then. */
#define RH_LIBC_KEY (UINT64_C(1) << 59)

enum {
    RH_OVERLAP_SHIFT = 60,
    RH_OVERLAPS = 7,
    RH_OVERLAP_HASHES = 1 << 12,
    RH_RECENT_DEATHS = 1 << 16
};

typedef struct rh_lives {
    rh_pointer_table blocks;
    rh_pointer_table owed; /* whose death it is, by the recorder's number */
    uint64_t owed_deaths;
    uint64_t *recent;                           /* keys of deaths, at their hashes */
    uint64_t overlapping;                       /* blocks that live under keys with a number */
    uint32_t overlapping_at[RH_OVERLAP_HASHES]; /* those of them with this hash */
    uint64_t undecided;                         /* events whose order was found to be wrong */
} rh_lives;

/* False when there is no memory; to be released all the same. */
bool rh_lives_init(rh_lives *lives);
void rh_lives_release(rh_lives *lives);

/* The free entry for one more block at `key`, where one lives already, and in *place the key it has
 * there; if there are too many, the entry of the last. */
rh_pointer_entry *rh_lives_beside(rh_lives *lives, uint64_t key, uint64_t *place);

/* The block that dies at `key`; an entry without a key if there is none. */
rh_pointer_entry *rh_lives_dying(rh_lives *lives, uint64_t key);

/* A block begins to live in a free entry. False when there is no memory. */
bool rh_lives_begin(rh_lives *lives, rh_pointer_entry *entry, uint64_t key, uint32_t handle);
void rh_lives_end(rh_lives *lives, rh_pointer_entry *entry);

/* A death by `thread` whose block has been taken by another's shortly before: the next block at
 * `key` is its. False: there was no such thing, or there is no memory. */
bool rh_lives_owe(rh_lives *lives, uint64_t key, uint32_t thread);

/* How many blocks live under keys with numbers at addresses like this one. */
static inline uint32_t *
rh_lives_overlapping_at(rh_lives *lives, uint64_t key)
{
    key &= ~((uint64_t)RH_OVERLAPS << RH_OVERLAP_SHIFT);
    return &lives->overlapping_at[key * UINT64_C(0x9E3779B97F4A7C15) >> 32 &
                                  (RH_OVERLAP_HASHES - 1)];
}

static inline bool
rh_lives_may_overlap(rh_lives *lives, uint64_t key)
{
    return lives->overlapping && *rh_lives_overlapping_at(lives, key);
}

/* The two places where a recent death at `key` is kept. */
static inline uint64_t *
rh_lives_recent(const rh_lives *lives, uint64_t key)
{
    uint64_t pair = key * UINT64_C(0x9E3779B97F4A7C15) >> 32 & (RH_RECENT_DEATHS / 2 - 1);
    return &lives->recent[2 * pair];
}

static inline void
rh_lives_keep_death(rh_lives *lives, uint64_t key)
{
    uint64_t *kept = rh_lives_recent(lives, key);
    if (kept[0] != key) {
        kept[1] = kept[0];
        kept[0] = key;
    }
}

#endif
