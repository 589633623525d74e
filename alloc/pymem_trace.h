/* tracemalloc of the process: the three domains traced as CPython's tracemalloc module does it, and
 * what that module tells, as functions. PyTraceMalloc_Track and _Untrack of pymem.h note blocks in
 * the same table.
 *
 * Any thread may call any of these at any time.
 */
#ifndef REHEAP_ALLOC_PYMEM_TRACE_H
#define REHEAP_ALLOC_PYMEM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "alloc/trace_snapshot.h"
#include "alloc/traceback.h"
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Who knows the frames of a calling thread, for tracebacks from the next start on; it stays where
 * it is. NULL, as at first: nobody, and every block comes from "<unknown>", line 0. */
void rh_pymem_trace_set_provider(const rh_frame_provider *provider);
/* A provider for C programs: the return addresses on the stack (native_frames.h). */
const rh_frame_provider *rh_pymem_trace_native_frames(void);

/* Saves the current allocators of the three domains and puts tracing ones around them, which keep
 * at most `frames` frames a traceback; reports of the debug hooks tell where a block came from.
 * Nothing when it traces already. RH_USAGE with CPython's text outside 1 to 65535; RH_SYSTEM when
 * there is no memory. */
rh_status rh_pymem_trace_start(long frames, rh_error *error);
/* Puts the saved allocators back, whatever was hooked above since, and forgets all traces. */
void rh_pymem_trace_stop(void);
bool rh_pymem_trace_is_tracing(void);
/* Of the last start; 1 before the first. */
size_t rh_pymem_trace_frame_limit(void);

/* PYTHONTRACEMALLOC=`value`: starts unless it is NULL, "" or 0. RH_USAGE with the lines that
 * CPython prints when it refuses the value. */
rh_status rh_pymem_trace_configure(const char *value, rh_error *error);

void rh_pymem_trace_clear(void);
void rh_pymem_trace_reset_peak(void);
/* Both 0 while nothing is traced. */
void rh_pymem_trace_get_traced(size_t *traced_bytes, size_t *peak_bytes);
/* Bytes that the tables take. */
size_t rh_pymem_trace_get_memory(void);

/* Where a block was allocated, newest frame first: writes at most `most` frames, sets *total to how
 * many there were; returns how many are known, 0 for an unknown block. Domain 0 is that of all
 * blocks of PyMem_… and PyObject_…. */
size_t rh_pymem_trace_get_traceback(unsigned domain, uintptr_t ptr, rh_frame *frames, size_t most,
                                    size_t *total);
/* A known block of domain 0 is used for something new, which is allocated here. */
void rh_pymem_trace_renew(const void *ptr);

/* All traces at this moment; released with rh_trace_snapshot_release. RH_SYSTEM when there is no
 * memory. */
rh_status rh_pymem_trace_snapshot(rh_trace_snapshot *snapshot, rh_error *error);
/* The figures, and the live blocks by size and by line, as text. */
void rh_pymem_trace_print(FILE *out);

/* For a report on the block at `ptr`: writes `heading` and a line a frame, `  File "x", line 1`,
 * the newest first. False, writing nothing, when the block is not known. */
bool rh_pymem_trace_print_traceback(const void *ptr, const char *heading, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
