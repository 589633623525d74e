/* See attach.h. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/recorder/attach.h"
#include "traces/recorder/channel.h"
#include "traces/recorder/enlist.h"
#include "traces/recorder/late.h"
#include "traces/recorder/producer.h"
#include "traces/recorder/python_hooks.h"

enum {
    OLDEST_MINOR = 7,
    NEWEST_MINOR = 15,
    FIRST_BIG_ARENAS = 10,
    FIRST_PRECONFIG = 8,
    UNLOCKED_NAME_MINOR = 12
};

static struct {
    const rh_session *session;
    rh_capture capture;
    rh_python python;
    bool attached, statistics; /* PYTHONMALLOCSTATS is set */
    char *hidden_name; /* PYTHONMALLOC's value, kept from a 3.7 until it has configured itself */
} recorder;

/* What the command line and environment say about the interpreter's allocator. */
typedef struct settings {
    const char *allocator; /* PYTHONMALLOC; NULL: unset or ignored */
    bool development, statistics;
} settings;

static const char *
set_or_null(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Reads the options before the program's own words, as the interpreter will. */
static settings
read_settings(int argc, char **argv)
{
    bool ignore = false;
    settings found = {0};
    for (int i = 1; i < argc && argv[i][0] == '-' && argv[i][1] && argv[i][1] != '-'; i++) {
        for (const char *letter = argv[i] + 1; *letter; letter++) {
            if (*letter == 'E' || *letter == 'I')
                ignore = true;
            if (*letter == 'c' || *letter == 'm') {
                i = argc - 1;
                break;
            }
            if (*letter == 'X' || *letter == 'W') {
                const char *value = letter[1] ? letter + 1 : (i + 1 < argc ? argv[++i] : "");
                if (*letter == 'X' && strcmp(value, "dev") == 0)
                    found.development = true;
                break;
            }
        }
    }
    if (!ignore) {
        found.allocator = set_or_null("PYTHONMALLOC");
        found.development |= set_or_null("PYTHONDEVMODE") != NULL;
        found.statistics = set_or_null("PYTHONMALLOCSTATS") != NULL;
    }
    return found;
}

/* Converts through a union: a data pointer to a function of the type wanted. */
#define LOOK_UP(place, name)                                                                       \
    do {                                                                                           \
        void *symbol = dlsym(RTLD_DEFAULT, name);                                                  \
        memcpy(&(place), &symbol, sizeof symbol);                                                  \
    } while (0)

/* reheap's own functions under CPython's names, without an interpreter. */
static bool
is_libpymem(void)
{
    return dlsym(RTLD_DEFAULT, "rh_pymem_current_name") != NULL &&
           dlsym(RTLD_DEFAULT, "Py_GetVersion") == NULL;
}

bool
rh_attach_finds_python(void)
{
    rh_python *python = &recorder.python;
    LOOK_UP(python->get_allocator, "PyMem_GetAllocator");
    LOOK_UP(python->set_allocator, "PyMem_SetAllocator");
    LOOK_UP(python->get_arenas, "PyObject_GetArenaAllocator");
    LOOK_UP(python->set_arenas, "PyObject_SetArenaAllocator");
    LOOK_UP(python->get_version, "Py_GetVersion");
    LOOK_UP(python->is_initialized, "Py_IsInitialized");
    LOOK_UP(python->allocator_name, "_PyMem_GetCurrentAllocatorName");
    if (!python->allocator_name)
        LOOK_UP(python->allocator_name, "_PyMem_GetAllocatorsName");
    LOOK_UP(python->print_statistics, "_PyObject_DebugMallocStats");
    LOOK_UP(python->holds_lock, "PyGILState_Check");
    LOOK_UP(python->current_interpreter, "PyInterpreterState_Get");
    LOOK_UP(python->interpreter_id, "PyInterpreterState_GetID");
    return python->get_allocator && python->set_allocator && python->get_arenas &&
           python->set_arenas && ((python->get_version && python->is_initialized) || is_libpymem());
}

/* The interpreter configures its memory when it pre-initialises, and where a name was given for the
 * allocator it overwrites all hooks. So that step is taken now, with the same arguments; the
 * interpreter finds it done. Whatever is wrong with them it will say itself. */
static void
configure_first(int argc, char **argv)
{
    typedef struct {
        int kind;
        const char *function, *message;
        int exit_code;
    } status;
    void (*prepare)(void *);
    status (*configure)(const void *, ptrdiff_t, char **);
    LOOK_UP(prepare, "PyPreConfig_InitPythonConfig");
    LOOK_UP(configure, "Py_PreInitializeFromBytesArgs");
    if (!prepare || !configure)
        return;
    _Alignas(16) unsigned char configuration[1024] = {0};
    prepare(configuration);
    configure(configuration, argc, argv);
}

static void
show_name_again(void)
{
    setenv("PYTHONMALLOC", recorder.hidden_name, 1);
}

/* 3.7 has no such step. There the name is applied now and kept out of the interpreter's sight until
 * it has read its configuration. False: that does not help in development mode. */
static bool
configure_37(const settings *found)
{
    if (found->development && !found->allocator)
        return false;
    int (*set_up)(const char *);
    LOOK_UP(set_up, "_PyMem_SetupAllocators");
    if (!set_up || !found->allocator || found->development)
        return !found->allocator;
    if (set_up(found->allocator) != 0)
        return true; /* an unknown name: the interpreter ends with its own words */
    recorder.hidden_name = strdup(found->allocator);
    unsetenv("PYTHONMALLOC");
    rh_recorder_at_first = show_name_again;
    return true;
}

/* The name by the interpreter's own account; where it would look into what it has not made yet, by
 * what is known of it: whether one function serves all domains, and whether the build is a
 * debugging one. */
static const char *
allocator_name(const rh_python *python, bool configured)
{
    if (python->minor != UNLOCKED_NAME_MINOR || configured)
        return python->allocator_name ? python->allocator_name() : NULL;
    PyMemAllocatorEx raw, object;
    python->get_allocator(PYMEM_DOMAIN_RAW, &raw);
    python->get_allocator(PYMEM_DOMAIN_OBJ, &object);
    bool plain = raw.malloc == object.malloc;
    if (dlsym(RTLD_DEFAULT, "_Py_NegativeRefcount"))
        return plain ? "malloc_debug" : "pymalloc_debug";
    return plain ? "malloc" : "pymalloc";
}

/* What holds for an interpreter whenever it is met. NULL, or why it cannot be recorded. */
static const char *
examine_version(rh_channel_facts *facts, rh_python *python, const char *version)
{
    unsigned major = 0;
    if (sscanf(version, "%u.%u", &major, &python->minor) != 2 || major != 3)
        return "this Python is not a CPython 3";
    size_t length = strcspn(version, " ");
    if (length >= sizeof facts->python_version)
        length = sizeof facts->python_version - 1;
    memcpy(facts->python_version, version, length);
    facts->python_version[length] = '\0';
    facts->python_minor = python->minor;
    if (python->minor < OLDEST_MINOR || python->minor > NEWEST_MINOR)
        return "this CPython's version is not among those that can be recorded, 3.7 to 3.15";
    if (strstr(version, "free-threading"))
        return "this is a free-threaded CPython, whose allocations no lock puts in order; that "
               "cannot be recorded yet";
    bool big = python->minor >= FIRST_BIG_ARENAS;
    facts->arena_bytes = big ? 1 << 20 : 256 << 10;
    facts->pool_bytes = big ? 16 << 10 : 4 << 10;
    return NULL;
}

/* libpymem.so has configured itself when it was loaded, by the same variables and two more. */
static const char *
examine_libpymem(rh_channel_facts *facts, rh_python *python)
{
    const char *version = set_or_null("REHEAP_PYTHON_VERSION");
    const char *build = set_or_null("REHEAP_PYTHON_BUILD");
    const char *(*current_name)(void);
    LOOK_UP(current_name, "rh_pymem_current_name");
    const char *name = current_name ? current_name() : NULL;
    snprintf(facts->allocator, sizeof facts->allocator, "%s", name ? name : "");
    recorder.statistics = set_or_null("PYTHONMALLOCSTATS") != NULL;
    if (build && strstr(build, "free-threaded"))
        return "it is configured as a free-threaded CPython, whose allocations no lock puts in "
               "order; that cannot be recorded yet";
    return examine_version(facts, python, version ? version : "3.11");
}

/* Fills in the facts. NULL, or why this interpreter cannot be recorded. */
static const char *
examine(rh_channel_facts *facts, rh_python *python, int argc, char **argv)
{
    if (!python->get_version)
        return examine_libpymem(facts, python);
    const char *reason = examine_version(facts, python, python->get_version());
    if (reason)
        return reason;
    settings found = read_settings(argc, argv);
    recorder.statistics = found.statistics;
    if (python->minor < FIRST_PRECONFIG) {
        if (!configure_37(&found))
            return "CPython 3.7 in development mode sets its allocators anew after every hook; "
                   "run it without -X dev and PYTHONDEVMODE";
    } else if (found.allocator || found.development) {
        configure_first(argc, argv);
    }
    const char *name = allocator_name(python, found.allocator || found.development);
    snprintf(facts->allocator, sizeof facts->allocator, "%s", name ? name : "");
    return NULL;
}

static void
open_gate(bool whole)
{
    rh_channel *channel = &rh_recorder_channel.control;
    rh_recorder_read_command(&channel->facts);
    recorder.attached = true;
    rh_producer_start();
    atomic_store_explicit(&channel->state, RH_CHANNEL_ATTACHED, memory_order_release);
    rh_hooks_install(&recorder.python, (rh_timing)recorder.session->timing,
                     channel->facts.arena_bytes, recorder.capture == RH_CAPTURE_BOTH,
                     strcmp(channel->facts.allocator, "pymalloc") == 0, whole,
                     whole && recorder.statistics);
}

void
rh_attach_begin(const rh_session *session, rh_capture capture, int argc, char **argv)
{
    recorder.session = session;
    recorder.capture = capture;
    rh_channel_facts *facts = &rh_recorder_channel.control.facts;
    const char *reason = examine(facts, &recorder.python, argc, argv);
    if (reason)
        rh_producer_close(reason);
    else
        open_gate(true);
}

/* A child that is not wanted runs on without hooks; one that is has a channel of its own, and its
 * heap came with the fork: no statistics, since they would not be those of what is recorded. */
void
rh_attach_in_child(void)
{
    if (!recorder.attached)
        return;
    rh_channel_facts facts = rh_recorder_channel.control.facts;
    if (!recorder.session->children || !rh_producer_open(recorder.session, recorder.capture)) {
        rh_recorder_gate.process_id = getpid();
        rh_hooks_remove();
        return;
    }
    facts.forked = 1;
    rh_recorder_channel.control.facts = facts;
    open_gate(false);
}

void
rh_attach_end(void)
{
    if (recorder.attached && rh_recorder_gate.open && rh_recorder_gate.process_id == getpid())
        rh_hooks_at_exit();
}

static bool
let_go(bool locked)
{
    if (locked)
        rh_hooks_remove();
    return locked;
}

/* With the interpreter lock held, between two instructions or while the main thread waits. */
static int
begin_late(void *session)
{
    static _Atomic bool begun;
    rh_channel_facts *facts = &rh_recorder_channel.control.facts;
    if (atomic_exchange(&begun, true))
        return 0;
    if (!rh_producer_open(session, RH_CAPTURE_PYTHON))
        return 0;
    recorder.session = session;
    recorder.capture = RH_CAPTURE_PYTHON;
    const char *reason = examine_version(facts, &recorder.python, recorder.python.get_version());
    if (reason) {
        rh_producer_close(reason);
        return 0;
    }
    const char *name = allocator_name(&recorder.python, true);
    snprintf(facts->allocator, sizeof facts->allocator, "%s", name ? name : "");
    facts->attached = 1;
    rh_recorder_at_end = let_go;
    open_gate(false);
    return 0;
}

int
rh_attach_late(const rh_session *session)
{
    int (*call_later)(int (*)(void *), void *);
    LOOK_UP(call_later, "Py_AddPendingCall");
    if (recorder.attached)
        return RH_LATE_AGAIN;
    if (!rh_attach_finds_python() || !call_later || !recorder.python.is_initialized())
        return RH_LATE_NO_PYTHON;
    recorder.session = session;
    return call_later(begin_late, (void *)(uintptr_t)session) == 0 ? RH_LATE_DONE : RH_LATE_BUSY;
}

int
rh_attach_late_now(void)
{
    int (*ensure)(void);
    void (*release)(int);
    LOOK_UP(ensure, "PyGILState_Ensure");
    LOOK_UP(release, "PyGILState_Release");
    if (!ensure || !release || !recorder.session)
        return RH_LATE_NO_PYTHON;
    int state = ensure();
    begin_late((void *)(uintptr_t)recorder.session);
    release(state);
    return RH_LATE_DONE;
}

bool
rh_attach_done(void)
{
    return recorder.attached;
}
