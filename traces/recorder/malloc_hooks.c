/* The C library's allocation functions, under their own names: preloaded, they come before whatever
 * else in the process has them (the C library's, or those of another allocator), pass every call on
 * to it, and record it.
 *
 * Whoever comes first. The loader and the constructors of other libraries allocate before anything
 * of ours has run. So the functions below are looked up at the first call, and the process enlists
 * as soon as it has an environment to look into; calls until then are kept and recorded first.
 * Looking up may itself allocate: what is asked for in the meantime comes out of a small piece of
 * static memory, and is never given back.
 *
 * A call is recorded after it when it allocates and before it when it frees.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/recorder/attach.h"
#include "traces/recorder/channel.h"
#include "traces/recorder/enlist.h"
#include "traces/recorder/exec_hooks.h"
#include "traces/recorder/late.h"
#include "traces/recorder/new_hooks.h"
#include "traces/recorder/producer.h"
#include "traces/recorder/reheap_mark.h"
#include "traces/recorder/relink.h"

#define EXPORTED      __attribute__((visibility("default")))
#define UNLIKELY(c)   __builtin_expect(!!(c), 0)
#define WHAT(kind, p) RH_WHAT(RH_RECORD_##kind, LIBC_DOMAIN, p)

enum { EARLY_BYTES = 1 << 16, PAGE_BYTES = 4096, LIBC_DOMAIN = RH_RECORD_LIBC_DOMAIN };

/* Older names, which programs built long ago still call. */
EXPORTED void cfree(void *block);

/* Ours, whoever comes first under the name: a library that is opened later comes last. */
#ifdef __clang__
#define SAME_AS(name)
#else
#define SAME_AS(name) copy(name),
#endif
#define OWN(name)                                                                                  \
    extern __typeof__(name) own_##name                                                             \
        __attribute__((SAME_AS(name) alias(#name), visibility("hidden")))
OWN(malloc);
OWN(calloc);
OWN(realloc);
OWN(reallocarray);
OWN(free);
OWN(aligned_alloc);
OWN(posix_memalign);
OWN(memalign);
OWN(valloc);
OWN(pvalloc);
OWN(cfree);

static void *first_malloc(size_t size);

/* The functions below ours. Before they are known, malloc is the one that looks them up. */
static struct {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    int (*posix_memalign)(void **block, size_t alignment, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    size_t (*usable_size)(void *block);
} below = {.malloc = first_malloc};

enum { NEW, LOOKING, FOUND };
static _Atomic int lookup;

/* NEW until this process has enlisted, or cannot. */
enum { OUTSIDE = 1, ENLISTED };
static _Atomic int standing;
static const rh_session *session;
static rh_capture capture;
static bool takes_part;

static struct {
    alignas(16) unsigned char bytes[EARLY_BYTES];
    _Atomic size_t used;
} early;

/* ---- what is asked for while the functions below are looked up ---- */

static bool
is_early(const void *block)
{
    return (uintptr_t)block - (uintptr_t)early.bytes < EARLY_BYTES;
}

/* The size stands in the 16 bytes before. Zeroed, as it was never used. */
static void *
early_alloc(size_t alignment, size_t size)
{
    size_t bytes = (size + 15) / 16 * 16 + 16 + (alignment > 16 ? alignment : 0);
    if (size > EARLY_BYTES || alignment > EARLY_BYTES)
        return NULL;
    size_t at = atomic_fetch_add(&early.used, bytes);
    if (at + bytes > EARLY_BYTES)
        return NULL;
    uintptr_t block = (uintptr_t)early.bytes + at + 16;
    if (alignment > 16)
        block = (block + alignment - 1) & ~(uintptr_t)(alignment - 1);
    memcpy((void *)(block - sizeof size), &size, sizeof size);
    return (void *)block;
}

static size_t
early_size(const void *block)
{
    size_t size;
    memcpy(&size, (const unsigned char *)block - sizeof size, sizeof size);
    return size;
}

/* ---- getting ready ---- */

#define FIND(member, name)                                                                         \
    do {                                                                                           \
        void *symbol = dlsym(where, name);                                                         \
        memcpy(&below.member, &symbol, sizeof symbol);                                             \
    } while (0)

static void
look_up(void *where)
{
    FIND(malloc, "malloc");
    FIND(calloc, "calloc");
    FIND(realloc, "realloc");
    FIND(free, "free");
    FIND(aligned_alloc, "aligned_alloc");
    FIND(posix_memalign, "posix_memalign");
    FIND(memalign, "memalign");
    FIND(usable_size, "malloc_usable_size");
}

/* "libc.so.6": the file whose malloc is called. */
static void
name_allocator(rh_channel_facts *facts)
{
    Dl_info found;
    void *function;
    memcpy(&function, &below.malloc, sizeof function);
    const char *path = dladdr(function, &found) && found.dli_fname ? found.dli_fname : "";
    const char *name = strrchr(path, '/');
    snprintf(facts->allocator, sizeof facts->allocator, "%s", name ? name + 1 : path);
}

static void
record_operators(void *where)
{
    void *function;
    memcpy(&function, &below.malloc, sizeof function);
    rh_new_hooks_begin(where, function);
}

static void
open_gate(void)
{
    rh_channel *channel = &rh_recorder_channel.control;
    atomic_store(&standing, ENLISTED);
    rh_producer_start();
    if (capture == RH_CAPTURE_MALLOC) {
        rh_recorder_read_command(&channel->facts);
        name_allocator(&channel->facts);
        atomic_store_explicit(&channel->state, RH_CHANNEL_ATTACHED, memory_order_release);
    } /* else that is for when the interpreter can be looked at */
    rh_put_kept();
}

/* Whether the program's calls come to us: one that brings functions of these names itself is served
 * by them. (Our own functions' addresses would not tell: by their names they are those, too.) An
 * executable at a fixed address may have a stub under the name, which jumps to us. */
static bool
program_calls_us(void)
{
    Dl_info theirs, ours;
    ElfW(Sym) *symbol = NULL;
    void *found = dlsym(RTLD_DEFAULT, "malloc");
    if (!dladdr1(found, &theirs, (void **)&symbol, RTLD_DL_SYMENT) || !dladdr(&early, &ours))
        return false;
    return theirs.dli_fbase == ours.dli_fbase || (symbol && symbol->st_shndx == SHN_UNDEF);
}

static void
take_part(bool starter)
{
    if (!rh_producer_open(session, capture)) {
        rh_recorder_say("nothing takes the recording any more; the program goes on unrecorded");
        return;
    }
    if (!session->children)
        rh_recorder_leave_environment(session);
    rh_recorder_channel.control.facts.starter = starter;
    takes_part = true;
    if (capture == RH_CAPTURE_PYTHON)
        return; /* our functions only pass on; the rest when the interpreter can be looked at */
    if (program_calls_us()) {
        record_operators(RTLD_NEXT);
        rh_recorder_at_times = rh_relink_new_objects;
        open_gate();
    } else {
        rh_producer_close("it has a malloc of its own built in, and does not call the one that "
                          "can be put in its place");
    }
}

/* Shells, and programs whose work is to start another one. */
static bool
is_starter(void)
{
    static const char *const names[] = {
        "bash",   "dash",    "busybox", "zsh",    "ksh",     "ksh93",   "mksh",
        "fish",   "env",     "nice",    "nohup",  "time",    "timeout", "stdbuf",
        "setsid", "taskset", "chrt",    "ionice", "setarch", "flock",   "numactl"};
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(path, '/');
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (slash && strcmp(slash + 1, names[i]) == 0)
            return true;
    }
    return false;
}

/* Each program by what it is: an interpreter, or any other. What a starter starts comes here as
 * well, and is recorded if it is an interpreter, or led on to one. */
static void
enlist_by_kind(bool meant)
{
    bool python = rh_attach_finds_python(), starter = !python && is_starter();
    capture = python ? RH_CAPTURE_PYTHON : RH_CAPTURE_MALLOC;
    if (meant || starter)
        rh_recorder_follow(session, starter);
    if ((meant && (!starter || program_calls_us())) || python)
        take_part(starter);
    else
        rh_recorder_leave_environment(session);
}

static void
enlist(void)
{
    int saved = errno;
    session = rh_recorder_session();
    bool meant = session && (session->children || rh_recorder_is_root(session));
    if (session && session->capture == RH_CAPTURE_AUTO) {
        enlist_by_kind(meant);
    } else if (session && !meant) {
        rh_recorder_leave_environment(session);
    } else if (session) {
        rh_recorder_follow(session, false);
        capture = (rh_capture)session->capture;
        if (capture == RH_CAPTURE_MALLOC || rh_attach_finds_python())
            take_part(false);
    }
    rh_recorder_keeps = false;
    errno = saved;
}

/* The slow beginning of every function. True: the functions below can be called. */
static __attribute__((noinline)) bool
get_ready(void)
{
    static _Thread_local bool inside __attribute__((tls_model("initial-exec")));
    int expected = NEW;
    if (inside)
        return atomic_load(&lookup) == FOUND;
    inside = true;
    if (atomic_compare_exchange_strong(&lookup, &expected, LOOKING)) {
        look_up(RTLD_NEXT);
        rh_recorder_keeps = true;
        atomic_store(&lookup, FOUND);
    }
    while (atomic_load(&lookup) != FOUND)
        ; /* another thread is at it, and will not be long */
    expected = 0;
    if (environ && atomic_compare_exchange_strong(&standing, &expected, OUTSIDE))
        enlist();
    inside = false;
    return true;
}

static inline bool
ready(void)
{
    return __builtin_expect(atomic_load_explicit(&standing, memory_order_relaxed) != 0, 1) ||
           get_ready();
}

static void *
first_malloc(size_t size)
{
    return get_ready() ? below.malloc(size) : early_alloc(0, size);
}

__attribute__((constructor)) static void
begin(int argc, char **argv)
{
    int saved = errno;
    get_ready();
    /* With the gate shut, one that was open has been closed for good. */
    if (takes_part &&
        (capture == RH_CAPTURE_PYTHON || (capture == RH_CAPTURE_BOTH && rh_recorder_gate.open)))
        rh_attach_begin(session, capture, argc, argv);
    errno = saved;
}

__attribute__((destructor)) static void
end(void)
{
    rh_attach_end();
}

/* A forked child: with a channel of its own where children are wanted, else unrecorded. */
void
rh_recorder_in_child(void)
{
    if (rh_attach_done()) {
        rh_attach_in_child();
        return;
    }
    if (!session || !session->children || !rh_producer_open(session, capture)) {
        rh_recorder_gate.process_id = getpid();
        return;
    }
    rh_recorder_channel.control.facts.forked = 1;
    open_gate();
}

/* ---- the functions ---- */

/* malloc and free are most of what is called. A thread that has not been recorded yet is declined
 * by the fast way, so only what comes behind that asks whether all is ready. */

static __attribute__((noinline)) void *
end_malloc(void *block, size_t size, rh_put put)
{
    if (ready() && !is_early(block))
        rh_put_rest(put, WHAT(MALLOC, block), size);
    return block;
}

EXPORTED void *
malloc(size_t size)
{
    void *block = below.malloc(size);
    rh_put put = rh_put_short(RH_RECORD_MALLOC, block, size);
    return RH_LIKELY(put == RH_PUT_DONE) ? block : end_malloc(block, size, put);
}

static __attribute__((noinline)) void
end_free(void *block, rh_put put)
{
    if (!ready())
        return;
    rh_put_rest(put, WHAT(FREE, block), 0);
    below.free(block);
}

EXPORTED void
free(void *block)
{
    if (UNLIKELY(atomic_load_explicit(&early.used, memory_order_relaxed) != 0) && is_early(block))
        return;
    rh_put put = rh_put_short(RH_RECORD_FREE, block, 0);
    if (RH_LIKELY(put == RH_PUT_DONE))
        below.free(block);
    else
        end_free(block, put);
}

EXPORTED void *
calloc(size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(!ready()))
        return __builtin_mul_overflow(count, size, &bytes) ? NULL : early_alloc(0, bytes);
    void *block = below.calloc(count, size);
    if (RH_LIKELY(((count | size) >> RH_CALLOC_COUNT_SHIFT) == 0))
        rh_put_calloc(block, count, size);
    else
        rh_put_libc_calloc(WHAT(CALLOC, block), count, size);
    return block;
}

static void *
move_out(void *block, size_t size)
{
    void *moved = own_malloc(size);
    size_t held = early_size(block);
    if (moved)
        memcpy(moved, block, held < size ? held : size);
    return moved;
}

EXPORTED void *
realloc(void *block, size_t size)
{
    if (UNLIKELY(!ready()))
        return block ? move_out(block, size) : early_alloc(0, size);
    if (UNLIKELY(is_early(block)))
        return move_out(block, size);
    if (!block) {
        void *fresh = below.realloc(NULL, size);
        rh_put_malloc(RH_RECORD_REALLOC_NULL, fresh, size);
        return fresh;
    }
    rh_put_malloc(RH_RECORD_REALLOC_FROM, block, 0);
    void *moved = below.realloc(block, size);
    if (UNLIKELY(!moved && size == 0))
        rh_put_malloc(RH_RECORD_GONE, NULL, 0);
    else
        rh_put_malloc(RH_RECORD_REALLOC, moved, size);
    return moved;
}

EXPORTED void *
reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return own_realloc(block, bytes);
}

EXPORTED int
posix_memalign(void **place, size_t alignment, size_t size)
{
    if (UNLIKELY(!ready())) {
        void *block = early_alloc(alignment, size);
        if (block)
            *place = block;
        return block ? 0 : ENOMEM;
    }
    int status = below.posix_memalign(place, alignment, size);
    if (status != EINVAL)
        rh_put_libc_aligned(WHAT(ALIGNED, status == 0 ? *place : NULL), alignment, size);
    return status;
}

EXPORTED void *
memalign(size_t alignment, size_t size)
{
    if (UNLIKELY(!ready()))
        return early_alloc(alignment, size);
    void *block = below.memalign(alignment, size);
    rh_put_libc_aligned(WHAT(ALIGNED, block), alignment, size);
    return block;
}

EXPORTED void *
aligned_alloc(size_t alignment, size_t size)
{
    if (UNLIKELY(!ready()))
        return early_alloc(alignment, size);
    void *block = below.aligned_alloc(alignment, size);
    rh_put_libc_aligned(WHAT(ALIGNED, block), alignment, size);
    return block;
}

EXPORTED void *
valloc(size_t size)
{
    return own_memalign(PAGE_BYTES, size);
}

EXPORTED void *
pvalloc(size_t size)
{
    size_t bytes;
    if (__builtin_add_overflow(size, (size_t)PAGE_BYTES - 1, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    bytes = bytes / PAGE_BYTES * PAGE_BYTES;
    return own_memalign(PAGE_BYTES, bytes ? bytes : PAGE_BYTES);
}

void
cfree(void *block)
{
    own_free(block);
}

EXPORTED size_t
malloc_usable_size(void *block)
{
    if (UNLIKELY(is_early(block)))
        return early_size(block);
    return ready() && below.usable_size ? below.usable_size(block) : 0;
}

/* See reheap_mark.h. */
EXPORTED void(reheap_mark)(const char *text)
{
    enum { LONGEST_MARK = 4000 };
    if (text && (atomic_load(&standing) == ENLISTED || rh_attach_done()))
        rh_put_mark(text, strnlen(text, LONGEST_MARK));
}

/* ---- in a process that runs already ---- */

/* What its objects call under these names, and are to call. */
#define OURS(function)                                                                             \
    {                                                                                              \
        .name = #function, .to = own_##function                                                    \
    }

static rh_relinked redirected[] = {
    OURS(malloc), OURS(calloc),        OURS(realloc),        OURS(reallocarray),
    OURS(free),   OURS(aligned_alloc), OURS(posix_memalign), OURS(memalign),
    OURS(valloc), OURS(pvalloc),       OURS(cfree),          {.name = NULL},
};

static bool
let_go(bool locked)
{
    (void)locked;
    rh_recorder_at_times = NULL;
    rh_relink_undo();
    return true;
}

/* See late.h. */
EXPORTED int
rh_recorder_attach(const char *place)
{
    bool own_functions;
    if (atomic_load(&standing) == ENLISTED)
        return RH_LATE_AGAIN;
    session = rh_recorder_session_at(place);
    if (!session)
        return RH_LATE_NO_SESSION;
    void *provider = rh_relink_provider("malloc", &own_functions);
    if (!provider)
        return RH_LATE_NO_MALLOC;
    look_up(provider);
    capture = RH_CAPTURE_MALLOC;
    if (!rh_producer_open(session, capture))
        return RH_LATE_NO_CHANNEL;
    if (own_functions) {
        rh_producer_close("it has a malloc of its own built in, and does not call the one that can "
                          "be put in its place");
        return RH_LATE_DONE;
    }
    rh_recorder_channel.control.facts.attached = 1;
    rh_recorder_at_end = let_go;
    rh_recorder_at_times = rh_relink_new_objects;
    record_operators(provider);
    open_gate();
    for (rh_relinked *f = redirected; f->name; f++)
        f->from = dlsym(provider, f->name);
    rh_relink(redirected);
    return RH_LATE_DONE;
}
