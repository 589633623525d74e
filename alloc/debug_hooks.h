/* CPython's debug hooks, over any allocator.
 *
 * The problem. C code writes behind its block, frees it twice, frees it with the wrong family of
 * functions, reads what was freed. The allocator notices nothing; something else breaks later.
 *
 * The picture. A hook asks the allocator below it for more than was asked of it and gives out the
 * middle:
 *
 *   inner block                                   p
 *   │ size, big-endian │ letter │ FD × 7 │ data: CD … │ FD × 8 │ serial number, if wanted │
 *     8                  1        7                     8        8
 *
 * New data is filled with CD, a freed block from end to end with DD. free and realloc verify what
 * is around the data, in this order: the letter is that of their domain ('r' RAW, 'm' MEM, 'o'
 * OBJ), the seven bytes before p are FD, the eight after the data are FD. What is not right is
 * reported in CPython's words, byte for byte, and ends the process. realloc fills what it may leave
 * behind with DD before the allocator below sees the block, and puts it back where that fails.
 *
 * Beyond CPython: nothing is read that cannot be read. A block that was freed a moment ago, and a
 * size that is not to be believed, are looked at through the kernel, so that a second free ends in
 * a report where CPython's own ends in a fault. Where CPython prints, the bytes are the same; where
 * it would crash, the report says that memory is not readable.
 *
 * No global state: a hook is a record of the caller's, and what several share is another. Threads
 * may use a hook at once as far as the allocator below allows it.
 *
 * Cost: 24 bytes a block (32 with serial numbers), a write of every byte at birth and at death.
 * Source: the behaviour of CPython's Objects/obmalloc.c, 3.7 to 3.15.
 */
#ifndef REHEAP_ALLOC_DEBUG_HOOKS_H
#define REHEAP_ALLOC_DEBUG_HOOKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "alloc/pymem.h"

#define RH_DEBUG_WORD   sizeof(size_t)
#define RH_DEBUG_LEAD   (2 * RH_DEBUG_WORD) /* bytes before p */
#define RH_DEBUG_RECENT 512

/* The bytes that memory is filled with. */
typedef struct rh_debug_fill {
    unsigned char clean, dead, forbidden;
} rh_debug_fill;

extern const rh_debug_fill rh_debug_fill_old; /* until 3.7.3: CB DB FB */
extern const rh_debug_fill rh_debug_fill_new; /* since: CD DD FD */

/* What the last part of a report names: the function and the state of the interpreter (3.9 on), the
 * state only (3.8), neither (3.7). */
typedef enum rh_debug_words {
    RH_DEBUG_WORDS_3_9,
    RH_DEBUG_WORDS_3_8,
    RH_DEBUG_WORDS_3_7
} rh_debug_words;

/* What is known of the place where a block was allocated. */
typedef enum rh_debug_traced {
    RH_DEBUG_TRACED,   /* it was printed */
    RH_DEBUG_UNTRACED, /* nothing is known of this block */
    RH_DEBUG_TRACING_OFF
} rh_debug_traced;

/* What the hooks of one heap, or of the process, have in common. All zero is CPython's behaviour in
 * a program that has not initialised an interpreter (but for `fill`). It may be changed at any time
 * by a program that keeps other threads out. */
typedef struct rh_debug_settings {
    rh_debug_fill fill;
    rh_debug_words words;
    bool serial; /* number the calls that made blocks, and keep the number behind each */
    /* As in a build without an interpreter lock: others may look at an object's header at any time,
     * so it is never filled, and realloc leaves the block as it is. */
    bool free_threaded;
    bool unbacked; /* nothing that is written lasts, or nothing may be written: only sizes and
                      addresses are transformed */
    /* The lock rule: whether the calling thread may call MEM and OBJ now. NULL: every thread may.
     * The message is printed where it may not; NULL: that of interpreters with a lock. */
    bool (*may_call)(void *ctx);
    void *may_call_ctx;
    const char *lock_message;
    /* Prints where the block at p was allocated, a line a frame ("  File \"a.py\", line 4"), newest
     * first, below the heading `heading`, which it prints first if it has anything to print. NULL:
     * nobody traces. */
    rh_debug_traced (*print_trace)(void *ctx, const void *p, const char *heading, FILE *out);
    void *trace_ctx;
    const char *(*runtime_state)(void *ctx); /* NULL: "unknown" */
    void *state_ctx;
    FILE *report;           /* NULL: stderr */
    void (*end)(void *ctx); /* after a report; does not return. NULL: abort */
    void *end_ctx;
    atomic_size_t serials; /* the last number given */
} rh_debug_settings;

typedef struct rh_debug_hook {
    char letter;
    bool lock_rule; /* MEM and OBJ */
    bool shared;    /* several threads may be in it at once (so it is initialised); false where a
                       lock orders all calls: counting costs less */
    PyMemAllocatorEx inner;
    rh_debug_settings *settings;
    atomic_uint_fast64_t births, deaths; /* of decorated blocks; realloc is neither */
    atomic_uint_fast64_t idle_frees;     /* of NULL */
    /* Blocks freed lately and not given out again since, each at a place of its address. */
    _Atomic(uintptr_t) recent[RH_DEBUG_RECENT];
} rh_debug_hook;

/* Bytes that a block takes more than was asked for. */
size_t rh_debug_overhead(const rh_debug_settings *settings);

/* A hook for a domain over `inner`. Both records stay the caller's, and where they are. */
void rh_debug_hook_init(rh_debug_hook *hook, PyMemAllocatorDomain domain,
                        const PyMemAllocatorEx *inner, rh_debug_settings *settings);

/* The four functions, with the hook as their context. */
PyMemAllocatorEx rh_debug_hook_functions(rh_debug_hook *hook);

/* The hook whose functions these are; NULL when they are something else. */
rh_debug_hook *rh_debug_hook_of(const PyMemAllocatorEx *functions);

/* Decorated blocks in use. */
uint64_t rh_debug_live(const rh_debug_hook *hook);

/* Aligned blocks: of an allocator of their own, at a distance from what it gave that is larger than
 * RH_DEBUG_LEAD and a multiple of 16. */
typedef struct rh_debug_led {
    PyMemAllocatorEx inner;
    size_t lead;
} rh_debug_led;

/* The bytes to allocate for `size`, lead included; 0 when that is too much. */
size_t rh_debug_led_bytes(const rh_debug_settings *settings, size_t lead, size_t size);
/* Makes a block of what was allocated. */
void *rh_debug_dress(rh_debug_hook *hook, void *inner_block, size_t lead, size_t size);
/* As the hook's own functions; realloc keeps the lead. */
void rh_debug_free_led(rh_debug_hook *hook, const rh_debug_led *led, void *p);
void *rh_debug_realloc_led(rh_debug_hook *hook, const rh_debug_led *led, void *p, size_t size);

/* What was asked for when the block at p was made. Of a live block only. */
size_t rh_debug_requested(const void *p);

/* Whether a pointer looks as if it were read out of memory that is not in use: close to 0 from
 * either side, or all clean, dead or forbidden bytes. */
bool rh_debug_is_freed_pointer(const rh_debug_settings *settings, const void *pointer);

/* What is wrong around p, as a report would say it after the function's name; NULL when nothing is.
 * `room`: bytes from p to the end of what is known to be readable. */
const char *rh_debug_inspect(const rh_debug_hook *hook, const void *p, size_t room);

/* Prints an allocator's statistics with the number of calls among them, where CPython has it: in
 * front of the number of arenas. `print` writes the text without it, and returns false when there
 * is none. */
bool rh_debug_print_numbered(const rh_debug_settings *settings, bool (*print)(void *ctx, FILE *out),
                             void *ctx, FILE *out);

/* The report (6.11) and the end; `function` and `message` stand in its last part. */
_Noreturn void rh_debug_report(const rh_debug_settings *settings, const void *p,
                               const char *function, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same without a block. */
_Noreturn void rh_debug_fatal(const rh_debug_settings *settings, const char *function,
                              const char *message);

#endif
