/* C++'s new and delete, where the allocator below serves them by itself, as jemalloc, tcmalloc,
 * mimalloc and others do: they do not come by malloc then, and would not be recorded. */
#ifndef REHEAP_TRACES_RECORDER_NEW_HOOKS_H
#define REHEAP_TRACES_RECORDER_NEW_HOOKS_H

#include "traces/recorder/producer.h"

/* Has the program's objects call ours, where that is so. `where` is for dlsym, and knows what is
 * called without us; `function` is one of the allocator's own. The calling thread has recorded
 * nothing yet. It allocates and frees a little, unrecorded, to see which operators do come by
 * malloc. */
void rh_new_hooks_begin(void *where, const void *function) RH_HIDDEN;

#endif
