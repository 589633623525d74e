#define _GNU_SOURCE
#include "alloc/introspect.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const rh_malloc_kind *const kinds[] = {
    &rh_malloc_kind_jemalloc, &rh_malloc_kind_tcmalloc, &rh_malloc_kind_scudo,
    &rh_malloc_kind_mimalloc, &rh_malloc_kind_glibc,
};

void *
rh_malloc_probe_symbol(const rh_malloc_probe *probe, const char *name)
{
    Dl_info info;
    void *address = dlsym(RTLD_DEFAULT, name);
    if (!address || !dladdr(address, &info) || info.dli_fbase != probe->base)
        return NULL;
    return address;
}

bool
rh_malloc_probe_is_libc(const rh_malloc_probe *probe)
{
    return probe->kind == &rh_malloc_kind_glibc;
}

/* Fills `symbol` with what `kind` is asked through; false when the object has not all of it. */
static bool
matches(const rh_malloc_kind *kind, rh_malloc_probe *probe)
{
    for (size_t i = 0; i < RH_MALLOC_SYMBOLS && kind->symbol[i]; i++) {
        probe->symbol[i] = rh_malloc_probe_symbol(probe, kind->symbol[i]);
        if (!probe->symbol[i])
            return false;
    }
    return true;
}

void
rh_malloc_probe_process(rh_malloc_probe *probe)
{
    *probe = (rh_malloc_probe){.kind = NULL};
    Dl_info info;
    void *process_malloc = dlsym(RTLD_DEFAULT, "malloc");
    if (!process_malloc || !dladdr(process_malloc, &info))
        return;
    snprintf(probe->library, sizeof probe->library, "%s", info.dli_fname);
    probe->base = info.dli_fbase;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (matches(kinds[i], probe)) {
            probe->kind = kinds[i];
            return;
        }
    }
}
