/* Which program this is, for the provenance of what it measures: version, build, compiler. */
#ifndef REHEAP_BASE_PROGRAM_BUILD_H
#define REHEAP_BASE_PROGRAM_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#define RH_PROGRAM_VERSION "0.1"

enum { RH_PROGRAM_BUILD_TEXT = 33 };

/* A hash of the executable, 32 hexadecimal digits: two programs with the same one are the same to
 * the byte. "unknown" when it cannot be read. Returns `text`. */
char *rh_program_build(char text[RH_PROGRAM_BUILD_TEXT]);

/* What compiled it: "gcc 12.2.0". */
const char *rh_program_compiler(void);

/* Whether assertions are checked, which costs time: in all builds but those of --config=release. */
bool rh_program_is_checked(void);

#endif
