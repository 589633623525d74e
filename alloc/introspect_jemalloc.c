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

/* Like RH_UNKNOWN in a counter: what one part of a sum does not tell, the sum does not. */
static uint64_t
sum(uint64_t a, uint64_t b)
{
    return a == RH_UNKNOWN || b == RH_UNKNOWN ? RH_UNKNOWN : a + b;
}

/* Pages of all its arenas (4096 stands for those) in a state, as bytes. */
static uint64_t
read_pages(mallctl_function *mallctl, const char *name)
{
    uint64_t pages = read_size(mallctl, name), page = read_size(mallctl, "arenas.page");
    return pages == RH_UNKNOWN || page == RH_UNKNOWN ? RH_UNKNOWN : pages * page;
}

/* What it holds beside blocks: free ones in slabs, and in caches of threads, which it counts as
 * allocated; pages that are free, and not or half given back; addresses that it keeps, whose memory
 * was given back. */
static void
report_parts(mallctl_function *mallctl, rh_counters *counters)
{
    uint64_t active = read_size(mallctl, "stats.active");
    uint64_t allocated = counters->reported_allocated_bytes;
    uint64_t in_slabs =
        active != RH_UNKNOWN && allocated <= active ? active - allocated : RH_UNKNOWN;
    counters->free_block_bytes =
        sum(in_slabs, read_size(mallctl, "stats.arenas.4096.tcache_bytes"));
    counters->free_page_bytes = sum(read_pages(mallctl, "stats.arenas.4096.pdirty"),
                                    read_pages(mallctl, "stats.arenas.4096.pmuzzy"));
    counters->free_arena_bytes = read_size(mallctl, "stats.retained");
    counters->metadata_bytes = counters->reported_metadata_bytes;
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
    report_parts(mallctl, counters);
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
