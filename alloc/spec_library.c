/* Which library the process of a heap must be started with. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/library_file.h"
#include "alloc/spec.h"

/* The file that so= names: a path, or a name for the system's folders. */
static rh_status
given_library(const rh_spec *spec, char *path, size_t capacity, rh_error *error)
{
    const char *so = ""; /* the parser has seen to it that there is one */
    rh_spec_text(&spec->base, "so", &so);
    if (!strchr(so, '/')) {
        if (!rh_library_find(so, path, capacity))
            return rh_fail(error, RH_CANNOT_RUN,
                           "%s: no library folder has it; give a path with a slash in it", so);
        return RH_OK;
    }
    char *whole = realpath(so, NULL);
    if (!whole)
        return rh_fail_errno(error, RH_CANNOT_RUN, errno, "%s: cannot open the library", so);
    int needed = snprintf(path, capacity, "%s", whole);
    free(whole);
    if (needed < 0 || (size_t)needed >= capacity)
        return rh_fail(error, RH_CANNOT_RUN, "%s: the path is too long", so);
    return RH_OK;
}

static rh_status
known_library(const rh_allocator *allocator, char *path, size_t capacity, rh_error *error)
{
    if (rh_library_find(allocator->library, path, capacity))
        return RH_OK;
    return rh_fail(error, RH_CANNOT_RUN, "%s is not installed; it is in Debian's package %s",
                   allocator->library, allocator->package);
}

rh_status
rh_spec_library(const rh_spec *spec, char *path, size_t capacity, rh_error *error)
{
    const char *library = spec->allocator->library;
    path[0] = '\0';
    if (!library)
        return RH_OK;
    rh_status status = library[0] ? known_library(spec->allocator, path, capacity, error)
                                  : given_library(spec, path, capacity, error);
    if (status == RH_OK)
        status = rh_library_check(path, error);
    if (status == RH_OK && strpbrk(path, " :"))
        status = rh_fail(error, RH_USAGE,
                         "%s: the loader takes blanks and colons in LD_PRELOAD for separators; "
                         "give a path without them",
                         path);
    if (status)
        path[0] = '\0';
    return status;
}
