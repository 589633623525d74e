/* mimalloc, where it is this process's malloc (the `mimalloc` heap opens a copy of its own). */
#include <stdio.h>

#include "alloc/introspect.h"

typedef void process_info_function(size_t *elapsed_ms, size_t *user_ms, size_t *system_ms,
                                   size_t *resident, size_t *peak_resident, size_t *commit,
                                   size_t *peak_commit, size_t *page_faults);
typedef int version_function(void);

static void
report(void *const symbol[], rh_counters *counters)
{
    size_t unused, commit = 0;
    ((process_info_function *)symbol[0])(&unused, &unused, &unused, &unused, &unused, &commit,
                                         &unused, &unused);
    counters->reported_mapped_bytes = commit;
}

static void
version(void *const symbol[], char *text, size_t capacity)
{
    int number = ((version_function *)symbol[1])(); /* 209 is 2.0.9 */
    snprintf(text, capacity, "%d.%d.%d", number / 100, number / 10 % 10, number % 10);
}

const rh_malloc_kind rh_malloc_kind_mimalloc = {
    .name = "mimalloc",
    .symbol = {"mi_process_info", "mi_version"},
    .report = report,
    .version = version,
};
