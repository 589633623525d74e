/* For programs that `reheap record` records: announces a phase.
 *
 *     #include "reheap_mark.h"
 *     ...
 *     reheap_mark("loading");
 *
 * puts a mark into the recording, at this place among the calls of the calling thread; figures and
 * `reheap info` show phases. Where nothing records, it does nothing and costs a test: the function
 * is in the recorder's library, and this is a weak reference to it. So there is nothing to link
 * with, and this header can be copied into any project, C11 or C++11 and later.
 *
 * The text is taken as it is, up to 4,000 bytes.
 */
#ifndef REHEAP_MARK_H
#define REHEAP_MARK_H

#ifdef __cplusplus
extern "C" {
#endif

/* Through the global offset table: else an executable at a fixed address would have 0 in its place
 * for good. */
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((noplt))
#endif
__attribute__((weak)) void
reheap_mark(const char *phase);

#ifdef __cplusplus
}
#endif

#define reheap_mark(phase) (reheap_mark ? reheap_mark(phase) : (void)0)

#endif
