/* What the figures say, in sentences made from the numbers. */
#ifndef REHEAP_ANALYSIS_STORY_H
#define REHEAP_ANALYSIS_STORY_H

#include <stddef.h>

#include "analysis/summary.h"

/* Who holds how much at the peak: the program's wish, the baseline, the least and the most. Empty
 * when the results do not tell. Returns `text`. */
char *rh_story_memory(const rh_workload *workload, const rh_subject *baseline, char *text,
                      size_t capacity);

/* How long a call takes: the baseline, the fastest and the slowest, and whether the real CPython
 * allocator (`cpython`), where it ran, can be told from the baseline. */
char *rh_story_speed(const rh_workload *workload, const rh_subject *baseline, char *text,
                     size_t capacity);

#endif
