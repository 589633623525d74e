/* An event of a trace, as readers deliver it and replayers consume it.
 *
 * A block of memory has a birth and at most one death. Inside a file blocks carry numbers; a reader
 * turns them into slots: small dense indices, reused after death, so that a replayer keeps its
 * pointers in an array. A realloc keeps its slot.
 */
#ifndef REHEAP_TRACES_EVENT_H
#define REHEAP_TRACES_EVENT_H

#include <stdint.h>

typedef enum rh_operation {
    RH_MALLOC,
    RH_CALLOC,  /* size = count * element */
    RH_REALLOC, /* of a live block: slot stays; of NULL: RH_EVENT_NULL is set and slot is born */
    RH_FREE,    /* RH_EVENT_NULL: free(NULL), no slot */
    RH_ALIGNED, /* alignment given */
    RH_ARENA_ALLOC, /* the recorded allocator got an arena (or did not: RH_EVENT_FAILED); precedes
                       its cause */
    RH_ARENA_FREE,
    RH_MARK,       /* a phase the program announced; text */
    RH_CHECKPOINT, /* the recorded allocator's statistics before the next allocation event; text */
    RH_OPERATIONS
} rh_operation;

enum {
    RH_EVENT_FAILED =
        1 << 0, /* the call returned NULL; nothing was born, a realloc's old block lives on */
    RH_EVENT_NESTED =
        1 << 1,             /* made by an allocator for itself inside another event: not replayed */
    RH_EVENT_NULL = 1 << 2, /* the pointer passed in was NULL */
    RH_EVENT_POOLED = 1 << 3,  /* the block born lies in an arena of the recorded allocator */
    RH_EVENT_FOREIGN = 1 << 4, /* the pointer passed in was born before the recording: no slot */
    RH_EVENT_BRIDGE = 1 << 5 /* not in the file: a lenient reader's malloc or free, which makes good
                                what was lost to damage */
};

#define RH_NO_SLOT UINT32_MAX

/* Where an event was asked: CPython's three domains, by their numbers, and beside them the C
 * library's own functions, in a recording of both. */
enum { RH_DOMAIN_LIBC = 3, RH_EVENT_DOMAINS };

typedef struct rh_event {
    uint8_t operation; /* rh_operation */
    uint8_t domain;    /* PyMemAllocatorDomain or RH_DOMAIN_LIBC; 0 when the trace has none */
    uint8_t flags;
    uint8_t alignment_log2; /* RH_ALIGNED */
    uint32_t slot;          /* of the block born, dying or resized; RH_NO_SLOT when there is none */
    uint64_t size; /* bytes requested; RH_FREE, as read: of the block that dies; arenas: their size;
                      texts: length without the final NUL */
    union {
        uint64_t count;    /* RH_CALLOC: number of elements; may be 0 */
        uint64_t old_size; /* RH_REALLOC of a live block, as read: its size before */
        const char *text;  /* RH_MARK, RH_CHECKPOINT: NUL-terminated, valid until the next batch */
    };
    uint64_t element; /* RH_CALLOC: element size */
    uint64_t address; /* returned (or freed arena's) address; 0 when the trace has no addresses;
                         always there for arenas */
    uint64_t time_ns; /* since the recording began; 0 when the trace has no times */
    uint32_t thread;  /* dense, from 0 in order of appearance */
} rh_event;

/* Folds an address returned by pymalloc (an event with RH_EVENT_POOLED, not nested) into the
 * running hash of a block of events, which starts at 0: what lets a recording without addresses be
 * verified. */
static inline uint64_t
rh_address_hash(uint64_t hash, uint64_t address)
{
    hash = (hash ^ address) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 29);
}

#endif
