/* PyMem_SetupDebugHooks for the process.
 *
 * CPython has one record a domain, and only looks whether the topmost allocator is a debug hook. A
 * program that lays a hook of its own over the debug hook, and calls this again, makes the record
 * point at its own hook, which leads back to the record: the next allocation never ends.
 *
 * Here a record in use is never changed. When the topmost allocator is unknown and there are debug
 * hooks of earlier calls, nothing is freed through it, and one byte allocated and freed: if an
 * earlier hook notices, it lies below, and the domain stays as it is, since its blocks carry the
 * decoration already. If none does, the domain gets a new record. So calling it again is harmless,
 * whatever lies above.
 */
#include "alloc/pymem_debug.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/c_library.h"
#include "alloc/heap.h"
#include "alloc/pymem_domains.h"

/* Records are kept for good: somebody may have a copy of their functions. */
typedef struct record {
    rh_debug_hook hook;
    struct record *older;
} record;

static record first_records[RH_DOMAINS];
static record *newest[RH_DOMAINS];
static rh_debug_settings settings;

const char rh_pymem_no_thread_state[] =
    "Python memory allocator called without an active thread state. Are you trying to call it "
    "inside of a Py_BEGIN_ALLOW_THREADS block?";

static bool
same(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->ctx == b->ctx && a->malloc == b->malloc && a->calloc == b->calloc &&
           a->realloc == b->realloc && a->free == b->free;
}

/* How often the domain's hooks have made a block or freed nothing. */
static uint64_t
signs_of_life(PyMemAllocatorDomain domain)
{
    uint64_t sum = 0;
    for (const record *one = newest[domain]; one; one = one->older)
        sum += atomic_load_explicit(&one->hook.births, memory_order_relaxed) +
               atomic_load_explicit(&one->hook.idle_frees, memory_order_relaxed);
    return sum;
}

/* Whether what `top` is asked for reaches one of the domain's hooks: a free of nothing, which few
 * keep to themselves, or a block, which some refuse. */
static bool
reaches_hooks(PyMemAllocatorDomain domain, const PyMemAllocatorEx *top)
{
    uint64_t before = signs_of_life(domain);
    top->free(top->ctx, NULL);
    if (signs_of_life(domain) != before)
        return true;
    void *block = top->malloc(top->ctx, 1);
    if (block)
        top->free(top->ctx, block);
    return signs_of_life(domain) != before;
}

static record *
new_record(PyMemAllocatorDomain domain)
{
    return newest[domain] ? calloc(1, sizeof(record)) : &first_records[domain];
}

/* Whether this is an allocator of the process's own, below which there is no hook. */
static bool
is_plain(const PyMemAllocatorEx *top)
{
    PyMemAllocatorEx pymalloc;
    return same(top, &rh_c_library) || (rh_domains_pymalloc(&pymalloc) && same(top, &pymalloc));
}

/* The record to lie over `top`: an earlier one where the program has put its allocator back. NULL
 * when there is a hook below already: an allocator that lies over a record may have been below it
 * earlier. */
static record *
record_over(PyMemAllocatorDomain domain, const PyMemAllocatorEx *top)
{
    if (newest[domain] && !is_plain(top) && reaches_hooks(domain, top))
        return NULL;
    record *found = newest[domain];
    while (found && !same(&found->hook.inner, top))
        found = found->older;
    if (found)
        return found;
    found = new_record(domain);
    if (!found)
        return NULL;
    rh_debug_hook_init(&found->hook, domain, top, &settings);
    found->hook.shared = domain == PYMEM_DOMAIN_RAW;
    found->older = newest[domain];
    newest[domain] = found;
    return found;
}

static void
set_up(PyMemAllocatorDomain domain)
{
    PyMemAllocatorEx top;
    PyMem_GetAllocator(domain, &top);
    if (rh_debug_hook_of(&top))
        return;
    record *over = record_over(domain, &top);
    if (!over)
        return;
    PyMemAllocatorEx functions = rh_debug_hook_functions(&over->hook);
    PyMem_SetAllocator(domain, &functions);
}

/* As the hooks of the version whose memory the process has. */
static void
choose_version(const char *version)
{
    settings.fill = rh_debug_fill_new;
    settings.words = RH_DEBUG_WORDS_3_9;
    if (strcmp(version, "3.8") == 0)
        settings.words = RH_DEBUG_WORDS_3_8;
    if (strcmp(version, "3.7") == 0)
        settings.words = RH_DEBUG_WORDS_3_7;
    settings.serial = settings.words == RH_DEBUG_WORDS_3_7;
}

void
PyMem_SetupDebugHooks(void)
{
    rh_domains_lock();
    rh_domains_heap(); /* the version is settled from here on */
    choose_version(rh_domains_version());
    for (int i = 0; i < RH_DOMAINS; i++)
        set_up((PyMemAllocatorDomain)i);
    rh_domains_unlock();
}

bool
rh_pymem_print_numbered(bool (*print)(void *ctx, FILE *out), void *ctx, FILE *out)
{
    return rh_debug_print_numbered(&settings, print, ctx, out);
}

void
rh_pymem_set_lock_check(bool (*may_call)(void *ctx), void *ctx, const char *message)
{
    settings.may_call = may_call;
    settings.may_call_ctx = ctx;
    settings.lock_message = message;
}

void
rh_pymem_set_traceback(rh_debug_traced (*print)(void *ctx, const void *p, const char *heading,
                                                FILE *out),
                       void *ctx)
{
    settings.print_trace = print;
    settings.trace_ctx = ctx;
}

void
rh_pymem_fatal(const char *function, const char *message)
{
    rh_debug_fatal(&settings, function, message);
}

void
rh_pymem_set_runtime_state(const char *(*state)(void *ctx), void *ctx)
{
    settings.runtime_state = state;
    settings.state_ctx = ctx;
}

void
rh_pymem_set_free_threaded_hooks(bool free_threaded)
{
    settings.free_threaded = free_threaded;
}

const PyMemAllocatorEx *
rh_pymem_under_debug_hooks(const PyMemAllocatorEx *allocator)
{
    const rh_debug_hook *hook = rh_debug_hook_of(allocator);
    return hook ? &hook->inner : NULL;
}
