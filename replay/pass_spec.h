/* The spec that a pass opens for the spec that a user gave. */
#ifndef REHEAP_REPLAY_PASS_SPEC_H
#define REHEAP_REPLAY_PASS_SPEC_H

#include "alloc/spec.h"
#include "replay/channel.h"

/* Copies `text`, the spelling of the parsed `spec`; for a pymalloc without large=, memory passes
 * add large=space (deterministic, counted to the byte) and time passes large=libc (what CPython
 * calls; a virtual heap, which can have nothing else, keeps its space). The result is from malloc.
 */
char *rh_pass_spec(const char *text, const rh_spec *spec, rh_pass pass);

/* Whether the C library gives some of the heap's blocks, so that memory cannot be accounted for. */
bool rh_spec_is_shared(const rh_spec *spec);

/* Whether another run of the same operations would measure the same memory. */
bool rh_spec_repeats(const rh_spec *spec);

/* Whether the heap's addresses are mere numbers, which nobody may touch. */
bool rh_spec_is_unbacked(const rh_spec *spec);

#endif
