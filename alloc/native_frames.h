/* Tracebacks of a C program: the return addresses on its stack.
 *
 * A place is an address; as text it is "PROGRAM(function+0x1a)", or "PROGRAM(+0x1a2b)" where the
 * function has no exported name (addr2line -e PROGRAM 0x1a2b then tells file and line). Lines are
 * 0. What the memory functions themselves have on the stack is left out.
 */
#ifndef REHEAP_ALLOC_NATIVE_FRAMES_H
#define REHEAP_ALLOC_NATIVE_FRAMES_H

#include "alloc/traceback.h"

/* A stack deeper than this is not followed to its end. */
#define RH_NATIVE_FRAMES_MOST 256

const rh_frame_provider *rh_native_frames(void);

#endif
