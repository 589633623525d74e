/* A hook is the allocator below it, one record, and nothing else that could be avoided: each domain
 * and each way of taking the time has functions of its own, made from the inline ones here, so that
 * kind and domain are constants in the code.
 *
 * A thread's depth goes up for the length of a MEM or OBJ call. A RAW call that finds it up was
 * made by the allocator for itself (pymalloc hands what it does not serve on to RAW); it is nested
 * and, as the interpreter lock is held, goes to the main ring. Where the C library's functions are
 * recorded too, RAW calls are deep as well: what they call is nested in them.
 */
#define _GNU_SOURCE
#include "traces/recorder/python_hooks.h"

#include <string.h>

enum { DOMAINS = 3 };

/* The sets of hooks: how the time is taken, whether frees jump, whether RAW calls are deep. */
enum { JUMPING, UNTIMED, COARSE, EXACT, DEEP_UNTIMED, DEEP_COARSE, DEEP_EXACT, SETS };

/* What this thread's last free in MEM or OBJ freed, if that jumped. */
static _Thread_local void *freeing __attribute__((tls_model("initial-exec")));

/* What the hooks lie over. */
static PyMemAllocatorEx below[DOMAINS];
static PyObjectArenaAllocator arenas_below;

static struct {
    rh_python python;
    uint64_t arena_bytes;
    uint64_t births;          /* arenas ever got */
    uint64_t next_checkpoint; /* before this birth */
    bool installed, checkpoints, print_too;
    FILE *stream; /* into `text`; made ahead, since the hooks must not allocate */
    char text[RH_CHECKPOINT_BYTES];
    size_t text_bytes;
    char buffer[4096];
} hooks = {.next_checkpoint = 1};

RH_INLINE void *
leave_with(rh_timing timing, uint64_t kind, unsigned domain, void *block, uint64_t size)
{
    uint64_t place = rh_recorder_place - RH_DEPTH_ONE;
    rh_recorder_place = place;
    rh_put_main(timing, RH_WHAT(kind, domain, block), size, place);
    return block;
}

RH_INLINE void *
locked_malloc(unsigned domain, rh_timing timing, size_t size)
{
    rh_recorder_place += RH_DEPTH_ONE;
    void *block = below[domain].malloc(below[domain].ctx, size);
    return leave_with(timing, RH_RECORD_MALLOC, domain, block, size);
}

/* Both factors small: one number. */
RH_INLINE bool
factors_fit(size_t count, size_t element)
{
    return ((count | element) >> RH_CALLOC_COUNT_SHIFT) == 0;
}

RH_INLINE void *
locked_calloc(unsigned domain, rh_timing timing, size_t count, size_t element)
{
    rh_recorder_place += RH_DEPTH_ONE;
    void *block = below[domain].calloc(below[domain].ctx, count, element);
    if (RH_LIKELY(factors_fit(count, element)))
        return leave_with(timing, RH_RECORD_CALLOC, domain, block,
                          count << RH_CALLOC_COUNT_SHIFT | element);
    rh_recorder_place -= RH_DEPTH_ONE;
    rh_put_main_calloc(timing, RH_WHAT(RH_RECORD_CALLOC, domain, block), count, element);
    return block;
}

RH_INLINE void *
locked_realloc(unsigned domain, rh_timing timing, void *old, size_t size)
{
    rh_record_kind kind = RH_RECORD_REALLOC_NULL;
    if (old) {
        kind = RH_RECORD_REALLOC;
        rh_put_main(timing, RH_WHAT(RH_RECORD_REALLOC_FROM, domain, old), 0, rh_recorder_place);
    }
    rh_recorder_place += RH_DEPTH_ONE;
    void *block = below[domain].realloc(below[domain].ctx, old, size);
    return leave_with(timing, kind, domain, block, size);
}

RH_INLINE void
locked_free(unsigned domain, rh_timing timing, void *block)
{
    rh_put_main(timing, RH_WHAT(RH_RECORD_FREE, domain, block), 0, rh_recorder_place);
    rh_recorder_place += RH_DEPTH_ONE;
    below[domain].free(below[domain].ctx, block);
    rh_recorder_place -= RH_DEPTH_ONE;
}

RH_INLINE void
jumping_free(unsigned domain, void *block)
{
    rh_put_main(RH_TIMING_NONE, RH_WHAT(RH_RECORD_FREE, domain, block), 0, rh_recorder_place);
    freeing = block;
    below[domain].free(below[domain].ctx, block);
}

RH_INLINE void
put_raw(rh_timing timing, uint64_t what, uint64_t size)
{
    uint64_t place = rh_recorder_place;
    if (place & RH_LOCKED_FIELD)
        rh_put_main(timing, what, size, place);
    else
        rh_put_raw(what, size, place);
}

/* What a deep RAW call adds to the thread's place. */
RH_INLINE uint64_t
raw_depth(bool deep)
{
    if (!deep || rh_recorder_place & RH_RAW_DEPTH)
        return 0;
    return rh_recorder_place & RH_LOCKED_FIELD ? RH_DEPTH_ONE : RH_RAW_DEPTH;
}

/* An address that lives again is no longer the one that was freed. */
RH_INLINE void
forget(const void *block)
{
    if (block == freeing)
        freeing = NULL;
}

RH_INLINE void *
raw_malloc(rh_timing timing, bool deep, size_t size)
{
    uint64_t depth = raw_depth(deep);
    rh_recorder_place += depth;
    void *block = below[PYMEM_DOMAIN_RAW].malloc(below[PYMEM_DOMAIN_RAW].ctx, size);
    rh_recorder_place -= depth;
    forget(block);
    put_raw(timing, RH_WHAT(RH_RECORD_MALLOC, PYMEM_DOMAIN_RAW, block), size);
    return block;
}

RH_INLINE void *
raw_calloc(rh_timing timing, bool deep, size_t count, size_t element)
{
    uint64_t depth = raw_depth(deep);
    rh_recorder_place += depth;
    void *block = below[PYMEM_DOMAIN_RAW].calloc(below[PYMEM_DOMAIN_RAW].ctx, count, element);
    rh_recorder_place -= depth;
    uint64_t what = RH_WHAT(RH_RECORD_CALLOC, PYMEM_DOMAIN_RAW, block);
    forget(block);
    if (factors_fit(count, element))
        put_raw(timing, what, count << RH_CALLOC_COUNT_SHIFT | element);
    else if (rh_recorder_place & RH_LOCKED_FIELD)
        rh_put_main_calloc(timing, what, count, element);
    else
        rh_put_thread_calloc(what, count, element);
    return block;
}

RH_INLINE void *
raw_realloc(rh_timing timing, bool deep, void *old, size_t size)
{
    rh_record_kind kind = RH_RECORD_REALLOC_NULL;
    if (old) {
        kind = RH_RECORD_REALLOC;
        put_raw(timing, RH_WHAT(RH_RECORD_REALLOC_FROM, PYMEM_DOMAIN_RAW, old), 0);
    }
    uint64_t depth = raw_depth(deep);
    rh_recorder_place += depth;
    void *block = below[PYMEM_DOMAIN_RAW].realloc(below[PYMEM_DOMAIN_RAW].ctx, old, size);
    rh_recorder_place -= depth;
    forget(block);
    put_raw(timing, RH_WHAT(kind, PYMEM_DOMAIN_RAW, block), size);
    return block;
}

RH_INLINE void
raw_free(rh_timing timing, bool deep, void *block)
{
    uint64_t what = RH_WHAT(RH_RECORD_FREE, PYMEM_DOMAIN_RAW, block);
    if (block && block == freeing) {
        freeing = NULL;
        rh_put_main(timing, what, 0, rh_recorder_place + RH_DEPTH_ONE);
    } else {
        put_raw(timing, what, 0);
    }
    uint64_t depth = raw_depth(deep);
    rh_recorder_place += depth;
    below[PYMEM_DOMAIN_RAW].free(below[PYMEM_DOMAIN_RAW].ctx, block);
    rh_recorder_place -= depth;
}

/* The functions that are installed: NAME_malloc_SET and so on. */
#define LOCKED_HOOKS(name, domain, set, timing)                                                    \
    static void *name##_malloc_##set(void *ctx, size_t size)                                       \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return locked_malloc(domain, timing, size);                                                \
    }                                                                                              \
    static void *name##_calloc_##set(void *ctx, size_t count, size_t element)                      \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return locked_calloc(domain, timing, count, element);                                      \
    }                                                                                              \
    static void *name##_realloc_##set(void *ctx, void *old, size_t size)                           \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return locked_realloc(domain, timing, old, size);                                          \
    }                                                                                              \
    static void name##_free_##set(void *ctx, void *block)                                          \
    {                                                                                              \
        (void)ctx;                                                                                 \
        locked_free(domain, timing, block);                                                        \
    }
#define RAW_HOOKS(set, timing, deep)                                                               \
    static void *raw_malloc_##set(void *ctx, size_t size)                                          \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return raw_malloc(timing, deep, size);                                                     \
    }                                                                                              \
    static void *raw_calloc_##set(void *ctx, size_t count, size_t element)                         \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return raw_calloc(timing, deep, count, element);                                           \
    }                                                                                              \
    static void *raw_realloc_##set(void *ctx, void *old, size_t size)                              \
    {                                                                                              \
        (void)ctx;                                                                                 \
        return raw_realloc(timing, deep, old, size);                                               \
    }                                                                                              \
    static void raw_free_##set(void *ctx, void *block)                                             \
    {                                                                                              \
        (void)ctx;                                                                                 \
        raw_free(timing, deep, block);                                                             \
    }
#define HOOKS(set, timing)                                                                         \
    LOCKED_HOOKS(mem, PYMEM_DOMAIN_MEM, set, timing)                                               \
    LOCKED_HOOKS(obj, PYMEM_DOMAIN_OBJ, set, timing)                                               \
    RAW_HOOKS(set, timing, false)
#define TABLE(name, set)                                                                           \
    {                                                                                              \
        NULL, name##_malloc_##set, name##_calloc_##set, name##_realloc_##set, name##_free_##set    \
    }

HOOKS(untimed, RH_TIMING_NONE)
HOOKS(coarse, RH_TIMING_COARSE)
HOOKS(exact, RH_TIMING_EXACT)
RAW_HOOKS(deep_untimed, RH_TIMING_NONE, true)
RAW_HOOKS(deep_coarse, RH_TIMING_COARSE, true)
RAW_HOOKS(deep_exact, RH_TIMING_EXACT, true)

static void
mem_free_jumping(void *ctx, void *block)
{
    (void)ctx;
    jumping_free(PYMEM_DOMAIN_MEM, block);
}

static void
obj_free_jumping(void *ctx, void *block)
{
    (void)ctx;
    jumping_free(PYMEM_DOMAIN_OBJ, block);
}

#define JUMPING_TABLE(name)                                                                        \
    {                                                                                              \
        NULL, name##_malloc_untimed, name##_calloc_untimed, name##_realloc_untimed,                \
            name##_free_jumping                                                                    \
    }

static const PyMemAllocatorEx tables[SETS][DOMAINS] = {
    [JUMPING] = {TABLE(raw, untimed), JUMPING_TABLE(mem), JUMPING_TABLE(obj)},
    [UNTIMED] = {TABLE(raw, untimed), TABLE(mem, untimed), TABLE(obj, untimed)},
    [COARSE] = {TABLE(raw, coarse), TABLE(mem, coarse), TABLE(obj, coarse)},
    [EXACT] = {TABLE(raw, exact), TABLE(mem, exact), TABLE(obj, exact)},
    [DEEP_UNTIMED] = {TABLE(raw, deep_untimed), TABLE(mem, untimed), TABLE(obj, untimed)},
    [DEEP_COARSE] = {TABLE(raw, deep_coarse), TABLE(mem, coarse), TABLE(obj, coarse)},
    [DEEP_EXACT] = {TABLE(raw, deep_exact), TABLE(mem, exact), TABLE(obj, exact)},
};

static unsigned
choose_set(rh_timing timing, bool libc_too, bool plain_pymalloc)
{
    if (timing == RH_TIMING_NONE && !libc_too)
        return plain_pymalloc ? JUMPING : UNTIMED;
    static const unsigned sets[][2] = {[RH_TIMING_NONE] = {UNTIMED, DEEP_UNTIMED},
                                       [RH_TIMING_COARSE] = {COARSE, DEEP_COARSE},
                                       [RH_TIMING_EXACT] = {EXACT, DEEP_EXACT}};
    return sets[timing][libc_too];
}

static ssize_t
keep_text(void *cookie, const char *bytes, size_t count)
{
    (void)cookie;
    size_t room = sizeof hooks.text - hooks.text_bytes;
    size_t kept = count < room ? count : room;
    memcpy(hooks.text + hooks.text_bytes, bytes, kept);
    hooks.text_bytes += kept;
    return (ssize_t)count;
}

/* The interpreter prints its statistics only while its own function serves OBJ. Nobody else can be
 * in an OBJ call (the lock), and RAW callers see no change. */
static void
print_statistics(FILE *out)
{
    PyMemAllocatorEx current;
    hooks.python.get_allocator(PYMEM_DOMAIN_OBJ, &current);
    hooks.python.set_allocator(PYMEM_DOMAIN_OBJ, &below[PYMEM_DOMAIN_OBJ]);
    hooks.python.print_statistics(out);
    hooks.python.set_allocator(PYMEM_DOMAIN_OBJ, &current);
}

static size_t
statistics_text(void)
{
    hooks.text_bytes = 0;
    print_statistics(hooks.stream);
    fflush(hooks.stream);
    return hooks.text_bytes;
}

/* An interpreter with arenas of its own has none yet when it asks for its first; one that shares
 * the main one's has as many as were recorded. Recording two heaps as one would be wrong. */
static bool
own_heap(void)
{
    const rh_python *python = &hooks.python;
    if (python->minor < 12 || !python->current_interpreter || !python->interpreter_id)
        return false;
    void *interpreter = python->current_interpreter();
    if (!interpreter || python->interpreter_id(interpreter) == 0)
        return false;
    if (!python->print_statistics || !hooks.stream || statistics_text() == 0)
        return true;
    hooks.text[hooks.text_bytes < sizeof hooks.text ? hooks.text_bytes : sizeof hooks.text - 1] = 0;
    const char *line = strstr(hooks.text, "# arenas allocated total");
    uint64_t total = 0;
    for (const char *at = line ? strchr(line, '=') : NULL; at && *at && *at != '\n'; at++) {
        if (*at >= '0' && *at <= '9')
            total = total * 10 + (uint64_t)(*at - '0');
    }
    return total != hooks.births;
}

/* Inside MEM or OBJ: an arena. Outside: the interpreter's frame stack, or hooks that were wiped. */
static bool
is_arena(size_t size)
{
    if (size != hooks.arena_bytes || !rh_recorder_gate.open)
        return false;
    if (rh_recorder_place & RH_DEPTH_FIELD)
        return true;
    PyMemAllocatorEx current;
    hooks.python.get_allocator(PYMEM_DOMAIN_OBJ, &current);
    if (current.malloc == below[PYMEM_DOMAIN_OBJ].malloc)
        rh_producer_close("the program put other allocators in place of the recorder's hooks");
    return false;
}

static void
before_arena(void)
{
    if (own_heap()) {
        rh_producer_close("a second interpreter with a heap and a lock of its own was started; "
                          "that cannot be recorded yet");
        return;
    }
    if (hooks.print_too && hooks.python.print_statistics)
        print_statistics(stderr);
    if (hooks.checkpoints && hooks.births + 1 == hooks.next_checkpoint) {
        hooks.next_checkpoint *= 2;
        size_t length = statistics_text();
        if (length)
            rh_put_checkpoint(hooks.text, length);
    }
}

/* Never timed: the collector looks for an arena's death right behind the free that caused it. */
static void *
arena_alloc(void *ctx, size_t size)
{
    (void)ctx;
    bool arena = is_arena(size);
    if (arena)
        before_arena();
    void *base = arenas_below.alloc(arenas_below.ctx, size);
    if (arena) {
        hooks.births += base != NULL;
        rh_put_main(RH_TIMING_NONE, RH_WHAT(RH_RECORD_ARENA_ALLOC, 0, base), size,
                    rh_recorder_place);
    }
    return base;
}

static void
arena_free(void *ctx, void *base, size_t size)
{
    (void)ctx;
    /* The frame stack's pieces of that size go along; the collector knows which ones were arenas.
     */
    if (size == hooks.arena_bytes && rh_recorder_gate.open && base)
        rh_put_main(RH_TIMING_NONE, RH_WHAT(RH_RECORD_ARENA_FREE, 0, base), size,
                    rh_recorder_place);
    arenas_below.free(arenas_below.ctx, base, size);
}

static void
open_stream(void)
{
    cookie_io_functions_t functions = {.write = keep_text};
    hooks.stream = fopencookie(NULL, "w", functions);
    if (hooks.stream)
        setvbuf(hooks.stream, hooks.buffer, _IOFBF, sizeof hooks.buffer);
}

void
rh_hooks_install(const rh_python *python, rh_timing timing, uint64_t arena_bytes, bool libc_too,
                 bool plain_pymalloc, bool checkpoints, bool print_statistics_too)
{
    hooks.python = *python;
    hooks.arena_bytes = arena_bytes;
    hooks.print_too = print_statistics_too;
    if (!hooks.installed)
        open_stream();
    hooks.checkpoints = checkpoints && hooks.stream && python->print_statistics;
    for (unsigned domain = 0; domain < DOMAINS && !hooks.installed; domain++) {
        PyMemAllocatorEx table = tables[choose_set(timing, libc_too, plain_pymalloc)][domain];
        python->get_allocator(domain, &below[domain]);
        python->set_allocator(domain, &table);
    }
    if (!hooks.installed) {
        PyObjectArenaAllocator arenas = {NULL, arena_alloc, arena_free};
        python->get_arenas(&arenas_below);
        python->set_arenas(&arenas);
    }
    hooks.installed = true;
}

void
rh_hooks_remove(void)
{
    for (unsigned domain = 0; domain < DOMAINS; domain++) {
        PyMemAllocatorEx current;
        hooks.python.get_allocator(domain, &current);
        for (unsigned set = 0; set < SETS; set++) {
            if (current.malloc == tables[set][domain].malloc)
                hooks.python.set_allocator(domain, &below[domain]);
        }
    }
    PyObjectArenaAllocator arenas;
    hooks.python.get_arenas(&arenas);
    if (arenas.alloc == arena_alloc)
        hooks.python.set_arenas(&arenas_below);
}

void
rh_hooks_at_exit(void)
{
    const rh_python *python = &hooks.python;
    if (!hooks.installed || python->minor > 11 || !python->print_statistics)
        return;
    /* Threads that could change the heap are held back: the interpreter is gone, or locked by us.
     */
    if (python->is_initialized && python->is_initialized() &&
        !(python->holds_lock && python->holds_lock()))
        return;
    if (hooks.print_too)
        print_statistics(stderr);
    if (hooks.checkpoints && hooks.births > 0 && rh_recorder_gate.open) {
        size_t length = statistics_text();
        if (length)
            rh_put_checkpoint(hooks.text, length);
    }
}
