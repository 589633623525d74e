/* Ageing: what a heap went through before the recording begins, so that it is fragmented by then.
 *
 * Blocks of the sizes and domains that the recording asks for, drawn by a seed, are allocated until
 * as many live as the recording has at most (or as many bytes); then as many again, `churn` times
 * over, each after a random one was freed; then random ones are freed until `keep` percent are
 * left. These survivors stay for ever. Nobody asked for them in the recording, so they are in none
 * of its numbers but in what the heap holds.
 *
 * The same age, recording and heap are the same calls on every machine.
 */
#ifndef REHEAP_REPLAY_AGE_H
#define REHEAP_REPLAY_AGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "base/error.h"
#include "replay/source.h"
#include "replay/touch.h"

#define RH_AGE_CHURN_MOST  1000
#define RH_AGE_SIZES_MOST  65536               /* that are drawn from: of more births, a sample */
#define RH_AGE_BLOCKS_MOST (UINT64_C(1) << 24) /* at once */

typedef struct rh_age {
    bool aged; /* else nothing is done */
    unsigned churn, keep_percent;
    uint64_t seed;
} rh_age;

/* "none", or CHURN and after commas "keep=PERCENT" (10, a % sign may follow) and "seed=S" (1).
 * RH_USAGE, leaving *age alone, on anything else. */
rh_status rh_age_parse(const char *text, rh_age *age, rh_error *error);
/* What is read back as the same. Returns `text`. */
char *rh_age_text(const rh_age *age, char *text, size_t capacity);
bool rh_age_same(const rh_age *one, const rh_age *other);

/* A block that the recording asked for. */
typedef struct rh_age_size {
    uint64_t size;
    uint64_t domain; /* as it is replayed */
} rh_age_size;

/* Reads the source and takes up to RH_AGE_SIZES_MOST of its births, each as likely as any other, by
 * the seed. `domain`: of a recording without domains. `sizes` are from malloc, also when it fails.
 * RH_INTERRUPTED on Ctrl-C. */
rh_status rh_age_sizes_find(const rh_source *source, bool has_domains, unsigned domain,
                            uint64_t seed, rh_age_size **sizes, size_t *count, rh_error *error);

/* A block that lives meanwhile. */
typedef struct rh_aged_block {
    void *block;
    uint64_t size, domain;
} rh_aged_block;

typedef struct rh_age_plan {
    rh_age age;
    uint64_t most_blocks, most_bytes; /* at once; blocks at most RH_AGE_BLOCKS_MOST */
    const rh_age_size *sizes;
    size_t size_count;
    rh_touch touch;
    _Atomic uint32_t *beat; /* counted on now and then: this is alive; may be NULL */
} rh_age_plan;

typedef struct rh_age_totals {
    uint64_t calls, failed_allocations;
    uint64_t blocks, bytes; /* that survive, as asked for */
    uint64_t usable_bytes;  /* theirs; RH_UNKNOWN where the heap does not tell */
} rh_age_totals;

/* Ages the heap. `blocks`: room for most_blocks. */
void rh_age_heap(const rh_age_plan *plan, rh_heap *heap, rh_aged_block *blocks,
                 rh_age_totals *totals);

#endif
