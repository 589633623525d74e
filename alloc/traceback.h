/* Where a block was allocated: frames, newest first, each list kept once.
 *
 * A program asks for memory from few places, again and again; so a traceback is stored when it is
 * first seen, and a trace holds its number. A traceback stays until all are forgotten.
 *
 * What a frame is, the program decides: a place (the name of a source file, a return address) and a
 * line. A provider gives the frames of the calling thread and can turn a place into text.
 */
#ifndef REHEAP_ALLOC_TRACEBACK_H
#define REHEAP_ALLOC_TRACEBACK_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/side_memory.h"

typedef struct rh_frame {
    uintptr_t place; /* the provider's; 0: unknown */
    uint64_t line;   /* 0: none */
} rh_frame;

typedef struct rh_frame_provider {
    void *ctx;
    /* Writes the calling thread's frames, newest first, at most `most`; returns how many there are
     * in all, 0 when none is known. It is called in the middle of an allocation, by any thread.
     * What it allocates itself is not traced. `caller` is where the traced call returns to: what
     * lies above it on a C stack is the tracer's own. */
    size_t (*frames)(void *ctx, const void *caller, rh_frame *frames, size_t most);
    /* Writes the text of a place. NULL: places are terminated strings that live as long as the
     * traces do. */
    void (*name)(void *ctx, uintptr_t place, char *text, size_t capacity);
} rh_frame_provider;

#define RH_FRAMES_MOST       65535
#define RH_TRACEBACK_UNKNOWN 1 /* the one frame "<unknown>", line 0: nobody can tell */

typedef struct rh_traceback {
    uint32_t count; /* of the frames kept */
    uint32_t total; /* of all that there were; RH_FRAMES_MOST may be more */
    const rh_frame *frames;
} rh_traceback;

/* All zero is the empty set. */
typedef struct rh_tracebacks {
    rh_side_memory records, slots;
    uint32_t next;  /* the number of the next record */
    uint32_t count; /* records */
} rh_tracebacks;

void rh_tracebacks_release(rh_tracebacks *tracebacks);

/* The number of a traceback of `count` frames (1 to RH_FRAMES_MOST) out of `total`; 0 when there is
 * no memory. */
uint32_t rh_tracebacks_intern(rh_tracebacks *tracebacks, const rh_frame *frames, size_t count,
                              size_t total);

/* `number` came from intern, or is RH_TRACEBACK_UNKNOWN. The frames stay where they are until the
 * next intern. */
rh_traceback rh_tracebacks_get(const rh_tracebacks *tracebacks, uint32_t number);

/* Makes `copy` (empty) hold the same numbers; false when there is no memory. */
bool rh_tracebacks_copy(rh_tracebacks *copy, const rh_tracebacks *tracebacks);

size_t rh_tracebacks_bytes(const rh_tracebacks *tracebacks);

/* Writes the text of a frame's place; "<unknown>" for the unknown one. Returns `text`. `provider`
 * may be NULL: then no place has a text. */
char *rh_frame_name(const rh_frame_provider *provider, const rh_frame *frame, char *text,
                    size_t capacity);

#endif
