/* Sizes, counts and times as people write and read them. */
#ifndef REHEAP_BASE_SIZE_H
#define REHEAP_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a decimal number with an optional binary suffix K, M, G or T (either case) that ends
 * exactly at the end of `text`. Returns false, leaving *value alone, on anything else and on
 * overflow of 64 bits. */
bool rh_size_parse(const char *text, uint64_t *value);

/* The same for what is no size but a number of things (events, blocks, runs): K is a thousand, M a
 * million. */
bool rh_count_parse(const char *text, uint64_t *value);

/* The shortest exact spelling that rh_size_parse reads back: "1M", "1536", "3K". Returns `buffer`.
 */
char *rh_size_exact(uint64_t bytes, char *buffer, size_t capacity);

/* For reading: three significant digits and a binary unit: "999 B", "1.50 MiB". Returns `buffer`.
 */
char *rh_size_human(uint64_t bytes, char *buffer, size_t capacity);

/* Digits in groups of three with commas: "1,048,576". Returns `buffer`. */
char *rh_count_grouped(uint64_t count, char *buffer, size_t capacity);

/* Reads a time: a decimal number, a fraction allowed, with one of the units us, ms, s, m (minutes)
 * and h: "1.5s", "20ms", "10m". False, leaving *ns alone, on anything else and above 10^18 ns. */
bool rh_time_parse(const char *text, uint64_t *ns);

/* For reading: three significant digits and a unit: "999 ns", "1.50 µs", "20.0 ms", "600 s".
 * Returns `buffer`. */
char *rh_time_human(uint64_t ns, char *buffer, size_t capacity);

#define RH_SIZE_TEXT 32 /* room enough for any of the above */

#endif
