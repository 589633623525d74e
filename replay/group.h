/* A group: one decoding of a trace, played by one or more allocators at once, each in a child
 * process of its own. Time passes have one member; memory passes as many as fit. */
#ifndef REHEAP_REPLAY_GROUP_H
#define REHEAP_REPLAY_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "replay/age.h"
#include "replay/channel.h"
#include "replay/program.h"
#include "replay/rounds.h"
#include "replay/scan.h"

typedef struct rh_group_plan {
    rh_pass pass;
    rh_touch touch;
    bool threads; /* of a time pass: the recorded ones; the compiler has them too */
    rh_loop loop; /* rounds 0: one */
    const rh_leftovers *leftovers; /* freed at the end of each round; NULL: nothing is */
    rh_age age;                    /* of each heap, before the recording begins: */
    const rh_age_size *age_sizes;  /* drawn from these, */
    size_t age_size_count;
    uint64_t age_most_blocks, age_most_bytes; /* at most so many at once */
    uint64_t round_leaves;                    /* requested bytes that each round leaves alive */
    double pace;          /* not throughput: the compiler has times; 0: as fast as possible */
    rh_compiler compiler; /* options; samples too */
    uint64_t slots;
    uint64_t sample_capacity;
    const char *const *specs;     /* as the children open them */
    const char *const *libraries; /* to preload, "" for none */
    uint32_t members;
    uint32_t batches; /* above 0: all of a round of the trace, at most so many batches, is compiled
                         before a member starts; 0: while they run */
    unsigned padding_bytes; /* that are added to the environment of each, which moves its stack */
    uint64_t room_bytes;    /* of each member's own room */
    bool pins; /* memory pass: looks into what order_of wrote at the start of the room */
    void (*order_of)(void *ctx, uint32_t index, void *room); /* before the member starts */
    void *order_ctx;
    unsigned patience_seconds; /* a member that makes no progress for so long is ended; 0: 120 */
    void (*progress)(void *ctx, uint64_t calls);
    void *progress_ctx;
} rh_group_plan;

typedef struct rh_group rh_group;

/* Runs a group to its end, for which a source of a looped group can be read again unless all of it
 * is compiled beforehand; the plan stays where it is until the group is closed. RH_OK: every
 * member has its outcome (member->status RH_OK or what went wrong with it). Else nothing can be
 * used: RH_BAD_INPUT from the source, RH_SYSTEM, RH_INTERRUPTED.
 */
rh_status rh_group_run(const rh_group_plan *plan, const rh_source *source, rh_group **group,
                       rh_error *error);
const rh_member *rh_group_member(const rh_group *group, uint32_t index);
const rh_sample *rh_group_samples(const rh_group *group, uint32_t index);
/* Of a looped run: member->rounds_played of them. */
const rh_round *rh_group_rounds(const rh_group *group, uint32_t index);
const void *rh_group_room(const rh_group *group, uint32_t index);
void rh_group_close(rh_group *group);

#endif
