/* The C library's malloc: mallinfo2, summed over its arenas (the GNU C library's manual,
 * "Statistics for Memory Allocation with malloc"). */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>

#include "alloc/introspect.h"

typedef struct mallinfo2 mallinfo_function(void);
typedef const char *version_function(void);

static void
report(void *const symbol[], rh_counters *counters)
{
    struct mallinfo2 info = ((mallinfo_function *)symbol[0])();
    counters->reported_allocated_bytes = info.uordblks + info.hblkhd;
    counters->reported_mapped_bytes = info.arena + info.hblkhd;
    /* What is free at the end of the heap is no block yet. */
    uint64_t top = info.keepcost < info.fordblks ? info.keepcost : info.fordblks;
    counters->free_block_bytes = info.fordblks - top;
    counters->free_page_bytes = top;
}

static void
version(void *const symbol[], char *text, size_t capacity)
{
    snprintf(text, capacity, "%s", ((version_function *)symbol[1])());
}

static void
trim(void *const symbol[])
{
    (void)symbol;
    malloc_trim(0);
}

enum { SIZE_WORD = 8 }; /* before each block: its size */

const rh_malloc_kind rh_malloc_kind_glibc = {
    .name = "glibc",
    .block_header_bytes = SIZE_WORD,
    .symbol = {"mallinfo2", "gnu_get_libc_version"},
    .report = report,
    .version = version,
    .trim = trim,
};
