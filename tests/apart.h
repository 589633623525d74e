/* Parts of a test that need an untouched process: each runs in a child of its own. */
#ifndef REHEAP_TESTS_APART_H
#define REHEAP_TESTS_APART_H

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka.h comes before this header, with what it needs. */

/* The part succeeds if it returns 0. */
static inline void
apart(int (*part)(const void *), const void *argument)
{
    fflush(NULL);
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0)
        _exit(part(argument));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* In a part: it fails unless that is so. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#endif
