/* An allocation profile, as fleets of servers publish them: a text of lines `SIZE, RATE, LIVE`:
 * blocks of SIZE bytes are allocated so often, and so many of them are alive at any time. Only the
 * ratios count. Nothing is said of the order in time. (The form of google/fleetbench's profiles.)
 */
#ifndef REHEAP_TRACES_GENERATE_PROFILE_H
#define REHEAP_TRACES_GENERATE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct rh_profile_size {
    uint64_t size; /* bytes */
    double rate;   /* allocations, in the profile's unit; 0 or more, as is: */
    double live;   /* blocks */
} rh_profile_size;

typedef struct rh_profile {
    rh_profile_size *sizes; /* in the order of the file */
    size_t count;
    double rate, live, live_bytes; /* sums, each above 0 */
} rh_profile;

/* Empty lines, and lines that begin with #, are passed over. "-" is standard input; zstd is
 * unpacked. RH_BAD_INPUT names the file, the line and the reason. */
rh_status rh_profile_read(const char *path, rh_profile *profile, rh_error *error);
void rh_profile_release(rh_profile *profile);

#endif
