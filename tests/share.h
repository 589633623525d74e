/* How much of a test with thousands of alike cases runs: every one, or under the sanitizers, which
 * take ten times as long for each, one in so many. */
#ifndef REHEAP_TESTS_SHARE_H
#define REHEAP_TESTS_SHARE_H

#include <stdlib.h>

/* One case in so many: REHEAP_TEST_SHARE (.bazelrc sets it for the sanitizers), else 1. */
static inline unsigned
test_share(void)
{
    const char *text = getenv("REHEAP_TEST_SHARE");
    long share = text ? strtol(text, NULL, 10) : 1;
    return share > 0 && share < 1000 ? (unsigned)share : 1;
}

#endif
