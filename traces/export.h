/* Exporting: a trace in the form of others, or as text. */
#ifndef REHEAP_TRACES_EXPORT_H
#define REHEAP_TRACES_EXPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "traces/reader.h"

typedef struct rh_export_report {
    uint64_t lines;
    uint64_t left_out; /* events for which the format has no words */
} rh_export_report;

typedef struct rh_exporter {
    const char *name;
    const char *summary;
    /* Reads to the end of the trace `path`. RH_SYSTEM when there is no memory or `out` takes no
     * more. */
    rh_status (*run)(rh_reader *reader, const char *path, FILE *out, rh_export_report *report,
                     rh_error *error);
} rh_exporter;

/* All of them, NULL at the end. */
extern const rh_exporter *const rh_exporters[];

#endif
