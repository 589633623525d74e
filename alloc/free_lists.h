/* Free lists: dead objects kept by kind, to be the next ones of their kind.
 *
 * CPython keeps a list for each of a few types (for tuples one a length), with a limit that differs
 * by version. An object that dies goes to the front of its list, and the next one born of its kind
 * is the one that died last; only when the list is empty is memory asked for, and only when it is
 * full is memory given back:
 *
 *      give:  block -> [ d | c | b | a ] ... full: rejected, freed
 *      take:  block <- [ d | c | b | a ] ... empty: a miss, allocated
 *
 * Blocks are linked through their first word, as in CPython since 3.14. Before, some types had an
 * array or a field of their own for it; the order was the same, last in, first out.
 *
 * In CPython the lists belong to the process (up to 3.9), the interpreter (3.10 on) or the thread
 * (free-threaded builds). Here they belong to whoever made the struct, and are used by one thread
 * at a time.
 */
#ifndef REHEAP_ALLOC_FREE_LISTS_H
#define REHEAP_ALLOC_FREE_LISTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RH_FREE_OLDEST         7u /* 3.7 */
#define RH_FREE_NEWEST         15u
#define RH_FREE_TUPLE_LENGTHS  20u /* the most that a version has lists for */
#define RH_FREE_UNLISTED_BYTES 0u  /* of a kind that statistics do not print */

/* X(KIND, what it is) */
#define RH_FREE_KINDS(X)                                                                           \
    X(TUPLE, "tuple, for each length")                                                             \
    X(LIST, "list")                                                                                \
    X(DICT, "dict")                                                                                \
    X(DICT_KEYS, "table of the smallest dict")                                                     \
    X(FLOAT, "float")                                                                              \
    X(FRAME, "frame")                                                                              \
    X(METHOD, "bound method")                                                                      \
    X(C_FUNCTION, "C function")                                                                    \
    X(C_METHOD, "C method")                                                                        \
    X(CONTEXT, "context")                                                                          \
    X(ASYNC_VALUE, "value of an asynchronous generator")                                           \
    X(ASYNC_SEND, "asend of an asynchronous generator")                                            \
    X(SLICE, "slice")                                                                              \
    X(MEMORY_ERROR, "MemoryError")                                                                 \
    X(STACK_CHUNK, "chunk of the collector's stack of objects")                                    \
    X(LIST_ITERATOR, "iterator of a list")                                                         \
    X(TUPLE_ITERATOR, "iterator of a tuple")                                                       \
    X(INT, "int of one digit")                                                                     \
    X(RANGE, "range")                                                                              \
    X(RANGE_ITERATOR, "iterator of a range")                                                       \
    X(UNICODE_WRITER, "writer of a str")                                                           \
    X(FUTURE_ITERATOR, "iterator of a future")                                                     \
    X(COMPLEX, "complex")                                                                          \
    X(BYTES_WRITER, "writer of bytes")

typedef enum rh_free_kind {
#define RH_FREE_KIND(kind, what) RH_FREE_##kind,
    RH_FREE_KINDS(RH_FREE_KIND)
#undef RH_FREE_KIND
        RH_FREE_KIND_COUNT
} rh_free_kind;

typedef struct rh_free_list {
    void *first;
    uint32_t count, limit;
    uint64_t hits;     /* taken */
    uint64_t misses;   /* asked for when there was none */
    uint64_t rejected; /* not kept, because the list was full or disabled */
} rh_free_list;

#define RH_FREE_LIST_COUNT (RH_FREE_KIND_COUNT - 1 + RH_FREE_TUPLE_LENGTHS)

typedef struct rh_free_lists {
    unsigned minor; /* of CPython 3.minor */
    bool disabled;  /* finalised: keeps nothing any more */
    rh_free_list list[RH_FREE_LIST_COUNT];
} rh_free_lists;

/* How many blocks CPython 3.`minor` keeps of a kind (of a length of it, for tuples); 0: it has no
 * such list. `minor` is clipped to what is known. */
uint32_t rh_free_limit(unsigned minor, rh_free_kind kind);

/* Tuples of 1 to so many items have a list. */
unsigned rh_free_tuple_lengths(unsigned minor);

/* Bytes that the statistics of 3.`minor` give for an object of a kind, `length` items for tuples;
 * RH_FREE_UNLISTED_BYTES when they do not print it. */
size_t rh_free_printed_bytes(unsigned minor, rh_free_kind kind, unsigned length);

/* Empty lists with the limits of 3.`minor`; without lists (CPython's --without-freelists) they have
 * all the limit 0. */
void rh_free_lists_init(rh_free_lists *lists, unsigned minor, bool without);

/* The list of a kind; `length` counts for tuples only. NULL when there is none. */
rh_free_list *rh_free_list_of(rh_free_lists *lists, rh_free_kind kind, size_t length);

/* The block given last; NULL when there is none. */
void *rh_free_list_take(rh_free_list *list);

/* Keeps a block of one word or more, whose first word it overwrites. False when it is not kept. */
bool rh_free_list_give(rh_free_list *list, void *block);

/* Shows every kept block to `release`, the last given of each list first, and forgets it. */
void rh_free_lists_drain(rh_free_lists *lists, void (*release)(void *ctx, void *block), void *ctx);

/* As drain; from now on nothing is kept. What CPython does at finalisation. */
void rh_free_lists_disable(rh_free_lists *lists, void (*release)(void *ctx, void *block),
                           void *ctx);

/* Every list is as long as it says and within its limit. RH_DIFFERENT names the list. */
rh_status rh_free_lists_check(const rh_free_lists *lists, rh_error *error);

/* The lines about types in sys._debugmallocstats(), as 3.`minor` prints them. */
void rh_free_lists_print(const rh_free_lists *lists, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
