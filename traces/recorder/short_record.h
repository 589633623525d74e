/* Records of a thread that does nothing but call the C library's functions, in 8 bytes each: half
 * as many cache lines go from the program to the collector, and a ring holds twice as much before
 * its writer has to wait.
 *
 *     63  60 59          44 43                                  0
 *     | kind | size        | address / 8                        |    a call
 *     | PLACE|             | thread                             |    and a word: the time
 *     |   0  |                                                  |    and two words: an rh_record
 *
 * Kinds are those of rh_record. Which thread it is, and that the domain is the C library's, is said
 * once for many calls; sizes from 64 KiB on, addresses that are no multiple of 8, texts and what is
 * rare go by the third way. The program writes these, the collector makes rh_records of them. */
#ifndef REHEAP_TRACES_RECORDER_SHORT_RECORD_H
#define REHEAP_TRACES_RECORDER_SHORT_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/recorder/channel.h"

enum {
    RH_SHORT_SIZE_SHIFT = 44,
    RH_SHORT_SIZE_BITS = 16,
    RH_SHORT_KIND_SHIFT = 60,
    RH_SHORT_HALF_BITS = RH_SHORT_SIZE_BITS / 2,
    RH_SHORT_ADDRESS_ZEROS = 3,
    /* Kinds that only these have, in the places of kinds that these have not. */
    RH_SHORT_LONG = 0,                  /* a record follows */
    RH_SHORT_CALLOC = RH_RECORD_CALLOC, /* count above, element size below, half of the bits each */
    RH_SHORT_CALLOC_ONE = RH_RECORD_WIDE,  /* one element of this size */
    RH_SHORT_CALLOC_BYTES = RH_RECORD_TIME /* so many elements of size 1 */
};
#define RH_SHORT_ADDRESS_MASK  ((UINT64_C(1) << RH_SHORT_SIZE_SHIFT) - 1)
#define RH_SHORT_SIZE_MASK     ((UINT64_C(1) << RH_SHORT_SIZE_BITS) - 1)
#define RH_SHORT_HALF_MASK     ((UINT64_C(1) << RH_SHORT_HALF_BITS) - 1)
#define RH_CALLOC_ELEMENT_MASK ((UINT64_C(1) << RH_CALLOC_COUNT_SHIFT) - 1)

/* The address as a short record has it; too large where it cannot be had. */
static inline uint64_t
rh_short_address(uint64_t address)
{
    return address >> RH_SHORT_ADDRESS_ZEROS | address << (64 - RH_SHORT_ADDRESS_ZEROS);
}

/* Both as they are in it. */
static inline bool
rh_short_fits(uint64_t address, uint64_t size)
{
    return (address >> RH_SHORT_SIZE_SHIFT | size >> RH_SHORT_SIZE_BITS) == 0;
}

static inline uint64_t
rh_short_word(unsigned kind, uint64_t address, uint64_t size)
{
    return address | size << RH_SHORT_SIZE_SHIFT | (uint64_t)kind << RH_SHORT_KIND_SHIFT;
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
    const uint64_t address = rh_short_address(record->what & RH_RECORD_ADDRESS_MASK);
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
    uint64_t kind = word >> RH_SHORT_KIND_SHIFT;
    uint64_t size = word >> RH_SHORT_SIZE_SHIFT & RH_SHORT_SIZE_MASK;
    const uint64_t address = (word & RH_SHORT_ADDRESS_MASK) << RH_SHORT_ADDRESS_ZEROS;
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
