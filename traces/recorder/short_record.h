/* Records of a thread that does nothing but call the C library's functions, in 8 bytes each: half
 * as many cache lines go from the program to the collector, and a ring holds twice as much before
 * its writer has to wait.
 *
 *     63     48  47  46                               3 2     0
 *     | size    | k | address                           | kind  |    a call
 *     |         | 1 | thread                            | PLACE |    and a word: the time
 *     |         | 0 |                                   |   0   |    and two words: an rh_record
 *
 * Kinds are those of rh_record; the fourth of their bits is apart (k), so that a call's word is its
 * block's address and constants. Which thread it is, and that the domain is the C library's, is
 * said once for many calls; sizes from 64 KiB on, addresses that are no multiple of 8, texts and
 * what is rare go by the third way. The program writes these, the collector makes rh_records of
 * them. */
#ifndef REHEAP_TRACES_RECORDER_SHORT_RECORD_H
#define REHEAP_TRACES_RECORDER_SHORT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/recorder/channel.h"

enum {
    RH_SHORT_SIZE_SHIFT = 48,
    RH_SHORT_SIZE_BITS = 16,
    RH_SHORT_HALF_BITS = RH_SHORT_SIZE_BITS / 2,
    RH_SHORT_KIND_BITS = 3, /* where addresses have zeros; one more lies behind them */
    RH_SHORT_HIGH_KIND_SHIFT = 47,
    /* Kinds that only these have, in the places of kinds that these have not. */
    RH_SHORT_LONG = 0,                  /* a record follows */
    RH_SHORT_CALLOC = RH_RECORD_CALLOC, /* count above, element size below, half of the bits each */
    RH_SHORT_CALLOC_ONE = RH_RECORD_WIDE,  /* one element of this size */
    RH_SHORT_CALLOC_BYTES = RH_RECORD_TIME /* so many elements of size 1 */
};
_Static_assert(RH_RECORD_KINDS <= 2 << RH_SHORT_KIND_BITS, "four bits hold every kind");
#define RH_SHORT_LOW_KIND      ((UINT64_C(1) << RH_SHORT_KIND_BITS) - 1)
#define RH_SHORT_HIGH_KIND     (UINT64_C(1) << RH_SHORT_HIGH_KIND_SHIFT)
#define RH_SHORT_ADDRESS_MASK  (RH_SHORT_HIGH_KIND - 1 - RH_SHORT_LOW_KIND)
#define RH_SHORT_SIZE_MASK     ((UINT64_C(1) << RH_SHORT_SIZE_BITS) - 1)
#define RH_SHORT_HALF_MASK     ((UINT64_C(1) << RH_SHORT_HALF_BITS) - 1)
#define RH_CALLOC_ELEMENT_MASK ((UINT64_C(1) << RH_CALLOC_COUNT_SHIFT) - 1)

/* Of what an allocator gives out: programs have no addresses above, unless they ask for them by
 * number. */
static inline bool
rh_short_fits_block(uint64_t address, uint64_t size)
{
    return (address & RH_SHORT_LOW_KIND) == 0 && size <= RH_SHORT_SIZE_MASK;
}

static inline bool
rh_short_fits(uint64_t address, uint64_t size)
{
    return (address & ~RH_SHORT_ADDRESS_MASK) == 0 && size <= RH_SHORT_SIZE_MASK;
}

/* The kind as it is in a word. */
static inline uint64_t
rh_short_place_kind(unsigned kind)
{
    return (kind & RH_SHORT_LOW_KIND) | (uint64_t)(kind >> RH_SHORT_KIND_BITS)
                                            << RH_SHORT_HIGH_KIND_SHIFT;
}

static inline unsigned
rh_short_kind(uint64_t word)
{
    return (unsigned)(word & RH_SHORT_LOW_KIND) | (unsigned)(word >> RH_SHORT_HIGH_KIND_SHIFT & 1)
                                                      << RH_SHORT_KIND_BITS;
}

/* The word of a place; `thread` is the number. */
static inline uint64_t
rh_short_thread_word(uint64_t thread)
{
    return rh_short_place_kind(RH_RECORD_PLACE) + (thread << RH_SHORT_KIND_BITS);
}

static inline uint64_t
rh_short_thread(uint64_t word)
{
    return (word & RH_SHORT_ADDRESS_MASK) >> RH_SHORT_KIND_BITS;
}

/* `address` and `size` fit. */
static inline uint64_t
rh_short_word(unsigned kind, uint64_t address, uint64_t size)
{
    return address + rh_short_place_kind(kind) + (size << RH_SHORT_SIZE_SHIFT);
}

/* A calloc of these two factors: its kind, and *size; the size does not fit where they do not. */
static inline unsigned
rh_short_calloc(uint64_t count, uint64_t element, uint64_t *size)
{
    if (count == 1) {
        *size = element;
        return RH_SHORT_CALLOC_ONE;
    }
    if (element == 1) {
        *size = count;
        return RH_SHORT_CALLOC_BYTES;
    }
    bool fits = (count | element) <= RH_SHORT_HALF_MASK;
    *size = fits ? count << RH_SHORT_HALF_BITS | element : UINT64_MAX;
    return RH_SHORT_CALLOC;
}

/* The record in one word; false: it has to go as it is. */
static inline bool
rh_short_pack(const rh_record *record, uint64_t *word)
{
    unsigned kind = (unsigned)(record->what >> RH_RECORD_KIND_SHIFT & 0xff);
    uint64_t size = record->amount & RH_AMOUNT_SIZE_MASK;
    const uint64_t address = record->what & RH_RECORD_ADDRESS_MASK;
    switch (kind) {
    case RH_RECORD_CALLOC:
        kind = rh_short_calloc(size >> RH_CALLOC_COUNT_SHIFT, size & RH_CALLOC_ELEMENT_MASK, &size);
        break;
    case RH_RECORD_MALLOC:
    case RH_RECORD_REALLOC_FROM:
    case RH_RECORD_REALLOC:
    case RH_RECORD_REALLOC_NULL:
    case RH_RECORD_FREE:
    case RH_RECORD_GONE:
        break;
    default:
        *word = 0;
        return false;
    }
    *word = rh_short_word(kind, address, size);
    return rh_short_fits(address, size);
}

/* What a call's word says; `thread` is placed as in rh_record.amount. */
static inline rh_record
rh_short_unpack(uint64_t word, uint64_t thread)
{
    uint64_t kind = rh_short_kind(word);
    uint64_t size = word >> RH_SHORT_SIZE_SHIFT;
    const uint64_t address = word & RH_SHORT_ADDRESS_MASK;
    if (kind == RH_SHORT_CALLOC)
        size = (size >> RH_SHORT_HALF_BITS) << RH_CALLOC_COUNT_SHIFT | (size & RH_SHORT_HALF_MASK);
    else if (kind == RH_SHORT_CALLOC_ONE)
        size |= UINT64_C(1) << RH_CALLOC_COUNT_SHIFT;
    else if (kind == RH_SHORT_CALLOC_BYTES)
        size = size << RH_CALLOC_COUNT_SHIFT | 1;
    if (kind == RH_SHORT_CALLOC_ONE || kind == RH_SHORT_CALLOC_BYTES)
        kind = RH_RECORD_CALLOC;
    return (rh_record){address | kind << RH_RECORD_KIND_SHIFT |
                           (uint64_t)RH_RECORD_LIBC_DOMAIN << RH_RECORD_DOMAIN_SHIFT,
                       size | thread};
}

#endif
