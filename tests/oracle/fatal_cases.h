/* Errors that the debug hooks end a program for, one after the other: wrong domain, bytes written
 * before and after a block, blocks freed twice. */
#ifndef REHEAP_TESTS_ORACLE_FATAL_CASES_H
#define REHEAP_TESTS_ORACLE_FATAL_CASES_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/oracle/session.h"

enum fatal_kind {
    FATAL_WRONG_DOMAIN, /* given by `domain`, taken by `taker` */
    FATAL_OVERWRITTEN,  /* the byte at `offset` from the block or from its end */
    FATAL_ALL_AFTER,    /* all eight bytes after it */
    FATAL_FREED_TWICE,
    FATAL_FREED_TWICE_APART, /* with other operations of the domain between */
    FATAL_UNDECORATED,       /* of a block that was there before the hooks */
    FATAL_INSIDE,            /* not the start of a block */
    FATAL_ZEROS,             /* no block at all: in the middle of zeros */
};

struct fatal_case {
    enum fatal_kind kind;
    PyMemAllocatorDomain domain, taker;
    size_t size;
    int offset;          /* below 0: before the block; else: after its end */
    unsigned char value; /* written there */
    bool resized;        /* by realloc instead of free */
};

/* Case `index`; false when there are no more. */
bool fatal_case_get(size_t index, struct fatal_case *fatal);

/* Whether what is reported depends on what an allocator left behind in the memory. */
bool fatal_case_has_rubbish(const struct fatal_case *fatal);

void fatal_case_describe(const struct fatal_case *fatal, char *text, size_t capacity);

/* Commits it: should not return. */
void fatal_case_run(const struct fatal_case *fatal, struct session *session);

#endif
