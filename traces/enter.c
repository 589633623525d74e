#define _GNU_SOURCE
#include "traces/enter.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/process_map.h"
#include "traces/recorder/late.h"
#include "traces/remote_call.h"

/* The loader's functions in the process. */
typedef struct loader {
    uint64_t open, symbol, error;
} loader;

/* Of "libc.so.6", and before version 2.34 of libraries of their own. */
static bool
find_loader(const rh_process_map *map, loader *found)
{
    static const char *const files[] = {"libc.so", "libdl.so", "libdl-2.", "libc-2."};
    *found = (loader){0};
    for (size_t i = 0; i < sizeof files / sizeof *files && !found->open; i++) {
        const rh_mapping *file = rh_process_map_file(map, files[i]);
        if (!file)
            continue;
        found->open = rh_process_map_symbol(map, file, "dlopen");
        found->symbol = rh_process_map_symbol(map, file, "dlsym");
        found->error = rh_process_map_symbol(map, file, "dlerror");
    }
    return found->open && found->symbol && found->error;
}

static rh_status
check_program(pid_t process, rh_error *error)
{
    char path[64];
    unsigned char start[EI_NIDENT] = {0};
    snprintf(path, sizeof path, "/proc/%d/exe", (int)process);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return rh_fail(error, RH_CANNOT_RUN,
                       "process %d: there is none, or it is one of the kernel's", (int)process);
    if (file < 0)
        return rh_remote_refused(process, errno, error);
    ssize_t got = read(file, start, sizeof start);
    close(file);
    if (got == sizeof start && start[EI_CLASS] != ELFCLASS64)
        return rh_fail(error, RH_CANNOT_RUN,
                       "process %d: it is a 32-bit program, and the recorder is a 64-bit library",
                       (int)process);
    return RH_OK;
}

rh_status
rh_enter_check(pid_t process, const char *library, rh_error *error)
{
    char seen[4400];
    struct stat ours, theirs;
    rh_process_map map = {.problem = 0};
    loader found;
    if (process == getpid())
        return rh_fail(error, RH_USAGE, "process %d: that is reheap itself", (int)process);
    rh_status status = check_program(process, error);
    if (status == RH_OK)
        status = rh_process_map_read(process, &map, error);
    if (status != RH_OK)
        return map.problem ? rh_remote_refused(process, map.problem, error) : status;
    if (!rh_process_map_file(&map, "ld-linux") && !rh_process_map_file(&map, "ld-2."))
        status = rh_fail(error, RH_CANNOT_RUN,
                         "process %d: it is statically linked, or not with the GNU C library, so "
                         "that nothing can be loaded into it",
                         (int)process);
    else if (!find_loader(&map, &found))
        status = rh_fail(error, RH_CANNOT_RUN,
                         "process %d: its C library's dlopen cannot be found (was the library "
                         "replaced by an update while the program runs?)",
                         (int)process);
    rh_process_map_release(&map);
    snprintf(seen, sizeof seen, "/proc/%d/root%s", (int)process, library);
    if (status == RH_OK && stat(library, &ours) == 0 &&
        (stat(seen, &theirs) != 0 || ours.st_ino != theirs.st_ino ||
         ours.st_dev != theirs.st_dev) &&
        errno != EACCES)
        status = rh_fail(error, RH_CANNOT_RUN,
                         "process %d: it does not see %s (another root, a container); record it "
                         "from inside",
                         (int)process, library);
    return status;
}

static rh_status
fail_late(pid_t process, uint64_t result, rh_error *error)
{
    static const char *const why[] = {
        [RH_LATE_AGAIN] = "the recorder in it is in use",
        [RH_LATE_NO_SESSION] = "it cannot reach this process below /proc (another user, or another "
                               "namespace?); record as its user",
        [RH_LATE_NO_CHANNEL] = "it cannot get a channel",
        [RH_LATE_NO_MALLOC] = "no library of it has a malloc",
        [RH_LATE_NO_PYTHON] =
            "there is no CPython that runs in it, or none that shows its functions; "
            "--malloc records any program",
        [RH_LATE_BUSY] = "its interpreter takes no calls for now; try again",
    };
    const char *text = result < sizeof why / sizeof *why ? why[result] : NULL;
    return rh_fail(error, RH_CANNOT_RUN, "process %d: %s", (int)process,
                   text ? text : "the recorder does not answer as it should");
}

/* Opens the library and calls one of its functions. */
static rh_status
call_library(rh_remote *remote, const rh_entry *entry, const loader *found, const char *function,
             const char *argument, uint64_t *result, rh_error *error)
{
    uint64_t path, name, text = 0, handle = 0, address = 0, problem = 0;
    char words[512];
    rh_status status = rh_remote_text(remote, entry->library, &path, error);
    if (status == RH_OK)
        status = rh_remote_text(remote, function, &name, error);
    if (status == RH_OK && argument)
        status = rh_remote_text(remote, argument, &text, error);
    if (status == RH_OK)
        status = rh_remote_call(remote, found->open,
                                (uint64_t[4]){path, RTLD_NOW | RTLD_GLOBAL, 0, 0}, &handle, error);
    if (status == RH_OK && handle == 0) {
        status = rh_remote_call(remote, found->error, (uint64_t[4]){0}, &problem, error);
        rh_remote_read_text(remote, problem, words, sizeof words);
        const char *hint =
            strstr(words, "static TLS")
                ? "; each recording of a process takes some of what its loader keeps "
                  "for such libraries, and that is used up"
                : "";
        return status != RH_OK
                   ? status
                   : rh_fail(error, RH_CANNOT_RUN, "process %d: it cannot load the recorder: %s%s",
                             (int)entry->process, words, hint);
    }
    if (status == RH_OK)
        status = rh_remote_call(remote, found->symbol, (uint64_t[4]){handle, name, 0, 0}, &address,
                                error);
    if (status == RH_OK && address == 0)
        return fail_late(entry->process, UINT64_MAX, error);
    if (status == RH_OK)
        status = rh_remote_call(remote, address, (uint64_t[4]){text, 0, 0, 0}, result, error);
    *result = (uint32_t)*result; /* an int */
    return status;
}

static rh_status
visit(const rh_entry *entry, bool only_main, const char *function, const char *argument,
      uint64_t *result, rh_error *error)
{
    rh_process_map map;
    rh_remote *remote;
    loader found;
    rh_status status = rh_process_map_read(entry->process, &map, error);
    if (status != RH_OK)
        return status;
    status = rh_remote_stop(&map, only_main, entry->meanwhile, &remote, error);
    if (status == RH_OK) {
        status =
            find_loader(&map, &found)
                ? call_library(remote, entry, &found, function, argument, result, error)
                : rh_fail(error, RH_CANNOT_RUN,
                          "process %d: it may not be looked into, so that its C library cannot "
                          "be found",
                          (int)entry->process);
        rh_remote_release(remote);
    }
    rh_process_map_release(&map);
    return status;
}

/* A library that a process has is not opened again: a copy of it is another. */
static bool
copy_library(rh_entry *entry)
{
    struct stat status;
    int file = open(entry->library, O_RDONLY | O_CLOEXEC);
    entry->copy = memfd_create("libreheap_record.so", MFD_CLOEXEC);
    bool good = file >= 0 && entry->copy >= 0 && fstat(file, &status) == 0;
    for (off_t at = 0; good && at < status.st_size;)
        good = sendfile(entry->copy, file, &at, (size_t)(status.st_size - at)) > 0;
    if (file >= 0)
        close(file);
    snprintf(entry->library, sizeof entry->library, "/proc/%d/fd/%d", (int)getpid(), entry->copy);
    return good;
}

rh_status
rh_enter(rh_entry *entry, pid_t process, const char *library, const char *place,
         rh_meanwhile meanwhile, rh_error *error)
{
    uint64_t result = RH_LATE_DONE;
    *entry = (rh_entry){.process = process, .copy = -1, .meanwhile = meanwhile};
    snprintf(entry->library, sizeof entry->library, "%s", library);
    rh_status status = visit(entry, false, "rh_recorder_attach", place, &result, error);
    if (status == RH_OK && result == RH_LATE_AGAIN && copy_library(entry))
        status = visit(entry, false, "rh_recorder_attach", place, &result, error);
    if (status == RH_OK && result != RH_LATE_DONE)
        status = fail_late(process, result, error);
    return status;
}

void
rh_enter_now(const rh_entry *entry)
{
    uint64_t result;
    rh_error ignored = {0};
    visit(entry, true, "rh_recorder_attach_now", NULL, &result, &ignored);
}

void
rh_entry_release(rh_entry *entry)
{
    if (entry->copy >= 0)
        close(entry->copy);
    entry->copy = -1;
}
