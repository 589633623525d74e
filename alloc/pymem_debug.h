/* The debug hooks of the process: what an embedding program may tell them.
 *
 * PyMem_SetupDebugHooks itself is in pymem.h. These may be called at any time, by one thread while
 * no other allocates. */
#ifndef REHEAP_ALLOC_PYMEM_DEBUG_H
#define REHEAP_ALLOC_PYMEM_DEBUG_H

#include <stdbool.h>
#include <stdio.h>

#include "alloc/debug_hooks.h"
#include "alloc/pymem.h"

/* The lock rule of MEM and OBJ: `may_call` says whether the calling thread holds what it has to
 * hold. Where it does not, the hooks print `message` and end the process. NULL for `may_call`:
 * every thread may, as before an interpreter is initialised. NULL for `message`: the words of an
 * interpreter with one lock; rh_pymem_no_thread_state are those of one without. */
void rh_pymem_set_lock_check(bool (*may_call)(void *ctx), void *ctx, const char *message);
extern const char rh_pymem_no_thread_state[];

/* Who prints where a block was allocated; see rh_debug_settings. NULL: nobody traces. */
void rh_pymem_set_traceback(rh_debug_traced (*print)(void *ctx, const void *p, const char *heading,
                                                     FILE *out),
                            void *ctx);

/* What a report says of the interpreter: "unknown" (NULL), "initialized", … */
void rh_pymem_set_runtime_state(const char *(*state)(void *ctx), void *ctx);

/* Ends the process the way a report of the debug hooks does, for what else CPython dies of. */
_Noreturn void rh_pymem_fatal(const char *function, const char *message);

/* Whether the hooks are those of a build without an interpreter lock (rh_debug_settings). */
void rh_pymem_set_free_threaded_hooks(bool free_threaded);

/* The allocator that debug hooks of the process lie over; NULL when `allocator` is none of them. */
const PyMemAllocatorEx *rh_pymem_under_debug_hooks(const PyMemAllocatorEx *allocator);

/* Prints statistics of the allocator below the hooks, with the number of calls where CPython 3.7
 * has it; see rh_debug_print_numbered. */
bool rh_pymem_print_numbered(bool (*print)(void *ctx, FILE *out), void *ctx, FILE *out);

#endif
