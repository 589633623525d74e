/* The measures of a pymalloc heap: sizes of arenas, pools and size classes, and which of them each
 * version of CPython uses.
 *
 * Blocks come in size classes: the multiples of the alignment up to the small threshold, or what a
 * table says (size_classes.h). A pool is a power of two and lies at a multiple of itself, so that
 * the pool of a block is the block's address rounded down. It begins with a header of 48 bytes,
 * rounded up to the alignment; what is left at its end, too short for a block, is lost
 * ("quantization"). An arena is a run of pools got from the arena source; where its base is not a
 * multiple of the pool size, one pool is lost ("arena alignment").
 *
 * Source: CPython's Objects/obmalloc.c as its manual and its statistics describe it.
 */
#ifndef REHEAP_ALLOC_PYMALLOC_GEOMETRY_H
#define REHEAP_ALLOC_PYMALLOC_GEOMETRY_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/size_classes.h"
#include "base/error.h"

#define RH_POOL_HEADER_BYTES 48
#define RH_POOL_BYTES_MIN    1024
#define RH_POOL_BYTES_MAX    ((size_t)1 << 20)
#define RH_ARENA_BYTES_MIN   4096
#define RH_ARENA_BYTES_MAX   ((size_t)1 << 30)
#define RH_ALIGNMENT_MIN     8
#define RH_ALIGNMENT_MAX     1024
#define RH_POOL_BLOCKS_MIN   2 /* of the largest class: a pool is never full and empty at once */
#define RH_POOL_UNITS_MAX    65536 /* pool ÷ alignment: links kept outside are 16 bits wide */

_Static_assert(RH_POOL_UNITS_MAX <= RH_CLASS_UNITS_MAX, "every class of a pool has its place");

/* All sizes are powers of two except small_bytes. */
typedef struct rh_pymalloc_geometry {
    size_t arena_bytes, pool_bytes, alignment, small_bytes;
    unsigned arena_shift, pool_shift, class_shift; /* logarithms of the first three */
    uint32_t header_bytes;                         /* offset of a pool's first block */
    uint32_t classes;
    uint32_t pools; /* in an arena whose base is aligned */
    /* By class, and by (request - 1) / alignment; NULL when classes are the alignment's multiples.
     * Its own memory, of table_bytes. */
    uint32_t *class_bytes;
    uint16_t *class_of_unit;
    size_t table_bytes;
} rh_pymalloc_geometry;

/* What a version of CPython fixes. */
typedef struct rh_pymalloc_preset {
    const char *version; /* "3.11" */
    size_t arena_bytes, pool_bytes;
    uint32_t keep;             /* wholly free arenas kept */
    unsigned map_address_bits; /* that its address map tells apart; 0: it has no map */
} rh_pymalloc_preset;

#define RH_PYMALLOC_STANDARD_PRESET "3.11"

/* The presets' versions, NULL-terminated. */
extern const char *const rh_pymalloc_presets[];

/* The preset of a version of CPython: "3.9", or longer ("3.9.18", "3.13.0rc1"). NULL when there is
 * none. */
const rh_pymalloc_preset *rh_pymalloc_preset_find(const char *version);

/* Fills *geometry. `classes` tells the size classes as rh_size_classes_init reads it, and where
 * small_bytes is 0 the threshold too. RH_USAGE, with the reason, when the sizes do not fit one
 * another. */
rh_status rh_pymalloc_geometry_init(rh_pymalloc_geometry *geometry, uint64_t arena_bytes,
                                    uint64_t pool_bytes, uint64_t alignment, uint64_t small_bytes,
                                    const char *classes, rh_error *error);
/* NULL when the table of size classes is sound, else what is wrong with it. */
const char *rh_pymalloc_geometry_check(const rh_pymalloc_geometry *geometry);
void rh_pymalloc_geometry_release(rh_pymalloc_geometry *geometry);

/* The class of a request of 1 to small_bytes bytes. */
static inline size_t
rh_class_of(const rh_pymalloc_geometry *geometry, size_t bytes)
{
    size_t unit = (bytes - 1) >> geometry->class_shift;
    return geometry->class_of_unit ? geometry->class_of_unit[unit] : unit;
}

static inline size_t
rh_class_bytes(const rh_pymalloc_geometry *geometry, uint32_t size_class)
{
    return geometry->class_bytes ? geometry->class_bytes[size_class]
                                 : ((size_t)size_class + 1) << geometry->class_shift;
}

/* Blocks that fit into a pool, and the bytes left over. */
static inline uint32_t
rh_class_capacity(const rh_pymalloc_geometry *geometry, uint32_t size_class)
{
    return (uint32_t)((geometry->pool_bytes - geometry->header_bytes) /
                      rh_class_bytes(geometry, size_class));
}

static inline uint32_t
rh_class_tail(const rh_pymalloc_geometry *geometry, uint32_t size_class)
{
    return (uint32_t)((geometry->pool_bytes - geometry->header_bytes) %
                      rh_class_bytes(geometry, size_class));
}

#endif
