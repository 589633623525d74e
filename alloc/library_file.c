#define _GNU_SOURCE
#include "alloc/library_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static bool
stands_at(const char *folder, size_t length, const char *name, char *path, size_t capacity)
{
    int needed = snprintf(path, capacity, "%.*s/%s", (int)length, folder, name);
    return needed > 0 && (size_t)needed < capacity && access(path, R_OK) == 0;
}

static bool
in_list(const char *folders, const char *name, char *path, size_t capacity)
{
    while (folders && *folders) {
        size_t length = strcspn(folders, ":");
        if (length > 0 && stands_at(folders, length, name, path, capacity))
            return true;
        folders += length + (folders[length] == ':');
    }
    return false;
}

/* The newest of the folders that match, as names sort. */
static bool
in_pattern(const char *pattern, const char *name, char *path, size_t capacity)
{
    glob_t found;
    bool stands = false;
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    for (size_t i = found.gl_pathc; i-- > 0 && !stands;)
        stands = stands_at(found.gl_pathv[i], strlen(found.gl_pathv[i]), name, path, capacity);
    globfree(&found);
    return stands;
}

bool
rh_library_find(const char *name, char *path, size_t capacity)
{
    static const char *const system = "/usr/local/lib:/lib/x86_64-linux-gnu:"
                                      "/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib";
    return in_list(getenv("LD_LIBRARY_PATH"), name, path, capacity) ||
           in_list(system, name, path, capacity) ||
           in_pattern("/usr/lib/llvm-*/lib/clang/*/lib/linux", name, path, capacity) ||
           in_pattern("/usr/lib/clang/*/lib/linux", name, path, capacity);
}

rh_status
rh_library_check(const char *path, rh_error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return rh_fail_errno(error, RH_CANNOT_RUN, errno, "%s: cannot open the library", path);
    Elf64_Ehdr header = {.e_type = ET_NONE};
    ssize_t got = read(file, &header, sizeof header);
    close(file);
    if (got != (ssize_t)sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_type != ET_DYN)
        return rh_fail(error, RH_CANNOT_RUN, "%s: not a shared library", path);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
        return rh_fail(error, RH_CANNOT_RUN, "%s: a library for another processor than x86-64",
                       path);
    return RH_OK;
}

bool
rh_library_hash(const char *path, char text[RH_LIBRARY_HASH_TEXT])
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return false;
    void *bytes = MAP_FAILED;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (bytes == MAP_FAILED)
        return false;
    snprintf(text, RH_LIBRARY_HASH_TEXT, "%016" PRIx64,
             (uint64_t)XXH3_64bits(bytes, (size_t)status.st_size));
    munmap(bytes, (size_t)status.st_size);
    return true;
}
