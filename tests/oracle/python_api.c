#define _GNU_SOURCE
#include "tests/oracle/python_api.h"

#include <dlfcn.h>

static bool
find(const struct python_api *api, const char *prefix, const char *name, void *place)
{
    char symbol[64];
    snprintf(symbol, sizeof symbol, "%s%s", prefix, name);
    void *function = dlsym(api->handle, symbol);
    if (!function)
        fprintf(stderr, "there is no %s in the library\n", symbol);
    *(void **)place = function;
    return function != NULL;
}

static bool
find_domain(struct python_api *api, PyMemAllocatorDomain domain, const char *name,
            const char *prefix)
{
    struct domain_functions *functions = &api->domain[domain];
    functions->name = name;
    return find(api, prefix, "Malloc", &functions->malloc) &&
           find(api, prefix, "Calloc", &functions->calloc) &&
           find(api, prefix, "Realloc", &functions->realloc) &&
           find(api, prefix, "Free", &functions->free);
}

bool
python_api_open(struct python_api *api, const char *library)
{
    api->handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!api->handle) {
        fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    *(void **)&api->track = dlsym(api->handle, "PyTraceMalloc_Track");
    *(void **)&api->untrack = dlsym(api->handle, "PyTraceMalloc_Untrack");
    return find_domain(api, PYMEM_DOMAIN_RAW, "raw", "PyMem_Raw") &&
           find_domain(api, PYMEM_DOMAIN_MEM, "mem", "PyMem_") &&
           find_domain(api, PYMEM_DOMAIN_OBJ, "obj", "PyObject_") &&
           find(api, "PyMem_", "GetAllocator", &api->get_allocator) &&
           find(api, "PyMem_", "SetAllocator", &api->set_allocator) &&
           find(api, "PyMem_", "SetupDebugHooks", &api->setup_debug_hooks) &&
           find(api, "PyObject_", "GetArenaAllocator", &api->get_arenas) &&
           find(api, "PyObject_", "SetArenaAllocator", &api->set_arenas) &&
           find(api, "_PyObject_", "DebugMallocStats", &api->print_stats);
}
