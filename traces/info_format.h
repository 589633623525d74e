/* Small things that the parts of `reheap info` print with. */
#ifndef REHEAP_TRACES_INFO_FORMAT_H
#define REHEAP_TRACES_INFO_FORMAT_H

#include <jansson.h>
#include <stdint.h>

/* 0 when there is no whole. */
double rh_info_percent(uint64_t part, uint64_t whole);

/* As many # as 30 times the share, a percentage. */
const char *rh_info_bar(double share);

/* null for RH_TOTAL_UNKNOWN. */
void rh_info_set_count(json_t *object, const char *name, uint64_t count);

#endif
