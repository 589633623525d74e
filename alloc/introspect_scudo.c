/* Scudo (LLVM's hardened allocator): it answers mallinfo2 itself. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "alloc/introspect.h"

typedef struct mallinfo2 mallinfo_function(void);

static void
report(void *const symbol[], rh_counters *counters)
{
    struct mallinfo2 info = ((mallinfo_function *)symbol[0])();
    counters->reported_allocated_bytes = info.uordblks;
    counters->reported_mapped_bytes = info.hblkhd;
    counters->free_block_bytes = info.fsmblks;
}

/* It does not tell; but it comes with clang, in a folder called after clang's version. */
static void
version(void *const symbol[], char *text, size_t capacity)
{
    Dl_info info;
    if (!dladdr(symbol[1], &info))
        return;
    const char *folder = strstr(info.dli_fname, "/clang/");
    if (!folder)
        return;
    folder += strlen("/clang/");
    snprintf(text, capacity, "LLVM %.*s", (int)strcspn(folder, "/"), folder);
}

enum { CHUNK_HEADER = 16 }; /* before each block; 8 bytes of it are used */

const rh_malloc_kind rh_malloc_kind_scudo = {
    .name = "scudo",
    .block_header_bytes = CHUNK_HEADER,
    .symbol = {"mallinfo2", "__scudo_print_stats"},
    .report = report,
    .version = version,
};
