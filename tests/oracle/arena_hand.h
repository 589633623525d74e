/* Places arenas at addresses that depend on nothing but the calls made so far, so that two
 * libraries driven alike in two processes get the same ones, and prints what is asked of it.
 *
 * The arenas lie in a few regions, reserved beforehand, far enough apart that CPython's address map
 * needs several nodes. Memory is never given back to the system, and each arena is filled with
 * rubbish when it is given out: nobody may count on zeros.
 */
#ifndef REHEAP_TESTS_ORACLE_ARENA_HAND_H
#define REHEAP_TESTS_ORACLE_ARENA_HAND_H

#include <stdbool.h>
#include <stdio.h>

#include "alloc/pymem.h"
#include "base/random.h"

enum { HAND_ARENAS = 4096 };

enum hand_skew { HAND_ALIGNED, HAND_PAGE_OFF, HAND_MIXED };

struct arena_hand {
    const char *name;
    FILE *out; /* where calls are told; NULL: nowhere */
    enum hand_skew skew;
    unsigned refuse_every; /* each so-manieth call yields no arena; 0: never */
    bool closed;           /* yields none at all */
    rh_random random;
    size_t calls, made, vacant_count;
    uintptr_t vacant[HAND_ARENAS];
};

/* Reserves the regions. False when the addresses are taken. */
bool hand_reserve(void);

/* The allocator that asks this hand. */
PyObjectArenaAllocator hand_arenas(struct arena_hand *hand);

/* Does the address lie where hands place arenas? And where, for a line of output: from the start of
 * the regions. */
bool hand_owns(const void *address);
uintptr_t hand_place(const void *address);

#endif
