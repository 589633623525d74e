/* What is done to a library: scripts of many kinds, each a sequence of operations that follows from
 * a seed. */
#ifndef REHEAP_TESTS_ORACLE_SCRIPTS_H
#define REHEAP_TESTS_ORACLE_SCRIPTS_H

#include "tests/oracle/session.h"

struct script {
    const char *name;
    unsigned operations; /* as the tests run it */
    void (*run)(struct session *session, unsigned operations);
};

/* Ends with a NULL name. */
extern const struct script scripts[];

#endif
