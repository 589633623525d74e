#define _GNU_SOURCE
#include "base/program_build.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

char *
rh_program_build(char text[RH_PROGRAM_BUILD_TEXT])
{
    snprintf(text, RH_PROGRAM_BUILD_TEXT, "unknown");
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return text;
    struct stat facts;
    size_t bytes = fstat(file, &facts) == 0 ? (size_t)facts.st_size : 0;
    void *image = bytes ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    close(file);
    if (image == MAP_FAILED)
        return text;
    XXH128_hash_t hash = XXH3_128bits(image, bytes);
    munmap(image, bytes);
    snprintf(text, RH_PROGRAM_BUILD_TEXT, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
    return text;
}

const char *
rh_program_compiler(void)
{
#ifdef __clang__
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

bool
rh_program_is_checked(void)
{
#ifdef NDEBUG
    return false;
#else
    return true;
#endif
}
