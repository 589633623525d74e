/* Allocators that differ in two settings only, arena and pool: what a heat map is made of.
 *
 * Works on spec strings as text (NAME[@PRESET][,KEY=VALUE]…[+LAYER…], a backslash escapes), since
 * what the values mean is the allocator's affair.
 */
#ifndef REHEAP_ANALYSIS_GRID_H
#define REHEAP_ANALYSIS_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a size key of the allocator itself (not of a layer). False when it is not there or
 * no size. */
bool rh_spec_size_of(const char *spec, const char *key, uint64_t *size);

/* The spec without those keys, newly allocated: equal for all cells of one grid. */
char *rh_spec_without(const char *spec, const char *const *keys, size_t key_count);

/* "BASE,KEY=VALUE" with the setting put where it belongs, before any layer; newly allocated. */
char *rh_spec_with(const char *base, const char *key, const char *value);

#endif
