/* The layer `delay`: every Nth call for memory takes longer by a known time. A measurement that
 * does not show it is wrong. Its figure is delay_calls, those that were delayed. */
#ifndef REHEAP_ALLOC_LAYER_DELAY_H
#define REHEAP_ALLOC_LAYER_DELAY_H

#include "alloc/spec.h"

extern const rh_layer rh_delay_layer;

#endif
