/* A text file, line by line: plain or compressed with zstd, by name or from standard input ("-").
 */
#ifndef REHEAP_TRACES_LINES_H
#define REHEAP_TRACES_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define RH_LINE_BYTES_MAX ((size_t)1 << 20)

typedef struct rh_lines rh_lines;

/* RH_BAD_INPUT: there is no such file; RH_SYSTEM: it cannot be read. */
rh_status rh_lines_open(const char *path, rh_lines **lines, rh_error *error);
void rh_lines_close(rh_lines *lines);

/* The next line, without what ends it, valid until the next call; NULL at the end. RH_BAD_INPUT: a
 * line longer than RH_LINE_BYTES_MAX, one with a NUL in it, or damage in the compressed data. */
rh_status rh_lines_next(rh_lines *lines, char **line, rh_error *error);

/* The number of the line returned last, from 1; and bytes of the file read so far. */
uint64_t rh_lines_number(const rh_lines *lines);
uint64_t rh_lines_consumed(const rh_lines *lines);

#endif
