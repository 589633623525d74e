/* What the kernel says of this process's memory: the measure for allocators that cannot tell
 * themselves. Neither function allocates. */
#ifndef REHEAP_REPLAY_SELF_MAPS_H
#define REHEAP_REPLAY_SELF_MAPS_H

#include <stdint.h>

/* Bytes of writable private memory that no file stands behind (/proc/self/maps). Left out are the
 * stack and the data of programs and libraries: mappings of files, and those that continue one
 * without a gap, where a library's zeroed data lies. RH_UNKNOWN when it cannot be read. */
uint64_t rh_self_mapped_bytes(void);

/* Resident bytes that are not shared with a file or another process (/proc/self/statm); RH_UNKNOWN
 * when it cannot be read. */
uint64_t rh_self_resident_bytes(void);

/* Resident bytes of this process that lie in huge pages (/proc/self/smaps_rollup); RH_UNKNOWN when
 * it cannot be read. The kernel walks all pages for it: not for every call. */
uint64_t rh_self_huge_bytes(void);

/* rh_self_mapped_bytes out of the text of a maps file, for tests. `text` need not end with NUL. */
uint64_t rh_self_maps_sum(const char *text, uint64_t bytes);

#endif
