/* The shared memory between a recorded program and the collector.
 *
 * The collector creates a session, a small shared mapping that the environment variable
 * RH_SESSION_VARIABLE names to the program, and channels, one for each process to be recorded. The
 * recorder library (inside the program) takes a channel and writes records into its rings; the
 * collector reads them. A ring has one writer at a time and one reader:
 *
 *     head (collector)            cursor (program)                    head + capacity
 *     |  written, to be read      |  free                             |
 *
 * Both only grow; the place of a record is its position modulo the ring's size. The writer puts the
 * record down and then moves the cursor, so whatever lies before the cursor is whole, even when the
 * program is killed in the next instruction: the memory belongs to the collector.
 *
 * The main ring takes what the interpreter lock orders: MEM and OBJ calls, RAW calls and those of
 * the C library nested in them, arena events and texts. Each thread has a ring of its own for what
 * no lock orders: its outermost RAW calls, or, when the C library's functions are recorded, all
 * there is. Now and then a place record there tells where the main ring's cursor stood and what the
 * time was, so that the collector can put the records after it into their place among the others:
 * before every RAW call, whose neighbours are in the main ring; every 256 records, and whenever the
 * collector has begun a new turn, when there are only threads' rings. Where both are recorded, it
 * is before every RAW call, before what a thread that has called the interpreter asks of the C
 * library while the main ring has moved, and as often as in the last case.
 *
 * Where only the C library's functions are recorded, threads' rings hold short records
 * (short_record.h); all others hold records as they are below. One of short records is used by half
 * until it was full; then it gets larger memory, of which the collector has seen to the pages, if
 * there is some left. The writer moves there when the ring is empty, and says from which position
 * on. The fewer waits, the less often the program finds its caches cold.
 *
 * A death is written before the call that frees, a birth after the call that allocated. So at any
 * moment an address that one ring reports as born again has already been reported dead in another.
 */
#ifndef REHEAP_TRACES_RECORDER_CHANNEL_H
#define REHEAP_TRACES_RECORDER_CHANNEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What a process needs to reach the collector, as RH_SESSION_FORMAT: where it sees the collector
 * in /proc, the session's memory is /proc/PID/fd/N; where it does not (another process namespace,
 * another user, no /proc) it asks at the socket RH_SOCKET_FORMAT, showing the key. That is found
 * in the collector's network namespace only. */
#define RH_SESSION_VARIABLE "REHEAP_RECORD"
#define RH_SESSION_FORMAT   "/proc/%d/fd/%d:%016llx:%016llx:%llx" /* name, key, network */
#define RH_SOCKET_FORMAT    "reheap-record-%016llx" /* abstract: a zero byte stands before it */
#define RH_SESSION_MAGIC    UINT64_C(0x3173736573686572)
#define RH_CHANNEL_MAGIC    UINT64_C(0x316e6e6168636872)

enum {
    RH_MAIN_RING_BYTES = 4 << 20,
    RH_RAW_RING_BYTES =
        64 << 10,        /* a thread's ring with little in it: the interpreter's RAW calls */
    RH_RAW_RINGS = 4096, /* threads that may be alive at once */
    RH_MALLOC_RING_BYTES = 2 << 20, /* one that takes all a thread does */
    RH_MALLOC_RINGS = 2048,
    RH_LARGE_RING_BYTES = 8 << 20, /* what a ring of short records that was full moves into, */
    RH_LARGE_RINGS = 8,            /* as long as there is such memory */
    RH_SESSION_CHANNELS = 64,
    RH_CHECKPOINT_BYTES = 64 << 10 /* the longest text */
};

/* What happened, how big it was. Two words so that a record is one aligned store of 16 bytes. */
typedef struct rh_record {
    uint64_t what;   /* address, then kind and domain: RH_RECORD_… */
    uint64_t amount; /* size, then depth and thread: RH_AMOUNT_… */
} rh_record;

enum {
    RH_RECORD_KIND_SHIFT = 48,
    RH_RECORD_DOMAIN_SHIFT = 56,
    RH_AMOUNT_DEPTH_SHIFT = 40, /* calls of the hooks that this one is inside of */
    RH_AMOUNT_THREAD_SHIFT = 44,
    RH_CALLOC_COUNT_SHIFT = 20,
    RH_RECORD_LIBC_DOMAIN = 3 /* the C library's functions; the others are CPython's domains */
};
#define RH_RECORD_ADDRESS_MASK ((UINT64_C(1) << RH_RECORD_KIND_SHIFT) - 1)
#define RH_AMOUNT_SIZE_MASK    ((UINT64_C(1) << RH_AMOUNT_DEPTH_SHIFT) - 1)
#define RH_AMOUNT_DEPTH_MASK   UINT64_C(15)
/* Of the depth: inside of a RAW call that is not itself nested, and so perhaps without the lock. */
#define RH_AMOUNT_DEPTH_RAW UINT64_C(8)

typedef enum rh_record_kind {
    RH_RECORD_MALLOC = 1,
    RH_RECORD_CALLOC,       /* size: element size below RH_CALLOC_COUNT_SHIFT, count above */
    RH_RECORD_REALLOC_FROM, /* before the call: the old address */
    RH_RECORD_REALLOC,      /* after it: the new address; 0 when it failed */
    RH_RECORD_REALLOC_NULL, /* realloc of NULL, after the call */
    RH_RECORD_FREE,
    RH_RECORD_ARENA_ALLOC, /* address 0: the arena was not to be had */
    RH_RECORD_ARENA_FREE,
    RH_RECORD_WIDE, /* amount: the size of the next record, which has no room for it; a calloc has
                       two of them, count and element size */
    RH_RECORD_TIME, /* amount: ticks of the time-stamp counter from here on */
    RH_RECORD_CHECKPOINT, /* size bytes of text follow, filling whole records */
    RH_RECORD_MARK,       /* the same */
    RH_RECORD_PLACE,      /* threads' rings; address: the main ring's cursor; amount: ticks. For all
                             up to the next of these */
    RH_RECORD_ALIGNED, /* a wide one before it has the alignment; one before that a size that has no
                          room */
    RH_RECORD_GONE,    /* in the place of RH_RECORD_REALLOC: a size of 0 freed the block */
    RH_RECORD_KINDS
} rh_record_kind;

/* Of large memory: the collector has not been asked yet, or has none. */
enum { RH_LARGE_UNASKED = 0, RH_LARGE_NONE = RH_LARGE_RINGS + 1 };

/* One side's counter has a cache line of its own, or each store would steal the other's. */
typedef struct rh_ring {
    _Alignas(64) _Atomic uint64_t cursor; /* bytes ever written */
    _Atomic uint32_t
        owner; /* thread rings: 0 free, 1 in use, 2 left by its thread, may be unread */
    _Atomic uint64_t moved_at;          /* from here on in the large memory; 0: not there */
    _Alignas(64) _Atomic uint64_t head; /* bytes ever read */
    _Atomic uint64_t wanted;            /* the writer sleeps until head is there; 0: it does not */
    _Atomic uint32_t bell;              /* a futex: rung when it is */
    _Atomic uint32_t large;             /* number of the memory to move into, from 1; or: */
} rh_ring;

typedef enum rh_channel_state {
    RH_CHANNEL_FREE,
    RH_CHANNEL_TAKEN,    /* a process is preparing itself */
    RH_CHANNEL_ATTACHED, /* facts are there, records may come */
    RH_CHANNEL_REFUSED   /* the process cannot be recorded (any more): `reason` */
} rh_channel_state;

/* By the collector: the program passes through, and says so, or what was asked for is recorded. */
typedef enum rh_abandoned { RH_NOT_ABANDONED, RH_GIVEN_UP, RH_ALL_RECORDED } rh_abandoned;

/* What a process says of itself before it sets the channel's state. */
typedef struct rh_channel_facts {
    uint64_t arena_bytes, pool_bytes;
    uint32_t python_minor;
    uint32_t capture;  /* rh_capture: which of them this process is recorded by */
    uint32_t attached; /* the program ran before: so was the heap */
    uint32_t forked;   /* its parent was recorded: the heap was there before the recording */
    uint32_t command_bytes;
    uint32_t starter; /* a program that is there to start another, like a shell */
    char python_version[32];
    char allocator[32]; /* "": not one the interpreter has a name for */
    char program[4096];
    char command[4096]; /* as /proc/self/cmdline: words end in NUL; perhaps cut */
} rh_channel_facts;

typedef struct rh_channel {
    uint64_t magic;
    uint64_t ticks_per_us;
    _Atomic uint32_t state; /* rh_channel_state */
    int32_t process_id;     /* as the collector sees it */
    uint64_t started_ticks;
    rh_channel_facts facts;
    char reason[512];

    _Atomic uint32_t abandoned;         /* rh_abandoned: the collector reads no more */
    _Atomic uint32_t threads;           /* numbers given out */
    _Atomic uint32_t rings;             /* thread rings ever used are below this */
    uint32_t thread_ring_bytes;         /* set with the facts */
    _Atomic uint64_t unseen;            /* records that could not be taken: in signal handlers */
    _Alignas(64) _Atomic uint32_t turn; /* the collector's: changes as time goes by */
    rh_ring main;
    rh_ring thread[RH_RAW_RINGS];
} rh_channel;

/* A channel's memory: rh_channel, the main ring, the first piece of the thread rings, the memory of
 * large rings, the other pieces; each begins on a page. It is a file with holes: both sides map it
 * up to the first piece, and of the rest what comes to be used. */
#define RH_THREAD_RINGS_BYTES ((uint64_t)RH_MALLOC_RINGS * RH_MALLOC_RING_BYTES)
enum {
    RH_CHANNEL_CONTROL_BYTES = (sizeof(rh_channel) + 4095) / 4096 * 4096,
    RH_PIECE_BYTES = 16 << 20,
    RH_RING_PIECES = RH_THREAD_RINGS_BYTES / RH_PIECE_BYTES
};
#define RH_CHANNEL_BYTES                                                                           \
    ((uint64_t)RH_CHANNEL_CONTROL_BYTES + RH_MAIN_RING_BYTES + RH_THREAD_RINGS_BYTES +             \
     (uint64_t)RH_LARGE_RINGS * RH_LARGE_RING_BYTES)
#define RH_CHANNEL_MAPPED_BYTES                                                                    \
    ((uint64_t)RH_CHANNEL_CONTROL_BYTES + RH_MAIN_RING_BYTES + RH_PIECE_BYTES)
_Static_assert((uint64_t)RH_RAW_RINGS *RH_RAW_RING_BYTES <= RH_THREAD_RINGS_BYTES,
               "both kinds of rings fit into the same memory");

typedef enum rh_capture {
    RH_CAPTURE_PYTHON,
    RH_CAPTURE_MALLOC,
    RH_CAPTURE_BOTH,
    RH_CAPTURES,
    RH_CAPTURE_AUTO = RH_CAPTURES /* of a session: each program by what it is */
} rh_capture;
typedef enum rh_timing { RH_TIMING_NONE, RH_TIMING_COARSE, RH_TIMING_EXACT } rh_timing;

/* A descriptor of the collector's, asked for at its socket: one datagram there, one back that
 * carries the descriptor. */
typedef struct rh_plea {
    uint64_t key;
    int32_t descriptor;
} rh_plea;

typedef struct rh_session {
    uint64_t magic;
    /* Held by the collector for as long as it lives. It is a robust one: when the process dies, of
     * whatever, the kernel takes it away, and all who share this memory see it, from any namespace.
     */
    pthread_mutex_t collector;
    int32_t root;       /* the process that was started; the only one recorded without children */
    uint32_t children;  /* record children too */
    uint32_t capture;   /* rh_capture */
    uint32_t timing;    /* rh_timing */
    char library[4200]; /* what is put before the others in LD_PRELOAD */
    char place[160];    /* and into RH_SESSION_VARIABLE */
    /* File descriptors of the collector that hold a channel; -1: none. A process takes one by
     * swapping in -1. The collector keeps putting new ones in. */
    _Atomic int32_t channels[RH_SESSION_CHANNELS];
    _Atomic uint32_t left_out;  /* processes were begun that are not recorded */
    _Atomic uint32_t exhausted; /* the collector cannot make more of them for now */
} rh_session;

/* The word of the mutex that the kernel writes: the owner's number, and flags above it. */
static inline bool
rh_collector_lives(const rh_session *session)
{
    const uint32_t owner = (UINT32_C(1) << 30) - 1;
    return (__atomic_load_n(&session->collector.__data.__lock, __ATOMIC_ACQUIRE) & (int)owner) != 0;
}

#endif
