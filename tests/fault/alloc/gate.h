/* Makes the Nth request for memory of this process fail: malloc and its kin, and mmap, whoever
 * calls them. Linked into a test, it takes the place of the C library's. */
#ifndef REHEAP_TESTS_FAULT_ALLOC_GATE_H
#define REHEAP_TESTS_FAULT_ALLOC_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What goes through the gate while it is armed. */
enum gate_requests { GATE_MALLOC = 1, GATE_MMAP = 2, GATE_ALL = GATE_MALLOC | GATE_MMAP };

/* From now on the `nth` request (from 1) of these kinds fails, and with `lasting` all after it. 0:
 * none. */
void gate_arm(enum gate_requests kinds, uint64_t nth, bool lasting);

/* Everything succeeds again. Whether a request failed since gate_arm. */
bool gate_disarm(void);

/* What the process holds by these calls. */
struct gate_account {
    int64_t blocks;       /* of malloc */
    int64_t mapped_bytes; /* of mmap */
};

struct gate_account gate_account(void);

#endif
