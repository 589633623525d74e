/* The parts of the waterfall as figures show them: from what the program asked for to what is
 * furthest from it. They sum to what is held. */
#ifndef REHEAP_ANALYSIS_WATERFALL_PARTS_H
#define REHEAP_ANALYSIS_WATERFALL_PARTS_H

#include "replay/results.h"

enum { RH_WATERFALL_PARTS = 11 };

typedef struct rh_waterfall_part {
    const char *metric, *legend;
    const char *colour; /* of its area */
    const char *ink;    /* of a number upon it */
} rh_waterfall_part;

extern const rh_waterfall_part rh_waterfall_parts[RH_WATERFALL_PARTS];

/* A part at a sample, in bytes; NAN where it is not known. */
double rh_waterfall_at(const rh_sample *sample, size_t part);

#endif
