/* The JSON inside a trace: the header's provenance and the totals at the end. Names are those of
 * rh_trace_info; what is unknown is left out, and unknown names are passed over, so that later
 * recorders may say more. */
#ifndef REHEAP_TRACES_TRACE_JSON_H
#define REHEAP_TRACES_TRACE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "traces/trace_info.h"

/* JSON text of the header's or the totals' part of `info`, NUL-terminated, from malloc; NULL when
 * there is no memory. Bytes of a string that are not UTF-8 are replaced by U+FFFD. */
char *rh_trace_json_header(const rh_trace_info *info);
char *rh_trace_json_totals(const rh_trace_info *info);

/* A JSON string of any bytes, likewise; NULL when there is no memory. */
json_t *rh_trace_json_string(const char *text);

/* Reads it back into `info`, which is initialised, over what it held. False, with a phrase in `why`
 * (at least 128 bytes), when it is no JSON object or a member has the wrong type. */
bool rh_trace_json_read_header(const char *text, size_t size, rh_trace_info *info, char *why);
bool rh_trace_json_read_totals(const char *text, size_t size, rh_trace_info *info, char *why);

#endif
