/* Scudo (LLVM's hardened allocator): it answers mallinfo2 itself. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>

#include "alloc/introspect.h"

typedef struct mallinfo2 mallinfo_function(void);

static void
report(void *const symbol[], rh_counters *counters)
{
    struct mallinfo2 info = ((mallinfo_function *)symbol[0])();
    counters->reported_allocated_bytes = info.uordblks;
    counters->reported_mapped_bytes = info.hblkhd;
}

const rh_malloc_kind rh_malloc_kind_scudo = {
    .name = "scudo",
    .symbol = {"mallinfo2", "__scudo_print_stats"},
    .report = report,
};
