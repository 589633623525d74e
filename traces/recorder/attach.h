/* Recording an interpreter: finding CPython's functions in this image, finding out what there is to
 * know about it, and putting the hooks in. What preloads decides when: see python_only.c and
 * malloc_hooks.c. */
#ifndef REHEAP_TRACES_RECORDER_ATTACH_H
#define REHEAP_TRACES_RECORDER_ATTACH_H

#include <stdbool.h>

#include "traces/recorder/channel.h"
#include "traces/recorder/producer.h"

/* Whether this image has CPython's allocator functions. Once it has been relocated. */
bool rh_attach_finds_python(void) RH_HIDDEN;

/* With a producer open, from a constructor: the hooks lie over the interpreter's allocators from
 * here on and the collector has the facts, or the producer is closed with the reason. */
void rh_attach_begin(const rh_session *session, rh_capture capture, int argc,
                     char **argv) RH_HIDDEN;

/* The same in a forked child, if its parent was recorded and children are wanted; else it runs on
 * without hooks. */
void rh_attach_in_child(void) RH_HIDDEN;

/* From a destructor. */
void rh_attach_end(void) RH_HIDDEN;

/* In a process that runs already, and what its main thread waits for if it waits; an rh_late each.
 */
int rh_attach_late(const rh_session *session) RH_HIDDEN;
int rh_attach_late_now(void) RH_HIDDEN;

/* rh_attach_begin has put the hooks in, here or in a parent. */
bool rh_attach_done(void) RH_HIDDEN;

#endif
