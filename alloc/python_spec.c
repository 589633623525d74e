#include "alloc/python_spec.h"

#include <stdio.h>
#include <string.h>

#include "alloc/pymalloc_geometry.h"
#include "alloc/pythonmalloc.h"

static const rh_key keys[] = {
    {"malloc", RH_KEY_CHOICE, 0, 0, false,
     "default|debug|malloc|malloc_debug|pymalloc|pymalloc_debug|mimalloc|mimalloc_debug", "default",
     "the value of PYTHONMALLOC"},
    {"build", RH_KEY_CHOICE, 0, 0, false, "release|debug", "release",
     "debug: built with --with-pydebug, the hooks are in its defaults"},
    {"gil", RH_KEY_CHOICE, 0, 0, false, "yes|no", "yes",
     "no: built with --disable-gil, mimalloc is all it has"},
    {"large", RH_KEY_CHOICE, 0, 0, false, "space|libc", "space",
     "pymalloc's: what serves RAW, zero and large requests"},
    {0},
};

static bool
is_second(const rh_spec_part *part, const char *key)
{
    uint64_t choice;
    return rh_spec_number(part, key, &choice) && choice == 1;
}

/* The layer that has the debug hooks as they are in that version and build. */
static const char *
hooks_of(const char *version, const rh_python_build *build)
{
    if (strncmp(version, "3.7", 3) == 0)
        return "+debug,python=3.7";
    if (strncmp(version, "3.8", 3) == 0)
        return "+debug,python=3.8";
    return build->free_threaded ? "+debug,python=free-threaded" : "+debug";
}

static rh_status
stands_for(const rh_spec_part *part, char *text, size_t capacity, rh_error *error)
{
    const char *version = part->preset ? part->preset : RH_PYMALLOC_STANDARD_PRESET;
    const char *name = "default", *large = NULL;
    rh_spec_text(part, "malloc", &name);
    rh_spec_text(part, "large", &large);
    rh_python_build build = {.debug = is_second(part, "build"),
                             .free_threaded = is_second(part, "gil")};
    rh_python_memory memory;
    rh_status status = rh_pythonmalloc_resolve(name, version, &build, &memory, error);
    if (status != RH_OK)
        return status;
    if (large && memory.objects != RH_PYTHON_PYMALLOC)
        return rh_fail(error, RH_USAGE, "large= is pymalloc's, which is not in this configuration");
    const char *hooks = memory.debug ? hooks_of(version, &build) : "";
    if (memory.objects == RH_PYTHON_PYMALLOC)
        snprintf(text, capacity, "pymalloc@%s%s%s%s", version, large ? ",large=" : "",
                 large ? large : "", hooks);
    else if (memory.objects == RH_PYTHON_MIMALLOC)
        snprintf(text, capacity, "mimalloc@%s%s%s", version, build.free_threaded ? "t" : "", hooks);
    else
        snprintf(text, capacity, "malloc%s", hooks);
    return RH_OK;
}

const rh_allocator rh_python_allocator = {
    .name = "python",
    .summary = "what a version of CPython makes of a value of PYTHONMALLOC",
    .presets = rh_pymalloc_presets,
    .keys = keys,
    .many = true,
    .stands_for = stands_for,
};
