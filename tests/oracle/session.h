/* A library driven step by step, with a line for each step that says all that can be observed:
 * where the block lies, what is in it and around it, which hooks were called with what, which
 * arenas came and went, and the statistics.
 *
 * Nothing printed depends on the library but through what it did, so two libraries that behave
 * alike give the same text. Blocks outside arenas are with the C library, whose addresses are
 * nobody's promise: of them it is only said that they are "raw".
 */
#ifndef REHEAP_TESTS_ORACLE_SESSION_H
#define REHEAP_TESTS_ORACLE_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/random.h"
#include "tests/oracle/arena_hand.h"
#include "tests/oracle/python_api.h"

enum { SESSION_BLOCKS = 60000, SESSION_HOOKS = 4 };

struct live_block {
    unsigned char *address;
    size_t size;
    PyMemAllocatorDomain domain;
};

/* What stands between the public functions and an allocator, and tells what passes. */
struct hook {
    FILE *out;
    const char *domain;
    unsigned depth;
    PyMemAllocatorEx below;
    unsigned refuse_every; /* each so-manieth request yields NULL without reaching it; 0: none */
    unsigned requests;
};

struct session {
    struct python_api api;
    FILE *out;
    rh_random random;
    uint64_t step;
    struct arena_hand hand[2];
    struct hook hook[3][SESSION_HOOKS];
    unsigned hooks[3];
    bool decorated;      /* the blocks have the debug hooks' bytes around them */
    bool serial_numbers; /* and, with a 3.7, the number of the call that made them */
    size_t live_count;
    struct live_block live[SESSION_BLOCKS];
};

/* Opens the library and puts the first hand under its arenas. REHEAP_PYTHON_VERSION says which
 * version it is, or is to be. */
bool session_open(struct session *session, const char *library, uint64_t seed);

/* A line, numbered. */
void session_say(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Each makes one call of the public function and a line. What is given is remembered, and filled
 * with a pattern. */
void session_malloc(struct session *session, PyMemAllocatorDomain domain, size_t size);
void session_calloc(struct session *session, PyMemAllocatorDomain domain, size_t count,
                    size_t size);
void session_realloc_null(struct session *session, PyMemAllocatorDomain domain, size_t size);
void session_free_null(struct session *session, PyMemAllocatorDomain domain);
/* Of the live block at a place in `live`. */
void session_realloc(struct session *session, size_t at, size_t size);
void session_free(struct session *session, size_t at);
void session_free_all(struct session *session);

void session_stats(struct session *session);

/* Puts a hook over what the domain has now, and takes the newest away. */
void session_hook(struct session *session, PyMemAllocatorDomain domain, unsigned refuse_every);
void session_unhook(struct session *session, PyMemAllocatorDomain domain);

/* Says how the domains' current allocators relate to each other, without addresses. */
void session_compare_allocators(struct session *session);

#endif
