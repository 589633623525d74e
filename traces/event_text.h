/* A trace as text, for people and other programs to read and write: `reheap export --to text`, and
 * back with `reheap import --from text`.
 *
 *   reheap-text 1
 *   header {"command":"git log","capture":"malloc",...}
 *   malloc 100 #0
 *   t1 calloc 4 25 #1
 *   realloc 300 #0
 *   free #1
 *   end {"exit_status":0,...}
 *
 * An event is a line: @TIME in nanoseconds where the trace has times, tN for a thread other than
 * t0, raw, mem or obj where it has domains, the operation, its numbers, the block as #SLOT, an
 * address, flags. A slot belongs to one block from its birth to its death. Empty lines and lines
 * that begin with # are passed over. docs/trace-format.md has it all.
 */
#ifndef REHEAP_TRACES_EVENT_TEXT_H
#define REHEAP_TRACES_EVENT_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "traces/event.h"
#include "traces/trace_info.h"

#define RH_EVENT_TEXT_FIRST "reheap-text 1"

/* Prints the event's line. False: no memory. */
bool rh_event_text_print(const rh_trace_info *info, const rh_event *event, FILE *out);

/* Reads a line into *event; `text` of a mark or checkpoint comes from malloc and is the caller's.
 * NULL, or what is wrong with it. `line` is changed. */
const char *rh_event_text_read(const rh_trace_info *info, char *line, rh_event *event, char **text);

#endif
