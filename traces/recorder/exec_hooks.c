/* The functions that execute another program, under their own names.
 *
 * The recorder has left the environment, so that neither the program nor its children see it; or,
 * where children are recorded, the program may have cleared the environment, or put a library of
 * its own in the recorder's place. So the variables are put back at the last moment, into a copy of
 * the environment on the stack: there may be another thread, or a parent who lends its memory, and
 * nothing here may allocate.
 */
#define _GNU_SOURCE
#include "traces/recorder/exec_hooks.h"

#include <dlfcn.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define PRELOAD  "LD_PRELOAD="
#define RECORD   RH_SESSION_VARIABLE "="

/* The functions below ours. */
static struct {
    int (*execve)(const char *, char *const[], char *const[]);
    int (*execvpe)(const char *, char *const[], char *const[]);
    int (*fexecve)(int, char *const[], char *const[]);
    int (*execveat)(int, const char *, char *const[], char *const[], int);
    int (*spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                 const posix_spawnattr_t *, char *const[], char *const[]);
    int (*spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                  const posix_spawnattr_t *, char *const[], char *const[]);
} below;

static const rh_session *followed;
static pid_t follower;
static bool children_too;

#define FIND(member, name)                                                                         \
    do {                                                                                           \
        void *symbol = dlsym(RTLD_NEXT, name);                                                     \
        memcpy(&below.member, &symbol, sizeof symbol);                                             \
    } while (0)

/* Early, for it takes the loader's lock, which a forked child may find taken. */
__attribute__((constructor)) static void
look_up(void)
{
    if (below.execve)
        return;
    FIND(execve, "execve");
    FIND(execvpe, "execvpe");
    FIND(fexecve, "fexecve");
    FIND(execveat, "execveat");
    FIND(spawn, "posix_spawn");
    FIND(spawnp, "posix_spawnp");
}

void
rh_recorder_follow(const rh_session *session, bool children)
{
    look_up();
    follower = getpid();
    children_too = children || session->children;
    followed = session;
}

/* Whether what is executed now is to be recorded. */
static bool
follows(void)
{
    look_up();
    return followed && rh_collector_lives(followed) && (children_too || getpid() == follower);
}

/* What is begun now is not recorded; the collector can say so. */
static void
leave_out(void)
{
    if (!followed)
        return;
    rh_session *shared = (rh_session *)(uintptr_t)followed;
    atomic_store_explicit(&shared->left_out, 1, memory_order_relaxed);
}

/* The entry of `environment` that begins with `name`; the end if there is none. */
static size_t
find_entry(char *const *environment, const char *name)
{
    size_t at = 0, length = strlen(name);
    while (environment && environment[at] && strncmp(environment[at], name, length) != 0)
        at++;
    return at;
}

/* A copy of an environment, with the recorder in it. */
typedef struct dressed {
    size_t entries;      /* room for them, and the NULL */
    size_t preload_room; /* 0: nothing has to be changed */
} dressed;

static dressed
measure(char *const *environment)
{
    static char *none[] = {NULL};
    dressed size = {0, 0};
    char *const *from = environment ? environment : none;
    size_t preload = find_entry(from, PRELOAD), record = find_entry(from, RECORD);
    while (from[size.entries])
        size.entries++;
    if (follows() && !(from[record] && from[preload] && strstr(from[preload], followed->library)))
        size.preload_room = sizeof PRELOAD + strlen(followed->library) + 1 +
                            (from[preload] ? strlen(from[preload]) : 0);
    if (!follows())
        leave_out();
    size.entries += 3;
    return size;
}

static char *const *
dress(char *const *environment, const dressed *size, char **copy, char *preload, char *record)
{
    if (!size->preload_room)
        return environment;
    size_t count = size->entries - 3;
    if (count)
        memcpy(copy, environment, count * sizeof *copy);
    copy[count] = NULL;
    size_t at = find_entry(copy, PRELOAD);
    const char *old = copy[at] ? copy[at] + strlen(PRELOAD) : "";
    bool there = strstr(old, followed->library) != NULL;
    snprintf(preload, size->preload_room, "%s%s%s%s", PRELOAD, there ? "" : followed->library,
             *old && !there ? ":" : "", old);
    if (!copy[at])
        copy[++count] = NULL;
    copy[at] = preload;
    snprintf(record, sizeof RECORD + sizeof followed->place, "%s%s", RECORD, followed->place);
    at = find_entry(copy, RECORD);
    if (!copy[at])
        copy[++count] = NULL;
    copy[at] = record;
    return copy;
}

/* Declares `dressed_environment`, for the rest of the function. */
#define DRESS(environment)                                                                         \
    dressed size = measure(environment);                                                           \
    char *copy[size.preload_room ? size.entries : 1];                                              \
    char preload[size.preload_room ? size.preload_room : 1];                                       \
    char record[sizeof RECORD + sizeof followed->place];                                           \
    char *const *dressed_environment = dress(environment, &size, copy, preload, record)

EXPORTED int
execve(const char *path, char *const arguments[], char *const environment[])
{
    DRESS(environment);
    return below.execve(path, arguments, dressed_environment);
}

EXPORTED int
execvpe(const char *file, char *const arguments[], char *const environment[])
{
    DRESS(environment);
    return below.execvpe(file, arguments, dressed_environment);
}

EXPORTED int
fexecve(int file, char *const arguments[], char *const environment[])
{
    DRESS(environment);
    return below.fexecve(file, arguments, dressed_environment);
}

EXPORTED int
execveat(int folder, const char *path, char *const arguments[], char *const environment[],
         int flags)
{
    DRESS(environment);
    return below.execveat(folder, path, arguments, dressed_environment, flags);
}

EXPORTED int
execv(const char *path, char *const arguments[])
{
    return execve(path, arguments, environ);
}

EXPORTED int
execvp(const char *file, char *const arguments[])
{
    return execvpe(file, arguments, environ);
}

/* Collects the words of a call, the first of them `word`; NULL is the last. */
#define COLLECT(word)                                                                              \
    va_list counted, list;                                                                         \
    va_start(list, word);                                                                          \
    va_copy(counted, list);                                                                        \
    size_t count = 1;                                                                              \
    while (va_arg(counted, char *))                                                                \
        count++;                                                                                   \
    va_end(counted);                                                                               \
    char *words[count + 1];                                                                        \
    words[0] = (char *)(uintptr_t)(word);                                                          \
    for (size_t i = 1; i <= count; i++)                                                            \
    words[i] = va_arg(list, char *)

EXPORTED int
execl(const char *path, const char *word, ...)
{
    COLLECT(word);
    va_end(list);
    return execve(path, words, environ);
}

EXPORTED int
execlp(const char *file, const char *word, ...)
{
    COLLECT(word);
    va_end(list);
    return execvpe(file, words, environ);
}

EXPORTED int
execle(const char *path, const char *word, ...)
{
    COLLECT(word);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return execve(path, words, environment);
}

/* Of these only children come. */
EXPORTED int
posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *actions,
            const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
{
    look_up();
    if (!followed || !children_too)
        return leave_out(), below.spawn(process, path, actions, attributes, arguments, environment);
    DRESS(environment);
    return below.spawn(process, path, actions, attributes, arguments, dressed_environment);
}

EXPORTED int
posix_spawnp(pid_t *process, const char *file, const posix_spawn_file_actions_t *actions,
             const posix_spawnattr_t *attributes, char *const arguments[],
             char *const environment[])
{
    look_up();
    if (!followed || !children_too)
        return leave_out(),
               below.spawnp(process, file, actions, attributes, arguments, environment);
    DRESS(environment);
    return below.spawnp(process, file, actions, attributes, arguments, dressed_environment);
}
