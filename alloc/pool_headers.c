#define _GNU_SOURCE
#include "alloc/pool_headers.h"

#include <sys/mman.h>

#define STEP_BYTES ((size_t)64 << 10) /* made usable at a time */
#define GAP_BYTES  ((size_t)1 << 20)  /* at most */

void
rh_pool_headers_init(rh_pool_headers *headers, uintptr_t base, size_t bytes, unsigned pool_shift)
{
    *headers = (rh_pool_headers){.pool_shift = pool_shift};
    size_t wanted = (bytes >> pool_shift) * sizeof(rh_side_pool);
    wanted = (wanted + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    if (wanted == 0)
        return;
    void *array = mmap(NULL, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (array == MAP_FAILED)
        return;
    headers->first = array;
    headers->reserved_bytes = wanted;
    headers->window_base = base;
    headers->window_bytes = bytes;
}

void
rh_pool_headers_release(rh_pool_headers *headers)
{
    if (headers->first)
        munmap(headers->first, headers->reserved_bytes);
    *headers = (rh_pool_headers){.first = NULL};
}

rh_side_pool *
rh_pool_headers_of(rh_pool_headers *headers, uintptr_t address, size_t count)
{
    size_t first = (address - headers->window_base) >> headers->pool_shift;
    size_t from = first * sizeof(rh_side_pool) / STEP_BYTES * STEP_BYTES;
    size_t to = (first + count) * sizeof(rh_side_pool);
    to = (to + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    if (headers->made_bytes == 0)
        headers->made_from = from;
    size_t end = headers->made_from + headers->made_bytes;
    from = from < headers->made_from ? from : headers->made_from;
    to = to > end ? to : end;
    if (to - from > headers->made_bytes) {
        if (to > headers->reserved_bytes || to - from > headers->made_bytes + GAP_BYTES ||
            mprotect((char *)headers->first + from, to - from, PROT_READ | PROT_WRITE) != 0)
            return NULL;
        headers->made_from = from;
        headers->made_bytes = to - from;
    }
    return headers->first + first;
}
