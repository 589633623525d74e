#define _GNU_SOURCE
#include "tests/oracle/pythons.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define DEBIAN_LIBRARY "libpython3.11.so.1.0"

static bool
can_be_opened(const char *path)
{
    void *handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (handle)
        dlclose(handle);
    return handle != NULL;
}

static bool
find_version(const char *folder, const char *version, struct real_library *library)
{
    char pattern[4096];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/%s.*/lib/libpython%s*.so.1.0", folder, version, version);
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    snprintf(library->path, sizeof library->path, "%s", found.gl_pathv[0]);
    snprintf(library->version, sizeof library->version, "%s", version);
    globfree(&found);
    return can_be_opened(library->path);
}

size_t
find_real_libraries(struct real_library libraries[REAL_LIBRARIES])
{
    static const char *const versions[] = {"3.7", "3.8", "3.9", "3.10", "3.11"};
    size_t count = 0;
    if (can_be_opened(DEBIAN_LIBRARY))
        libraries[count++] = (struct real_library){DEBIAN_LIBRARY, "3.11"};
    else
        printf("SKIP: %s is not installed\n", DEBIAN_LIBRARY);
    const char *folder = getenv("REHEAP_PYTHONS");
    if (!folder || !*folder) {
        printf("SKIP: REHEAP_PYTHONS is not set, other versions are not compared\n");
        return count;
    }
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (find_version(folder, versions[i], &libraries[count]))
            count++;
        else
            printf("SKIP: no shared library of CPython %s under REHEAP_PYTHONS\n", versions[i]);
    }
    return count;
}
