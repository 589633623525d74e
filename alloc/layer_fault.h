/* The layer `fault`: calls for memory that fail by rule. Its figures are fault_calls, those that
 * count for the rule, and fault_failures. */
#ifndef REHEAP_ALLOC_LAYER_FAULT_H
#define REHEAP_ALLOC_LAYER_FAULT_H

#include "alloc/spec.h"

extern const rh_layer rh_fault_layer;

#endif
