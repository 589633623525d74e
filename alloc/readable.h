/* Memory that may not be there: copied if it can be read, without a fault if it cannot. */
#ifndef REHEAP_ALLOC_READABLE_H
#define REHEAP_ALLOC_READABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Copies `bytes` (up to 4096) from `from` to `to`. False, `to` undefined, when a part of them
 * cannot be read. A call of the system, about a microsecond. */
bool rh_readable_copy(void *to, const void *from, size_t bytes);

#endif
