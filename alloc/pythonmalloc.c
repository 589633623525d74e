#include "alloc/pythonmalloc.h"

#include <stdlib.h>
#include <string.h>

#include "alloc/pymalloc_geometry.h"

#define FIRST_WITH_MIMALLOC     13 /* 3.13: also the first that can be built free-threaded */
#define FIRST_WITH_MIMALLOC_RAW 15 /* until then RAW stays with the C library */
#define FIRST_WITH_HUGE_PAGES   15

/* An rh_python_kind, or what the build's default is. */
typedef enum choice {
    MALLOC = RH_PYTHON_MALLOC,
    PYMALLOC = RH_PYTHON_PYMALLOC,
    MIMALLOC = RH_PYTHON_MIMALLOC,
    OF_THE_BUILD
} choice;

/* In the order of their numbers. */
static const struct {
    const char *name;
    choice allocator;
    bool debug;
} names[] = {
    [PYMEM_ALLOCATOR_NOT_SET] = {"", OF_THE_BUILD, false},
    [PYMEM_ALLOCATOR_DEFAULT] = {"default", OF_THE_BUILD, false},
    [PYMEM_ALLOCATOR_DEBUG] = {"debug", OF_THE_BUILD, true},
    [PYMEM_ALLOCATOR_MALLOC] = {"malloc", MALLOC, false},
    [PYMEM_ALLOCATOR_MALLOC_DEBUG] = {"malloc_debug", MALLOC, true},
    [PYMEM_ALLOCATOR_PYMALLOC] = {"pymalloc", PYMALLOC, false},
    [PYMEM_ALLOCATOR_PYMALLOC_DEBUG] = {"pymalloc_debug", PYMALLOC, true},
    [PYMEM_ALLOCATOR_MIMALLOC] = {"mimalloc", MIMALLOC, false},
    [PYMEM_ALLOCATOR_MIMALLOC_DEBUG] = {"mimalloc_debug", MIMALLOC, true},
};

enum { NAMES = sizeof names / sizeof names[0] };

const char *
rh_pythonmalloc_name(PyMemAllocatorName number)
{
    bool is_name = (unsigned)number < NAMES && number != PYMEM_ALLOCATOR_NOT_SET;
    return is_name ? names[number].name : NULL;
}

/* The 13 of "3.13"; 0 when it is no version that is known. */
static unsigned
minor_of(const char *version)
{
    const rh_pymalloc_preset *preset = rh_pymalloc_preset_find(version);
    return preset ? (unsigned)strtoul(preset->version + 2, NULL, 10) : 0;
}

static rh_status
check_build(unsigned minor, const char *version, const rh_python_build *build, rh_error *error)
{
    if (minor == 0)
        return rh_fail(error, RH_USAGE, "CPython %s is not known; 3.7 to 3.15 are", version);
    if (build->free_threaded && minor < FIRST_WITH_MIMALLOC)
        return rh_fail(error, RH_USAGE,
                       "CPython %s cannot be built free-threaded; 3.13 is the "
                       "first that can",
                       version);
    if (build->huge_pages && minor < FIRST_WITH_HUGE_PAGES)
        return rh_fail(error, RH_USAGE,
                       "CPython %s cannot be built with huge pages for pymalloc; 3.15 is the first "
                       "that can",
                       version);
    if (build->free_threaded && build->without_mimalloc)
        return rh_fail(error, RH_USAGE, "a free-threaded CPython cannot be built without mimalloc");
    return RH_OK;
}

bool
rh_pythonmalloc_wants_huge_pages(const char *value)
{
    if (!value || !*value)
        return false;
    char *end;
    long number = strtol(value, &end, 10);
    return *end || number != 0;
}

/* Why this CPython does not know the name; NULL when it does. */
static const char *
missing(choice wanted, unsigned minor, const rh_python_build *build)
{
    if (build->free_threaded && (wanted == MALLOC || wanted == PYMALLOC))
        return "a free-threaded build has mimalloc only";
    if (wanted == PYMALLOC && build->without_pymalloc)
        return "it is built without pymalloc";
    if (wanted == MIMALLOC && minor < FIRST_WITH_MIMALLOC)
        return "mimalloc came with 3.13";
    if (wanted == MIMALLOC && build->without_mimalloc)
        return "it is built without mimalloc";
    return NULL;
}

static choice
default_of(const rh_python_build *build)
{
    if (build->free_threaded)
        return MIMALLOC;
    return build->without_pymalloc ? MALLOC : PYMALLOC;
}

rh_status
rh_pythonmalloc_resolve(const char *name, const char *version, const rh_python_build *build,
                        rh_python_memory *memory, rh_error *error)
{
    unsigned minor = minor_of(version), row = 0;
    rh_status status = check_build(minor, version, build, error);
    if (status != RH_OK)
        return status;
    while (row < NAMES && strcmp(names[row].name, name ? name : "") != 0)
        row++;
    if (row == NAMES)
        return rh_fail(error, RH_USAGE,
                       "'%.80s' is no allocator of CPython %s; there are default, malloc, "
                       "pymalloc, mimalloc, debug, and the last three before with _debug",
                       name, version);
    choice wanted = names[row].allocator;
    const char *reason = missing(wanted, minor, build);
    if (reason)
        return rh_fail(error, RH_USAGE, "CPython %s does not know '%s': %s", version,
                       names[row].name, reason);
    bool by_default = wanted == OF_THE_BUILD;
    if (by_default)
        wanted = default_of(build);
    memory->debug = names[row].debug || (by_default && build->debug);
    memory->objects = (rh_python_kind)wanted;
    memory->raw = wanted == MIMALLOC && minor >= FIRST_WITH_MIMALLOC_RAW ? RH_PYTHON_MIMALLOC
                                                                         : RH_PYTHON_MALLOC;
    return RH_OK;
}
