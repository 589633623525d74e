/* What a trace holds in numbers: its totals, counted anew, and how its requests are distributed. */
#ifndef REHEAP_TRACES_DIGEST_H
#define REHEAP_TRACES_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "traces/reader.h"
#include "traces/trace_info.h"

enum {
    RH_DIGEST_DOMAINS = RH_EVENT_DOMAINS,
    RH_DIGEST_SIZES = 34, /* bucket 0: no bytes; b > 0: up to 8 << b bytes; the last: the rest */
    RH_DIGEST_SMALL_MAX = 512, /* what CPython's small-object allocator serves: a bucket's limit */
    RH_DIGEST_KINDS = 1 << 12
};

typedef struct rh_digest {
    /* Numbers that every event adds to. */
    uint64_t kinds[RH_DIGEST_KINDS]; /* events by operation, flags and domain */
    uint64_t size_births[RH_DIGEST_SIZES], size_bytes[RH_DIGEST_SIZES];
    uint64_t domain_bytes[RH_DIGEST_DOMAINS];
    uint64_t live_blocks, live_bytes; /* now */
    uint64_t peak_blocks, peak_bytes;
    uint64_t threads;
    uint8_t *nested; /* by slot: whether the block in it was born nested */
    uint32_t slots;
    bool merged; /* the live numbers are those of the last part that was merged */

    /* What follows from those: set by rh_digest_settle. */
    rh_trace_info
        totals; /* only the numbers; events marked nested included, but not among the live */
    uint64_t domain_events[RH_DIGEST_DOMAINS], domain_births[RH_DIGEST_DOMAINS];
    uint64_t births, small_births; /* requests that succeeded, not nested; of at most SMALL_MAX */
    uint64_t birth_bytes, small_bytes;
    uint64_t foreign_frees;
} rh_digest;

void rh_digest_init(rh_digest *digest);
void rh_digest_release(rh_digest *digest);

/* Adds a batch as a reader delivers them from the start of the trace on. False: no memory. */
bool rh_digest_add(rh_digest *digest, const rh_batch *batch);

/* Draws the sums, when everything has been added. */
void rh_digest_settle(rh_digest *digest);

/* For a digest of a part of a trace, or one that goes on behind merged parts: tells it, before any
 * events, some of the blocks alive where it begins. False: no memory. */
bool rh_digest_enter(rh_digest *digest, const rh_batch *live);

/* Adds the part that follows what has been merged so far. */
void rh_digest_merge(rh_digest *whole, const rh_digest *part);

/* The largest size of a bucket; UINT64_MAX for the last. */
uint64_t rh_digest_bucket_limit(unsigned bucket);

#endif
