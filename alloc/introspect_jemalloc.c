/* jemalloc: mallctl (its manual page). Statistics are a copy of the moment when "epoch" was last
 * written; "metadata" is counted apart from "allocated", and "mapped" holds both. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "alloc/introspect.h"

typedef int mallctl_function(const char *name, void *old, size_t *old_size, void *new,
                             size_t new_size);

static uint64_t
read_size(mallctl_function *mallctl, const char *name)
{
    size_t value, length = sizeof value;
    return mallctl(name, &value, &length, NULL, 0) == 0 ? value : RH_UNKNOWN;
}

static void
report(void *const symbol[], rh_counters *counters)
{
    mallctl_function *mallctl = (mallctl_function *)symbol[0];
    uint64_t epoch = 1;
    mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    counters->reported_allocated_bytes = read_size(mallctl, "stats.allocated");
    counters->reported_mapped_bytes = read_size(mallctl, "stats.mapped");
    counters->reported_metadata_bytes = read_size(mallctl, "stats.metadata");
}

static void
version(void *const symbol[], char *text, size_t capacity)
{
    mallctl_function *mallctl = (mallctl_function *)symbol[0];
    const char *name = NULL;
    size_t length = sizeof name;
    if (mallctl("version", &name, &length, NULL, 0) != 0 || !name)
        return;
    int shown = 0; /* "5.3.0-0-g54eaed1d8b": what follows the dash names the commit */
    while (name[shown] && name[shown] != '-')
        shown++;
    snprintf(text, capacity, "%.*s", shown, name);
}

static void
trim(void *const symbol[])
{
    /* 4096 stands for "all arenas" (MALLCTL_ARENAS_ALL). */
    ((mallctl_function *)symbol[0])("arena.4096.purge", NULL, NULL, NULL, 0);
}

const rh_malloc_kind rh_malloc_kind_jemalloc = {
    .name = "jemalloc",
    .symbol = {"mallctl"},
    .report = report,
    .version = version,
    .trim = trim,
};
