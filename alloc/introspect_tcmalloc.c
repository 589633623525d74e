/* tcmalloc (gperftools): MallocExtension's numeric properties. What it holds of the system is the
 * heap's size without what it has given back of it. */
#include <stdio.h>

#include "alloc/introspect.h"

typedef int property_function(const char *name, size_t *value);

/* A property; 0 where this version has none of that name. */
static size_t
read(property_function *property, const char *name)
{
    size_t value = 0;
    return property(name, &value) ? value : 0;
}
typedef const char *version_function(int *major, int *minor, const char **patch);

static void
report(void *const symbol[], rh_counters *counters)
{
    property_function *property = (property_function *)symbol[0];
    size_t value, unmapped;
    if (property("generic.current_allocated_bytes", &value))
        counters->reported_allocated_bytes = value;
    if (property("generic.heap_size", &value) &&
        property("tcmalloc.pageheap_unmapped_bytes", &unmapped))
        counters->reported_mapped_bytes = value - unmapped;
    counters->free_block_bytes = read(property, "tcmalloc.central_cache_free_bytes") +
                                 read(property, "tcmalloc.transfer_cache_free_bytes") +
                                 read(property, "tcmalloc.thread_cache_free_bytes");
    counters->free_page_bytes = read(property, "tcmalloc.pageheap_free_bytes");
    counters->free_arena_bytes = read(property, "tcmalloc.pageheap_unmapped_bytes");
    /* The physical memory is that of the heap and of its tables. */
    size_t physical = read(property, "generic.total_physical_bytes");
    size_t of_heap = counters->reported_mapped_bytes;
    if (physical > of_heap) /* not when that is unknown */
        counters->metadata_bytes = counters->reported_metadata_bytes = physical - of_heap;
}

static void
version(void *const symbol[], char *text, size_t capacity)
{
    snprintf(text, capacity, "%s", ((version_function *)symbol[1])(NULL, NULL, NULL));
    if (text[0] == 'g') { /* "gperftools 2.10" */
        int major, minor;
        const char *patch;
        ((version_function *)symbol[1])(&major, &minor, &patch);
        snprintf(text, capacity, "%d.%d%s", major, minor, patch);
    }
}

const rh_malloc_kind rh_malloc_kind_tcmalloc = {
    .name = "tcmalloc",
    .symbol = {"MallocExtension_GetNumericProperty", "tc_version"},
    .report = report,
    .version = version,
};
