/* The debug hooks under random operations, beside a naive idea of what every byte has to be.
 *
 * Below the hooks is an allocator that looks at each block it gets back: freed ones are dead from
 * end to end, those to be resized are dead where the specification says so and whole elsewhere. It
 * refuses some requests and moves every block. Above, a model knows the content of each live block
 * and checks, byte for byte, what stands around and in it. */
#ifndef REHEAP_TESTS_MODEL_DEBUG_MODEL_H
#define REHEAP_TESTS_MODEL_DEBUG_MODEL_H

#include <stdint.h>

#include "alloc/debug_hooks.h"

/* What the hooks are made to look like they got wrong: a byte is changed after a call. */
typedef enum debug_sabotage {
    DEBUG_BREAKS_NOTHING,
    DEBUG_BREAKS_LETTER,          /* a block gets the letter of another domain */
    DEBUG_BREAKS_SIZE,            /* the size is one more */
    DEBUG_BREAKS_LEADING_PAD,     /* its last byte is not written */
    DEBUG_BREAKS_TRAILING_PAD,    /* its last byte is not written */
    DEBUG_BREAKS_CLEAN,           /* the last byte of a new block is not filled */
    DEBUG_BREAKS_CLEAN_GROWN,     /* nor is the last byte of what realloc adds */
    DEBUG_BREAKS_RESTORE_START,   /* after a failed realloc a byte of the first window stays dead */
    DEBUG_BREAKS_RESTORE_END,     /* and one of the last window */
    DEBUG_BREAKS_RESTORE_CLIPPED, /* after a shrinking realloc, the last byte kept */
    DEBUG_BREAKS_SERIAL,          /* realloc does not take a new number */
    DEBUG_BREAKS_DEAD_TRAILER,    /* free leaves the end of the trailer */
    DEBUG_BREAKS_DEAD_WINDOW,     /* realloc leaves a byte of the last window */
    DEBUG_SABOTAGES
} debug_sabotage;

/* Plays `calls` random calls; odd seeds have serial numbers, and two of four the older bytes. NULL
 * when everything was right, else what was not. */
const char *debug_model_run(uint64_t seed, unsigned calls, debug_sabotage sabotage);

#endif
