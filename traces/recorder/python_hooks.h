/* The hooks on CPython's three domains and its arena allocator. */
#ifndef REHEAP_TRACES_RECORDER_PYTHON_HOOKS_H
#define REHEAP_TRACES_RECORDER_PYTHON_HOOKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "alloc/pymem.h"
#include "traces/recorder/channel.h"
#include "traces/recorder/producer.h"

/* What the recorder calls in the interpreter; looked up by name, so that one library serves every
 * version. Those that may be missing are NULL then. */
typedef struct rh_python {
    void (*get_allocator)(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator);
    void (*set_allocator)(PyMemAllocatorDomain domain, PyMemAllocatorEx *allocator);
    void (*get_arenas)(PyObjectArenaAllocator *allocator);
    void (*set_arenas)(PyObjectArenaAllocator *allocator);
    const char *(*get_version)(void); /* this and the next are NULL in libpymem.so */
    int (*is_initialized)(void);
    const char *(*allocator_name)(void); /* may be NULL */
    int (*print_statistics)(FILE *out);  /* may be NULL */
    int (*holds_lock)(void);             /* may be NULL */
    void *(*current_interpreter)(void);  /* 3.9 and later */
    int64_t (*interpreter_id)(void *interpreter);
    unsigned minor; /* 3.minor */
} rh_python;

/* Puts the hooks over what is installed. `arena_bytes` tells arenas from the interpreter's other
 * uses of the same allocator. `libc_too`: calls of the C library inside of hooked ones are recorded
 * as nested. `plain_pymalloc`: nothing but pymalloc lies below.
 * `print_statistics_too`: PYTHONMALLOCSTATS asked for the text at each arena, which the interpreter
 * holds back from a hooked allocator. */
void rh_hooks_install(const rh_python *python, rh_timing timing, uint64_t arena_bytes,
                      bool libc_too, bool plain_pymalloc, bool checkpoints,
                      bool print_statistics_too) RH_HIDDEN;

/* Takes the hooks out again wherever nobody has put another over them. Interpreter lock held. */
void rh_hooks_remove(void) RH_HIDDEN;

/* The last checkpoint, when the interpreter has come to its end (up to 3.11). */
void rh_hooks_at_exit(void) RH_HIDDEN;

#endif
