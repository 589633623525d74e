/* tcmalloc (gperftools): MallocExtension's numeric properties. What it holds of the system is the
 * heap's size without what it has given back of it. */
#include <stdio.h>

#include "alloc/introspect.h"

typedef int property_function(const char *name, size_t *value);
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
