#include "alloc/pymem_trace.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/native_frames.h"
#include "alloc/pymem.h"
#include "alloc/pymem_debug.h"
#include "alloc/pymem_domains.h"
#include "alloc/trace_report.h"
#include "alloc/tracer.h"

/* All that blocks of the three domains are noted under, as in CPython. */
enum { BLOCKS = 0 };

static void die_of_lost_trace(void *ctx);

static rh_tracer tracer = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .frames_most = 1, .lost = die_of_lost_trace};
static const rh_frame_provider *next_provider;

/* Tracing allocators around one choice of saved ones. A thread may be in the middle of one after
 * the tracing has ended, so they stay, and are used again for the same choice. */
typedef struct wrapping {
    rh_traced traced[RH_DOMAINS];
    PyMemAllocatorEx outer[RH_DOMAINS];
    struct wrapping *older;
} wrapping;

static wrapping first_wrapping; /* needs no memory that might not be there */
static wrapping *newest, *installed;

/* A block was resized, and the trace of what it is now cannot be stored: too late to fail. */
static void
die_of_lost_trace(void *ctx)
{
    (void)ctx;
    rh_pymem_fatal("tracemalloc_realloc", "tracemalloc_realloc() failed to allocate a trace");
}

/* What the debug hooks' reports ask. */
static rh_debug_traced
print_for_report(void *ctx, const void *ptr, const char *heading, FILE *out)
{
    (void)ctx;
    if (!rh_tracer_is_tracing(&tracer))
        return RH_DEBUG_TRACING_OFF;
    return rh_pymem_trace_print_traceback(ptr, heading, out) ? RH_DEBUG_TRACED : RH_DEBUG_UNTRACED;
}

/* ---- start and stop ---- */

static bool
is_same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

/* What is beneath: an allocator that is one of ours from an earlier start, which a hook's owner has
 * brought back, would otherwise be put around itself. */
static PyMemAllocatorEx
beneath(PyMemAllocatorDomain domain)
{
    PyMemAllocatorEx allocator;
    PyMem_GetAllocator(domain, &allocator);
    for (const wrapping *each = newest; each; each = each->older)
        if (is_same(&allocator, &each->outer[domain]))
            return each->traced[domain].inner;
    return allocator;
}

/* With the lock of the domains held. NULL when there is no memory. */
static wrapping *
wrapping_of(const PyMemAllocatorEx *inner)
{
    for (wrapping *each = newest; each; each = each->older) {
        bool same = true;
        for (unsigned i = 0; i < RH_DOMAINS; i++)
            same &= is_same(&each->traced[i].inner, &inner[i]);
        if (same)
            return each;
    }
    wrapping *made = newest ? malloc(sizeof *made) : &first_wrapping;
    if (!made)
        return NULL;
    for (unsigned i = 0; i < RH_DOMAINS; i++)
        rh_tracer_wrap(&made->traced[i], &tracer, BLOCKS, &inner[i], &made->outer[i]);
    made->older = newest;
    newest = made;
    return made;
}

static void
restore(const PyMemAllocatorEx *inner)
{
    for (unsigned i = 0; i < RH_DOMAINS; i++) {
        PyMemAllocatorEx allocator = inner[i];
        PyMem_SetAllocator((PyMemAllocatorDomain)i, &allocator);
    }
}

/* All three or none. */
static bool
install(wrapping *chosen, const PyMemAllocatorEx *inner)
{
    for (unsigned i = 0; i < RH_DOMAINS; i++) {
        PyMemAllocatorEx now;
        PyMem_SetAllocator((PyMemAllocatorDomain)i, &chosen->outer[i]);
        PyMem_GetAllocator((PyMemAllocatorDomain)i, &now);
        if (!is_same(&now, &chosen->outer[i])) { /* no memory to remember it */
            restore(inner);
            return false;
        }
    }
    installed = chosen;
    return true;
}

/* The lock of the domains first, as everywhere. In the child that lock is a new one. */
static void
before_fork(void)
{
    rh_domains_lock();
    rh_tracer_hold(&tracer);
}

static void
after_fork(void)
{
    rh_tracer_let_go(&tracer);
    rh_domains_unlock();
}

static void
after_fork_in_child(void)
{
    rh_tracer_let_go(&tracer);
}

static rh_status
start(long frames, rh_error *error)
{
    static bool survives_forks;
    if (!survives_forks)
        survives_forks = pthread_atfork(before_fork, after_fork, after_fork_in_child) == 0;
    PyMemAllocatorEx inner[RH_DOMAINS];
    for (unsigned i = 0; i < RH_DOMAINS; i++)
        inner[i] = beneath((PyMemAllocatorDomain)i);
    wrapping *chosen = wrapping_of(inner);
    if (!chosen || !install(chosen, inner))
        return rh_fail(error, RH_SYSTEM, "no memory for the tracing allocators");
    rh_tracer_set_provider(&tracer, next_provider);
    rh_pymem_set_traceback(print_for_report, NULL);
    return rh_tracer_start(&tracer, frames, error);
}

rh_status
rh_pymem_trace_start(long frames, rh_error *error)
{
    if (frames < 1 || frames > RH_FRAMES_MOST)
        return rh_fail(error, RH_USAGE, RH_TRACER_FRAMES_TEXT);
    rh_domains_lock();
    rh_status status = rh_tracer_is_tracing(&tracer) ? RH_OK : start(frames, error);
    rh_domains_unlock();
    return status;
}

void
rh_pymem_trace_stop(void)
{
    rh_domains_lock();
    if (rh_tracer_is_tracing(&tracer)) {
        PyMemAllocatorEx inner[RH_DOMAINS];
        for (unsigned i = 0; i < RH_DOMAINS; i++)
            inner[i] = installed->traced[i].inner;
        rh_tracer_stop(&tracer);
        restore(inner);
    }
    rh_domains_unlock();
}

bool
rh_pymem_trace_is_tracing(void)
{
    return rh_tracer_is_tracing(&tracer);
}

size_t
rh_pymem_trace_frame_limit(void)
{
    rh_domains_lock();
    size_t most = tracer.frames_most;
    rh_domains_unlock();
    return most;
}

void
rh_pymem_trace_set_provider(const rh_frame_provider *provider)
{
    rh_domains_lock();
    next_provider = provider;
    rh_domains_unlock();
}

const rh_frame_provider *
rh_pymem_trace_native_frames(void)
{
    return rh_native_frames();
}

/* The minor version of the CPython that the process stands in for. */
static long
minor_version(void)
{
    const char *minor = strchr(rh_domains_version(), '.');
    return minor ? strtol(minor + 1, NULL, 10) : 0;
}

/* As CPython reads it: a whole number that fits an int, blanks before it allowed, and not below 0;
 * 3.7 refuses 0 as well. */
static bool
parse_frames(const char *value, long *frames)
{
    char *end;
    errno = 0;
    *frames = strtol(value, &end, 10);
    return end != value && *end == '\0' && errno == 0 && *frames <= INT_MAX &&
           *frames >= (minor_version() == 7 ? 1 : 0);
}

static rh_status
refuse_value(rh_error *error)
{
    return rh_fail(error, RH_USAGE,
                   "Fatal Python error: config_init_tracemalloc: PYTHONTRACEMALLOC: invalid number "
                   "of frames\n%s",
                   minor_version() == 7 ? "" : "Python runtime state: preinitialized\n");
}

rh_status
rh_pymem_trace_configure(const char *value, rh_error *error)
{
    long frames;
    if (!value || !*value)
        return RH_OK;
    if (!parse_frames(value, &frames))
        return refuse_value(error);
    if (frames == 0)
        return RH_OK;
    rh_error why = {0};
    rh_status status = rh_pymem_trace_start(frames, &why);
    if (status == RH_USAGE)
        return rh_fail(error, RH_USAGE,
                       "Fatal Python error: init_interp_main: can't %s tracemalloc\n"
                       "Python runtime state: core initialized\nValueError: %s\n",
                       minor_version() >= 12 ? "start" : "initialize", why.message);
    return status == RH_OK ? RH_OK : rh_fail(error, status, "%s", why.message);
}

/* ---- what it knows ---- */

int
PyTraceMalloc_Track(unsigned int domain, uintptr_t ptr, size_t size)
{
    return rh_tracer_track(&tracer, domain, ptr, size);
}

int
PyTraceMalloc_Untrack(unsigned int domain, uintptr_t ptr)
{
    return rh_tracer_untrack(&tracer, domain, ptr);
}

void
rh_pymem_trace_clear(void)
{
    rh_tracer_clear(&tracer);
}

void
rh_pymem_trace_reset_peak(void)
{
    rh_tracer_reset_peak(&tracer);
}

void
rh_pymem_trace_get_traced(size_t *traced_bytes, size_t *peak_bytes)
{
    rh_tracer_figures figures;
    rh_tracer_get_figures(&tracer, &figures);
    *traced_bytes = figures.traced_bytes;
    *peak_bytes = figures.peak_bytes;
}

size_t
rh_pymem_trace_get_memory(void)
{
    rh_tracer_figures figures;
    rh_tracer_get_figures(&tracer, &figures);
    return figures.table_bytes;
}

size_t
rh_pymem_trace_get_traceback(unsigned domain, uintptr_t ptr, rh_frame *frames, size_t most,
                             size_t *total)
{
    return rh_tracer_get_traceback(&tracer, domain, ptr, frames, most, total);
}

void
rh_pymem_trace_renew(const void *ptr)
{
    rh_tracer_renew(&tracer, BLOCKS, (uintptr_t)ptr);
}

rh_status
rh_pymem_trace_snapshot(rh_trace_snapshot *snapshot, rh_error *error)
{
    return rh_trace_snapshot_take(snapshot, &tracer, error);
}

void
rh_pymem_trace_print(FILE *out)
{
    rh_trace_report_write(&tracer, out);
}

bool
rh_pymem_trace_print_traceback(const void *ptr, const char *heading, FILE *out)
{
    return rh_trace_report_origin(&tracer, BLOCKS, (uintptr_t)ptr, heading, out);
}
