/* The allocator `plugin`: anybody's, out of a shared library that exports the table of
 * alloc/reheap_plugin.h. */
#ifndef REHEAP_ALLOC_PLUGIN_H
#define REHEAP_ALLOC_PLUGIN_H

#include <stdbool.h>

#include "alloc/reheap_plugin.h"
#include "alloc/spec.h"

extern const rh_allocator rh_plugin_allocator;

/* The table of the plug-in behind a heap; NULL for a heap of another allocator, or under layers. It
 * is whole: members that the plug-in's own copy of the header lacks are NULL. */
const reheap_plugin_table *rh_plugin_table_of(const rh_heap *heap);

#endif
