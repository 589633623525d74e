/* What layers have in common: a heap around a heap that passes on whatever it does not change, the
 * way CPython's own hooks wrap an allocator by value. */
#ifndef REHEAP_ALLOC_LAYER_H
#define REHEAP_ALLOC_LAYER_H

#include "alloc/heap.h"

typedef struct rh_layer_heap rh_layer_heap;

/* The context of a wrapped domain. */
typedef struct rh_layer_domain {
    rh_layer_heap *layer;
    PyMemAllocatorDomain domain;
    PyMemAllocatorEx inner;
} rh_layer_domain;

/* The start of every layer's own struct. */
struct rh_layer_heap {
    rh_heap heap;
    rh_heap *inner;
    rh_layer_domain domain[RH_DOMAINS];
    rh_heap_operations operations; /* those of `inner`, passed on; replace the ones that differ */
    void (*domains_changed)(rh_layer_heap *layer); /* for a layer with copies of `inner`'s domains
                                                      beside those in `domain`; else NULL */
};

/* Fills `layer` so that everything passes on to `inner`; the four functions get an rh_layer_domain
 * as their context. Closing the heap closes `inner` and frees `layer`, which came from malloc.
 *
 * An operation that `inner` lacks is NULL in `operations`, too, because that is how callers see
 * what a heap can tell (a usable size, say); a layer that puts its own there must look whether
 * there is one under it. The rh_heap_… functions can be called on `inner` in any case. A layer with
 * figures of its own passes on those of `inner` first. */
void rh_layer_init(rh_layer_heap *layer, rh_heap *inner, const PyMemAllocatorEx *functions);

/* The free of a layer to which it makes no difference. */
void rh_layer_pass_free(void *ctx, void *block);

#endif
