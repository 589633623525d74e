/* The table of size classes: which sizes the blocks of pools have, and which of them serves a
 * request.
 *
 * A table is told in words, as in a spec:
 *
 *   linear[:STEP]     every multiple of STEP; of the alignment when none is told, as CPython
 *   geometric:N       N equal steps from each power of two to the next, each rounded up to the
 *                     alignment: 16 32 48 64 80 96 112 128 160 192 224 256 320 384 448 512 for
 *                     N = 4. A request then loses at most one part in N + 1, and the alignment
 *   A:B:C...          these sizes
 *
 * All sizes are multiples of the alignment and ascend. The last class is the small threshold
 * rounded up to the alignment; where only a list is given, the threshold is its last size.
 *
 * The lookup is by units of the alignment, 16 bits each. The table of CPython, whose classes are
 * the units themselves, needs none.
 */
#ifndef REHEAP_ALLOC_SIZE_CLASSES_H
#define REHEAP_ALLOC_SIZE_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define RH_CLASSES_PER_DOUBLING_MAX 64
#define RH_CLASSES_LISTED_MAX       256 /* sizes in a list */
#define RH_CLASS_UNITS_MAX          65536

typedef struct rh_size_classes {
    uint64_t small_bytes; /* largest request that the classes serve */
    uint32_t count;
    uint32_t *bytes;   /* by class; NULL: (class + 1) * alignment. From malloc, of_unit behind it */
    uint16_t *of_unit; /* class by (request - 1) / alignment; NULL: the unit itself */
    size_t table_bytes;
} rh_size_classes;

/* Makes the table that `text` tells (NULL: "linear"). `alignment`: a power of two. `small_bytes`: 0
 * takes the last size of a list; else 1 to RH_CLASS_UNITS_MAX alignments. RH_USAGE names what does
 * not fit and what would; RH_SYSTEM when there is no memory. */
rh_status rh_size_classes_init(rh_size_classes *classes, const char *text, uint64_t alignment,
                               uint64_t small_bytes, rh_error *error);
void rh_size_classes_release(rh_size_classes *classes);

/* Whether `text` is a list of sizes, which tells the small threshold too. */
bool rh_size_classes_is_list(const char *text);

#endif
