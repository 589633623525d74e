/* The real libraries there are to compare with: libpythons whose memory functions work without an
 * interpreter (3.7 to 3.11). */
#ifndef REHEAP_TESTS_ORACLE_PYTHONS_H
#define REHEAP_TESTS_ORACLE_PYTHONS_H

#include <stddef.h>

struct real_library {
    char path[4096];
    char version[8]; /* "3.11": the preset of ours that must behave alike */
};

enum { REAL_LIBRARIES = 8 };

/* Debian's, and those under REHEAP_PYTHONS; says SKIP of what is absent. The count. */
size_t find_real_libraries(struct real_library libraries[REAL_LIBRARIES]);

#endif
