#define _GNU_SOURCE
#include "traces/session.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/host.h"
#include "traces/elf_needs.h"

/* Which limit may have been met, where errno does not say so. */
static const char *
limit_behind(int problem)
{
    switch (problem) {
    case EMFILE:
        return "; raise the limit on open files (ulimit -n)";
    case EFBIG:
        return ", to which the limit on the size of files applies, too; raise it (ulimit -f)";
    case ENOMEM:
        return "; see to it that there is some, and that no limit (ulimit -v) keeps it";
    default:
        return "";
    }
}

static rh_status
open_shared(rh_shared *shared, const char *name, unsigned long bytes, unsigned long mapped,
            rh_error *error)
{
    shared->bytes = mapped;
    shared->descriptor = memfd_create(name, MFD_CLOEXEC);
    if (shared->descriptor < 0 || ftruncate(shared->descriptor, (off_t)bytes) != 0) {
        rh_fail_errno(error, RH_SYSTEM, errno, "cannot make shared memory%s", limit_behind(errno));
        rh_shared_close(shared);
        return RH_SYSTEM;
    }
    shared->memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, shared->descriptor, 0);
    if (shared->memory == MAP_FAILED) {
        shared->memory = NULL;
        rh_fail_errno(error, RH_SYSTEM, errno, "cannot map shared memory%s", limit_behind(errno));
        rh_shared_close(shared);
        return RH_SYSTEM;
    }
    return RH_OK;
}

void
rh_shared_close(rh_shared *shared)
{
    if (shared->memory)
        munmap(shared->memory, shared->bytes);
    if (shared->descriptor >= 0)
        close(shared->descriptor);
    *shared = (rh_shared){.descriptor = -1};
}

rh_status
rh_session_open(rh_shared *session, rh_error *error)
{
    *session = (rh_shared){.descriptor = -1};
    rh_status status =
        open_shared(session, "reheap-session", sizeof(rh_session), sizeof(rh_session), error);
    if (status != RH_OK)
        return status;
    rh_session *words = session->memory;
    words->magic = RH_SESSION_MAGIC;
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&words->collector, &kind);
    pthread_mutexattr_destroy(&kind);
    pthread_mutex_lock(&words->collector);
    for (unsigned i = 0; i < RH_SESSION_CHANNELS; i++)
        atomic_store(&words->channels[i], -1);
    return RH_OK;
}

void
rh_session_close(rh_shared *session)
{
    rh_session *words = session->memory;
    if (words)
        pthread_mutex_unlock(&words->collector);
    rh_shared_close(session);
}

rh_status
rh_channel_open(rh_shared *channel, rh_error *error)
{
    *channel = (rh_shared){.descriptor = -1};
    rh_status status =
        open_shared(channel, "reheap-channel", RH_CHANNEL_BYTES, RH_CHANNEL_MAPPED_BYTES, error);
    if (status != RH_OK)
        return status;
    rh_channel *control = channel->memory;
    control->magic = RH_CHANNEL_MAGIC;
    control->ticks_per_us = (uint64_t)(rh_host_ticks_per_ns() * 1000);
    return RH_OK;
}

/* Reads the first bytes of a file; how many. */
static size_t
read_start(const char *path, void *bytes, size_t room)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t got = pread(file, bytes, room, 0);
    close(file);
    return got > 0 ? (size_t)got : 0;
}

/* An executable that names no program loader loads no libraries, ours included. */
static bool
statically_linked(const unsigned char *start, size_t size)
{
    Elf64_Ehdr head;
    if (size < sizeof head)
        return false;
    memcpy(&head, start, sizeof head);
    if (head.e_phentsize != sizeof(Elf64_Phdr))
        return false;
    for (unsigned i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr part;
        if (head.e_phoff > size || size - head.e_phoff < (i + 1) * sizeof part)
            return false;
        memcpy(&part, start + head.e_phoff + i * sizeof part, sizeof part);
        if (part.p_type == PT_INTERP)
            return false;
    }
    return true;
}

/* Of "#! /bin/sh -e", "/bin/sh". */
static bool
script_interpreter(const unsigned char *start, size_t size, char *path, size_t room)
{
    size_t from = 2, to;
    while (from < size && (start[from] == ' ' || start[from] == '\t'))
        from++;
    for (to = from; to < size && !strchr(" \t\r\n", start[to]);)
        to++;
    if (to == from || to - from >= room)
        return false;
    memcpy(path, start + from, to - from);
    path[to - from] = '\0';
    return true;
}

/* These bring a malloc of their own, and refuse to run, or crash, where another comes first. */
static const char *const sanitizers[] = {"libasan.so", "libtsan.so", "liblsan.so", "libhwasan.so"};

static rh_status
check_file(const char *path, unsigned scripts, rh_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return rh_fail_errno(error, RH_CANNOT_RUN, errno, "%s: cannot run it", path);
    if (!S_ISREG(status.st_mode))
        return rh_fail(error, RH_CANNOT_RUN, "%s: cannot run it: it is not a file", path);
    if (access(path, X_OK) != 0)
        return rh_fail(error, RH_CANNOT_RUN, "%s: cannot run it: it is not executable", path);
    if (((status.st_mode & S_ISUID) && status.st_uid != geteuid()) ||
        ((status.st_mode & S_ISGID) && status.st_gid != getegid()))
        return rh_fail(
            error, RH_CANNOT_RUN,
            "%s: it runs as another user (set-user-ID), where the system keeps preloaded "
            "libraries out; record it from that user's own account",
            path);
    if (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: it has capabilities of its own, and with those the system keeps "
                       "preloaded libraries out; record it as root, or a copy of it",
                       path);
    unsigned char start[4096];
    size_t size = read_start(path, start, sizeof start);
    char next[1024];
    if (size > 2 && start[0] == '#' && start[1] == '!' && scripts > 0 &&
        script_interpreter(start, size, next, sizeof next)) {
        rh_status result = check_file(next, scripts - 1, error);
        return result == RH_OK ? RH_OK : rh_error_prefix(error, "%s: its interpreter", path);
    }
    if (size < 5 || memcmp(start, ELFMAG, SELFMAG) != 0)
        return RH_OK; /* the system will say what it thinks of it */
    if (start[EI_CLASS] != ELFCLASS64)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: it is a 32-bit program, and the recorder is a 64-bit library", path);
    if (statically_linked(start, size))
        return rh_fail(
            error, RH_CANNOT_RUN,
            "%s: it is statically linked, so that nothing can be preloaded into it; use a "
            "dynamically linked build of it",
            path);
    for (unsigned i = 0; i < sizeof sanitizers / sizeof *sanitizers; i++)
        if (rh_elf_needs(path, sanitizers[i]))
            return rh_fail(error, RH_CANNOT_RUN,
                           "%s: it is built with a sanitizer (%s), which suffers no library before "
                           "it; use a build without",
                           path, sanitizers[i]);
    return RH_OK;
}

/* Finds `program` as execvp() does; false: there is none. */
static bool
find_program(const char *program, char *path, size_t room)
{
    if (strchr(program, '/'))
        return (size_t)snprintf(path, room, "%s", program) < room;
    const char *from = getenv("PATH");
    from = from ? from : "/usr/local/bin:/usr/bin:/bin";
    for (const char *to; from; from = *to ? to + 1 : NULL) {
        to = strchrnul(from, ':');
        struct stat status;
        int length = snprintf(path, room, "%.*s%s%s", (int)(to - from), from, to == from ? "" : "/",
                              program);
        if (length > 0 && (size_t)length < room && access(path, X_OK) == 0 &&
            stat(path, &status) == 0 && S_ISREG(status.st_mode))
            return true;
    }
    return false;
}

enum { SCRIPTS = 4 }; /* that are one another's interpreter */

rh_status
rh_program_check(const char *program, rh_error *error)
{
    char path[4096];
    if (find_program(program, path, sizeof path))
        return check_file(path, SCRIPTS, error);
    return rh_fail(error, RH_CANNOT_RUN,
                   "%s: there is no such program in the folders of PATH; give its path", program);
}

/* The name of a needed library, or of a function that is imported or exported: all of an
 * executable's names stand in one table, each with a NUL before and behind it. */
static bool
names_python(const unsigned char *table, size_t size)
{
    static const char function[] = "\0PyMem_SetAllocator", library[] = "\0libpython3";
    return memmem(table, size, function, sizeof function) != NULL ||
           memmem(table, size, library, sizeof library - 1) != NULL;
}

/* Where the file has what is mapped at `address`; the end if it has not. */
static size_t
place_in_file(const Elf64_Phdr *part, unsigned parts, uint64_t address, size_t end)
{
    for (unsigned i = 0; i < parts; i++) {
        uint64_t behind = address - part[i].p_vaddr;
        if (part[i].p_type == PT_LOAD && address >= part[i].p_vaddr && behind < part[i].p_filesz &&
            part[i].p_offset < end && behind < end - part[i].p_offset)
            return (size_t)(part[i].p_offset + behind);
    }
    return end;
}

static bool
elf_names_python(const unsigned char *bytes, size_t size)
{
    Elf64_Ehdr head;
    Elf64_Phdr part[64];
    if (size < sizeof head)
        return false;
    memcpy(&head, bytes, sizeof head);
    unsigned parts = head.e_phnum < 64 ? head.e_phnum : 64;
    if (memcmp(bytes, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_phentsize != sizeof *part || head.e_phoff > size ||
        (size - head.e_phoff) / sizeof *part < parts)
        return false;
    memcpy(part, bytes + head.e_phoff, parts * sizeof *part);
    uint64_t table = 0, table_bytes = 0;
    for (unsigned i = 0; i < parts; i++) {
        if (part[i].p_type != PT_DYNAMIC || part[i].p_offset > size)
            continue;
        Elf64_Dyn entry;
        size_t at = (size_t)part[i].p_offset;
        for (; size - at >= sizeof entry; at += sizeof entry) {
            memcpy(&entry, bytes + at, sizeof entry);
            if (entry.d_tag == DT_NULL)
                break;
            table = entry.d_tag == DT_STRTAB ? entry.d_un.d_ptr : table;
            table_bytes = entry.d_tag == DT_STRSZ ? entry.d_un.d_val : table_bytes;
        }
    }
    size_t from = place_in_file(part, parts, table, size);
    return names_python(bytes + from,
                        table_bytes < size - from ? (size_t)table_bytes : size - from);
}

static bool
file_is_python(const char *path, unsigned scripts)
{
    unsigned char start[4096];
    char next[1024];
    size_t size = read_start(path, start, sizeof start);
    if (size > 2 && start[0] == '#' && start[1] == '!')
        return scripts > 0 && script_interpreter(start, size, next, sizeof next) &&
               file_is_python(next, scripts - 1);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    bool python = false;
    if (file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        size = (size_t)status.st_size;
        unsigned char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
        python = bytes != MAP_FAILED && elf_names_python(bytes, size);
        if (bytes != MAP_FAILED)
            munmap(bytes, size);
    }
    if (file >= 0)
        close(file);
    return python;
}

bool
rh_program_is_python(const char *program)
{
    char path[4096];
    return find_program(program, path, sizeof path) && file_is_python(path, SCRIPTS);
}
