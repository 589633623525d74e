/* A heap for tests: writes down every call it gets, fails when told, and holds exactly the blocks
 * in use, each rounded up to 16 bytes, and LEDGER_METADATA bytes more. */
#ifndef REHEAP_TESTS_UNIT_REPLAY_LEDGER_HEAP_H
#define REHEAP_TESTS_UNIT_REPLAY_LEDGER_HEAP_H

#include "alloc/heap.h"

enum { LEDGER_CALLS = 256, LEDGER_METADATA = 1000, LEDGER_ALIGNMENT = 16 };

typedef struct ledger_call {
    char operation; /* m c r f a */
    int domain;
    size_t size;  /* malloc, realloc, aligned: bytes; calloc: element size */
    size_t extra; /* calloc: count; aligned: alignment */
    void *in, *out;
} ledger_call;

typedef struct ledger_heap {
    rh_heap heap;
    ledger_call call[LEDGER_CALLS];
    size_t calls;
    size_t fail_at; /* this call (from 1) returns NULL; 0: none */
    uint64_t mapped_bytes, block_bytes;
    void *live[LEDGER_CALLS]; /* NULL: none */
    struct ledger_domain {
        struct ledger_heap *ledger;
        int domain;
    } domain[RH_DOMAINS];
} ledger_heap;

void ledger_open(ledger_heap *ledger);
void ledger_close(ledger_heap *ledger); /* gives back what is live */

#endif
