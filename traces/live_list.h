/* The live blocks in the order of their birth: a doubly linked list in arrays, so that a link is 32
 * bits and a node's index is a dense slot, reused last in, first out. Links lie apart from the
 * rest: the way to a dying block leads over links alone.
 *
 * Node 0 is the sentinel: `after` is the oldest live block, `before` the youngest, and its birth
 * number is above any other. The gap is where the previous death took a node out, kept as the node
 * that now stands behind it (0: the end); deaths are told by steps from there.
 */
#ifndef REHEAP_TRACES_LIVE_LIST_H
#define REHEAP_TRACES_LIVE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rh_live_link {
    uint32_t before, after;
} rh_live_link;

typedef struct rh_live_node {
    uint64_t birth; /* its number; RH_LIVE_NONE in a free slot */
    uint64_t what;  /* size, and from RH_LIVE_SHIFT on the domain and whether it was born nested */
} rh_live_node;

#define RH_LIVE_NONE   UINT64_MAX
#define RH_LIVE_FRESH  (UINT64_MAX - 1) /* the birth of a slot that was never taken */
#define RH_LIVE_SHIFT  56
#define RH_LIVE_NESTED ((uint64_t)4 << RH_LIVE_SHIFT)

typedef struct rh_live_list {
    rh_live_link *link;
    rh_live_node *node;
    uint32_t *vacant; /* slots to be taken, the next one last: fresh ones, then those given back */
    uint32_t vacancies; /* how many */
    uint32_t stocked;   /* slots from here on were never in `vacant` */
    uint32_t used;      /* slots ever used, the sentinel included: every index is below it */
    uint32_t capacity;  /* slots there is memory for */
    uint32_t gap;
    uint64_t blocks; /* alive */
    uint64_t bytes;  /* requested by them */
    uint64_t births; /* so far: the number of the next */
} rh_live_list;

bool rh_live_list_init(rh_live_list *list); /* false: no memory */
void rh_live_list_release(rh_live_list *list);
/* Makes it empty; memory is kept. */
void rh_live_list_clear(rh_live_list *list);
/* Room for `more` births; false when there is no memory or 2^32 are alive. */
bool rh_live_list_reserve(rh_live_list *list, uint32_t more);

static inline uint64_t
rh_live_size(const rh_live_node *node)
{
    return node->what & (((uint64_t)1 << RH_LIVE_SHIFT) - 1);
}

static inline unsigned
rh_live_domain(const rh_live_node *node)
{
    return (unsigned)(node->what >> RH_LIVE_SHIFT) & 3;
}

static inline bool
rh_live_nested(const rh_live_node *node)
{
    return (node->what & RH_LIVE_NESTED) != 0;
}

static inline bool
rh_live_has_room(const rh_live_list *list)
{
    return list->vacancies != 0;
}

/* Takes a slot for a block to come; there must be room. */
static inline uint32_t
rh_live_take_slot(rh_live_list *list)
{
    uint32_t slot = list->vacant[--list->vacancies];
    list->used = slot >= list->used ? slot + 1 : list->used;
    return slot;
}

/* For who takes slots out of `vacant` himself: finds out which were used. Fresh ones are taken in
 * their order. */
static inline void
rh_live_count_used(rh_live_list *list)
{
    while (list->used < list->stocked && list->node[list->used].birth != RH_LIVE_FRESH)
        list->used++;
}

/* Appends the block `slot` with the next birth number. */
static inline void
rh_live_append(rh_live_list *list, uint32_t slot, uint64_t what)
{
    rh_live_node *node = &list->node[slot];
    uint32_t youngest = list->link[0].before;
    list->link[slot] = (rh_live_link){youngest, 0};
    list->link[youngest].after = slot;
    list->link[0].before = slot;
    node->birth = list->births++;
    node->what = what;
    list->blocks++;
    list->bytes += rh_live_size(node);
}

/* Takes `slot` out of the list and puts the gap there; the slot stays taken. */
static inline void
rh_live_unlink(rh_live_list *list, uint32_t slot)
{
    rh_live_link gone = list->link[slot];
    list->link[gone.before].after = gone.after;
    list->link[gone.after].before = gone.before;
    list->gap = gone.after;
    list->blocks--;
    list->bytes -= rh_live_size(&list->node[slot]);
}

static inline void
rh_live_give_slot(rh_live_list *list, uint32_t slot)
{
    list->node[slot].birth = RH_LIVE_NONE;
    list->vacant[list->vacancies++] = slot;
}

#endif
