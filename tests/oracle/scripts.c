#include "tests/oracle/scripts.h"

#include <string.h>

enum { SMALL = 512, DECORATION = 24, STATS_EVERY = 20000, TURN_EVERY = 4096 };

/* What random operations are made of. */
struct mix {
    PyMemAllocatorDomain domains[4]; /* one of these each time */
    size_t (*size)(struct session *);
    unsigned odd;    /* in 1000 operations, this many of an unusual kind */
    unsigned resize; /* in 100 operations that end no life or begin one */
    size_t live_max;
};

static uint64_t
below(struct session *session, uint64_t bound)
{
    return rh_random_below(&session->random, bound);
}

/* ---- sizes ---- */

static size_t
object_size(struct session *session)
{
    switch (below(session, 16)) {
    case 0:
        return 0;
    case 1:
        return 480 + below(session, 200);
    case 2:
        return 1 + below(session, 16);
    case 3:
    case 4:
    case 5:
        return 1 + below(session, SMALL);
    default:
        return 17 + below(session, 16) * below(session, 10);
    }
}

static size_t
few_sizes(struct session *session)
{
    static const size_t sizes[] = {16, 24, 48, 56, 64, 72, 88, 104, 416, 512};
    return sizes[below(session, sizeof sizes / sizeof sizes[0])];
}

/* Just at, below and above the limits of classes, with and without decoration. */
static size_t
limit_size(struct session *session)
{
    size_t limit = 16 * below(session, SMALL / 16 + 3);
    size_t size = limit + below(session, 3);
    if (below(session, 2))
        size = size > DECORATION ? size - DECORATION : 0;
    return size ? size - 1 : 0;
}

static size_t
buffer_size(struct session *session)
{
    if (below(session, 50) == 0)
        return below(session, 300000);
    return below(session, 4) ? object_size(session) : below(session, 5000);
}

/* Sizes that nobody has, or that are refused before anybody is asked. */
static size_t
impossible_size(struct session *session)
{
    static const size_t sizes[] = {(size_t)1 << 47,
                                   (size_t)1 << 62,
                                   (size_t)PY_SSIZE_T_MAX - DECORATION - 8,
                                   (size_t)PY_SSIZE_T_MAX - DECORATION - 7,
                                   (size_t)PY_SSIZE_T_MAX - DECORATION,
                                   (size_t)PY_SSIZE_T_MAX - DECORATION + 1,
                                   (size_t)PY_SSIZE_T_MAX,
                                   (size_t)PY_SSIZE_T_MAX + 1,
                                   SIZE_MAX - DECORATION,
                                   SIZE_MAX};
    return sizes[below(session, sizeof sizes / sizeof sizes[0])];
}

/* ---- operations ---- */

static PyMemAllocatorDomain
draw_domain(struct session *session, const struct mix *mix)
{
    return mix->domains[below(session, 4)];
}

static void
impossible_calloc(struct session *session, PyMemAllocatorDomain domain)
{
    static const size_t factors[][2] = {{SIZE_MAX, 2},
                                        {2, SIZE_MAX},
                                        {(size_t)1 << 32, (size_t)1 << 32},
                                        {(size_t)1 << 32, (size_t)1 << 31},
                                        {(size_t)PY_SSIZE_T_MAX, 1},
                                        {1, (size_t)PY_SSIZE_T_MAX},
                                        {1, (size_t)PY_SSIZE_T_MAX + 1},
                                        {(size_t)PY_SSIZE_T_MAX / 3 + 1, 3},
                                        {(size_t)PY_SSIZE_T_MAX - DECORATION, 1}};
    const size_t *pair = factors[below(session, sizeof factors / sizeof factors[0])];
    session_calloc(session, domain, pair[0], pair[1]);
}

static void
odd_operation(struct session *session, const struct mix *mix)
{
    PyMemAllocatorDomain domain = draw_domain(session, mix);
    switch (below(session, 12)) {
    case 0:
        session_free_null(session, domain);
        break;
    case 1:
        session_malloc(session, domain, impossible_size(session));
        break;
    case 2:
        impossible_calloc(session, domain);
        break;
    case 3:
        session_realloc_null(session, domain, impossible_size(session));
        break;
    case 4:
    case 5:
        if (session->live_count)
            session_realloc(session, below(session, session->live_count), impossible_size(session));
        break;
    case 6:
        session_calloc(session, domain, 0, below(session, 2) ? SIZE_MAX : 8);
        break;
    case 7:
        session_calloc(session, domain, below(session, 2) ? SIZE_MAX : 8, 0);
        break;
    case 8:
        session_malloc(session, domain, 0);
        break;
    case 9:
        if (session->live_count)
            session_realloc(session, below(session, session->live_count), 0);
        break;
    case 10:
        session_realloc_null(session, domain, 0);
        break;
    default:
        session_stats(session);
    }
}

static void
give(struct session *session, const struct mix *mix)
{
    PyMemAllocatorDomain domain = draw_domain(session, mix);
    size_t size = mix->size(session);
    switch (below(session, 10)) {
    case 0:
        session_calloc(session, domain, below(session, 4), size);
        break;
    case 1:
        session_calloc(session, domain, 1, size);
        break;
    case 2:
        session_realloc_null(session, domain, size);
        break;
    default:
        session_malloc(session, domain, size);
    }
}

/* Near three quarters of a block it is decided whether it moves. */
static size_t
next_size(struct session *session, const struct mix *mix, size_t old)
{
    switch (below(session, 4)) {
    case 0:
        return old * 3 / 4 + below(session, 3);
    case 1:
        return (old + 15) / 16 * 12 + below(session, 3);
    case 2:
        return old + below(session, 40);
    default:
        return mix->size(session);
    }
}

static void
operate(struct session *session, const struct mix *mix, unsigned giving)
{
    unsigned dice = (unsigned)below(session, 100);
    if (below(session, 1000) < mix->odd)
        odd_operation(session, mix);
    else if (session->live_count == 0 || (dice < giving && session->live_count < mix->live_max))
        give(session, mix);
    else if (below(session, 100) < mix->resize) {
        size_t at = below(session, session->live_count);
        session_realloc(session, at, next_size(session, mix, session->live[at].size));
    } else
        session_free(session, below(session, session->live_count));
}

/* Growth and decline by turns, with the statistics now and then. */
static void
churn(struct session *session, const struct mix *mix, unsigned operations)
{
    unsigned giving = 70;
    for (unsigned i = 1; i <= operations; i++) {
        if (i % TURN_EVERY == 0)
            giving = 20 + (unsigned)below(session, 65);
        operate(session, mix, giving);
        if (i % STATS_EVERY == 0)
            session_stats(session);
    }
}

static void
churn_to_the_end(struct session *session, const struct mix *mix, unsigned operations)
{
    churn(session, mix, operations);
    session_stats(session);
    session_free_all(session);
    session_stats(session);
}

/* ---- scripts ---- */

#define RAW PYMEM_DOMAIN_RAW
#define MEM PYMEM_DOMAIN_MEM
#define OBJ PYMEM_DOMAIN_OBJ

static const struct mix object_mix = {
    {OBJ, OBJ, OBJ, MEM}, object_size, .odd = 1, .resize = 12, .live_max = SESSION_BLOCKS};
static const struct mix domain_mix = {
    {RAW, MEM, OBJ, OBJ}, buffer_size, .odd = 60, .resize = 20, .live_max = 5000};
static const struct mix limit_mix = {
    {MEM, OBJ, OBJ, RAW}, limit_size, .odd = 20, .resize = 60, .live_max = 20000};
static const struct mix large_mix = {
    {OBJ, MEM, OBJ, MEM}, few_sizes, .odd = 1, .resize = 10, .live_max = SESSION_BLOCKS};

static void
run_objects(struct session *session, unsigned operations)
{
    churn_to_the_end(session, &object_mix, operations);
}

static void
run_domains(struct session *session, unsigned operations)
{
    churn_to_the_end(session, &domain_mix, operations);
}

static void
run_limits(struct session *session, unsigned operations)
{
    churn_to_the_end(session, &limit_mix, operations);
}

/* Generations: much is made, all of it dies, in an order of its own each time. */
static void
run_generations(struct session *session, unsigned operations)
{
    while (session->step < operations) {
        size_t target = 1000 + below(session, SESSION_BLOCKS - 1000);
        while (session->live_count < target)
            give(session, &large_mix);
        session_stats(session);
        unsigned order = (unsigned)below(session, 3);
        for (size_t left = below(session, 2) ? below(session, 500) : 0; session->live_count > left;)
            session_free(session, order == 0   ? session->live_count - 1
                                  : order == 1 ? 0
                                               : below(session, session->live_count));
        session_stats(session);
    }
    session_free_all(session);
    session_stats(session);
}

static void
run_unaligned_arenas(struct session *session, unsigned operations)
{
    session->hand[0].skew = HAND_PAGE_OFF;
    churn_to_the_end(session, &object_mix, operations);
}

static void
run_scattered_arenas(struct session *session, unsigned operations)
{
    session->hand[0].skew = HAND_MIXED;
    churn_to_the_end(session, &object_mix, operations);
}

/* The source gives nothing for a while: at first, every so often, and for a long time. */
static void
run_failing_arenas(struct session *session, unsigned operations)
{
    struct arena_hand *hand = &session->hand[0];
    hand->skew = HAND_MIXED;
    hand->closed = true;
    churn(session, &object_mix, operations / 10);
    hand->closed = false;
    for (unsigned every = 1; every <= 8; every++) {
        hand->refuse_every = every;
        churn(session, &object_mix, operations / 10);
    }
    hand->refuse_every = 0;
    churn_to_the_end(session, &object_mix, operations / 10);
}

/* One source takes over from another, with arenas of both about. */
static void
run_exchanged_arenas(struct session *session, unsigned operations)
{
    for (unsigned i = 0; i < 20; i++) {
        churn(session, &object_mix, operations / 20);
        PyObjectArenaAllocator arenas, now = hand_arenas(&session->hand[i % 2]);
        session->api.get_arenas(&arenas);
        session_say(session, "the source of arenas is %s",
                    memcmp(&arenas, &now, sizeof now) == 0 ? session->hand[i % 2].name : "another");
        arenas = hand_arenas(&session->hand[(i + 1) % 2]);
        session->api.set_arenas(&arenas);
    }
    churn_to_the_end(session, &object_mix, operations / 20);
}

/* Hooks come and go in the middle, one over another; some refuse now and then. */
static void
run_hooks(struct session *session, unsigned operations)
{
    for (unsigned i = 0; i < 40; i++) {
        PyMemAllocatorDomain domain = (PyMemAllocatorDomain)below(session, 3);
        unsigned hooks = session->hooks[domain];
        if (hooks < SESSION_HOOKS && (hooks == 0 || below(session, 2)))
            session_hook(session, domain, below(session, 3) ? 0 : 5 + (unsigned)below(session, 20));
        else
            session_unhook(session, domain);
        session_compare_allocators(session);
        churn(session, &domain_mix, operations / 40);
        session_stats(session);
    }
    session_free_all(session);
}

static void
set_up_debug_hooks(struct session *session)
{
    session->api.setup_debug_hooks();
    session->decorated = true;
    session_say(session, "debug hooks set up");
    session_compare_allocators(session);
}

static void
run_debug_objects(struct session *session, unsigned operations)
{
    set_up_debug_hooks(session);
    churn_to_the_end(session, &object_mix, operations);
}

static void
run_debug_domains(struct session *session, unsigned operations)
{
    set_up_debug_hooks(session);
    churn(session, &domain_mix, operations / 2);
    set_up_debug_hooks(session); /* again: nothing happens */
    churn_to_the_end(session, &domain_mix, operations / 2);
}

static void
run_debug_limits(struct session *session, unsigned operations)
{
    set_up_debug_hooks(session);
    churn_to_the_end(session, &limit_mix, operations);
}

static void
run_debug_failing_arenas(struct session *session, unsigned operations)
{
    set_up_debug_hooks(session);
    session->hand[0].refuse_every = 2;
    churn_to_the_end(session, &object_mix, operations);
}

/* Observers under the debug hooks and over them. Those below see 24 bytes more. */
static void
run_hooks_around_debug(struct session *session, unsigned operations)
{
    for (unsigned i = 0; i < 3; i++)
        session_hook(session, (PyMemAllocatorDomain)i, 9 + i);
    session_compare_allocators(session);
    set_up_debug_hooks(session);
    churn(session, &domain_mix, operations / 2);
    for (unsigned i = 0; i < 3; i++)
        session_hook(session, (PyMemAllocatorDomain)i, 11 + i);
    session_compare_allocators(session);
    churn_to_the_end(session, &domain_mix, operations / 2);
    for (unsigned i = 0; i < 3; i++)
        session_unhook(session, (PyMemAllocatorDomain)i);
    churn_to_the_end(session, &domain_mix, operations / 10);
}

/* The debug hooks set up late, while plain blocks live that nobody touches any more; taken away and
 * set up again. */
static void
run_late_debug(struct session *session, unsigned operations)
{
    PyMemAllocatorEx plain[3];
    churn(session, &domain_mix, operations / 4);
    session->live_count = 0;
    for (int i = 0; i < 3; i++)
        session->api.get_allocator((PyMemAllocatorDomain)i, &plain[i]);
    set_up_debug_hooks(session);
    churn(session, &domain_mix, operations / 4);
    session_free_all(session);
    for (int i = 0; i < 3; i++)
        session->api.set_allocator((PyMemAllocatorDomain)i, &plain[i]);
    session->decorated = false;
    session_compare_allocators(session);
    churn(session, &domain_mix, operations / 4);
    session_free_all(session);
    set_up_debug_hooks(session);
    churn_to_the_end(session, &domain_mix, operations / 4);
}

/* The exchange of allocators itself. */
static void
run_exchange(struct session *session, unsigned operations)
{
    static const int strange[] = {3, 4, 255, -1};
    for (unsigned i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        PyMemAllocatorEx allocator, zero;
        memset(&allocator, 0xff, sizeof allocator);
        memset(&zero, 0, sizeof zero);
        session->api.get_allocator((PyMemAllocatorDomain)strange[i], &allocator);
        session_say(session, "domain %d: %s", strange[i],
                    memcmp(&allocator, &zero, sizeof zero) == 0 ? "all NULL" : "something");
        session->api.get_allocator(OBJ, &allocator);
        session->api.set_allocator((PyMemAllocatorDomain)strange[i], &allocator);
    }
    for (int i = 0; i < 3; i++) {
        PyMemAllocatorEx before, after, mine;
        session->api.get_allocator((PyMemAllocatorDomain)i, &before);
        session->api.get_allocator((PyMemAllocatorDomain)i, &after);
        session_say(session, "got twice: %s",
                    memcmp(&before, &after, sizeof before) ? "not the same" : "the same");
        session_hook(session, (PyMemAllocatorDomain)i, 0);
        session->api.get_allocator((PyMemAllocatorDomain)i, &mine);
        session_say(session, "got back what was set: %d", mine.ctx == &session->hook[i][0]);
        memset(&mine, 0, sizeof mine); /* copied by value: this changes nothing */
        session_malloc(session, (PyMemAllocatorDomain)i, 8);
        session_unhook(session, (PyMemAllocatorDomain)i);
        session->api.get_allocator((PyMemAllocatorDomain)i, &after);
        session_say(session, "as before: %s",
                    memcmp(&before, &after, sizeof before) ? "no" : "yes");
    }
    session_compare_allocators(session);
    churn_to_the_end(session, &domain_mix, operations);
}

/* PYTHONMALLOCSTATS: the statistics before each new arena, unless a hook stands over OBJ. */
static void
run_dumps(struct session *session, unsigned operations)
{
    churn(session, &object_mix, operations / 4);
    session_hook(session, OBJ, 0);
    churn(session, &large_mix, operations / 4);
    session_unhook(session, OBJ);
    churn(session, &large_mix, operations / 4);
    session_free_all(session);
    set_up_debug_hooks(session);
    churn_to_the_end(session, &large_mix, operations / 4);
}

const struct script scripts[] = {
    {"objects", 600000, run_objects},
    {"generations", 1000000, run_generations},
    {"domains", 200000, run_domains},
    {"limits", 200000, run_limits},
    {"unaligned-arenas", 300000, run_unaligned_arenas},
    {"scattered-arenas", 300000, run_scattered_arenas},
    {"failing-arenas", 300000, run_failing_arenas},
    {"exchanged-arenas", 300000, run_exchanged_arenas},
    {"hooks", 100000, run_hooks},
    {"exchange", 20000, run_exchange},
    {"debug-objects", 200000, run_debug_objects},
    {"debug-domains", 100000, run_debug_domains},
    {"debug-limits", 100000, run_debug_limits},
    {"debug-failing-arenas", 100000, run_debug_failing_arenas},
    {"hooks-around-debug", 60000, run_hooks_around_debug},
    {"late-debug", 100000, run_late_debug},
    {"dumps", 100000, run_dumps},
    {NULL, 0, NULL},
};
