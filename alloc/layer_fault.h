/* The layer `fault`: one call for memory fails. */
#ifndef REHEAP_ALLOC_LAYER_FAULT_H
#define REHEAP_ALLOC_LAYER_FAULT_H

#include "alloc/spec.h"

extern const rh_layer rh_fault_layer;

#endif
