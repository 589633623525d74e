/* Best fit as one would write it on paper: a list of pieces, searched from end to end for
 * everything. It gives offsets only. */
#ifndef REHEAP_TESTS_MODEL_BESTFIT_TWIN_H
#define REHEAP_TESTS_MODEL_BESTFIT_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bestfit_twin bestfit_twin;

bestfit_twin *twin_open(uint64_t span);
void twin_close(bestfit_twin *twin);

/* Offsets; UINT64_MAX on failure. */
uint64_t twin_malloc(bestfit_twin *twin, uint64_t alignment, uint64_t size);
uint64_t twin_realloc(bestfit_twin *twin, uint64_t offset, uint64_t size);
void twin_free(bestfit_twin *twin, uint64_t offset);
void twin_trim(bestfit_twin *twin);

/* Sums over the pieces. */
uint64_t twin_used_bytes(const bestfit_twin *twin);
uint64_t twin_free_bytes(const bestfit_twin *twin);

#endif
