/* Opens libpymem.so privately, and a real libpython for everybody, in one process; sees that each
 * calls its own functions and that neither touches malloc.
 *
 * usage: beside LIBPYMEM first|second [LIBPYTHON]    without LIBPYTHON only what concerns malloc
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/pymem.h"

typedef struct api {
    const char *name;
    void *library;
    void *(*malloc)(size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    void (*get_allocator)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*set_allocator)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*get_arenas)(PyObjectArenaAllocator *);
    int (*print_stats)(FILE *);
} api;

static bool
open_api(api *a, const char *path, int flags)
{
    a->name = path;
    a->library = dlopen(path, RTLD_NOW | flags);
    if (!a->library) {
        fprintf(stderr, "%s\n", dlerror());
        return false;
    }
    *(void **)&a->malloc = dlsym(a->library, "PyMem_Malloc");
    *(void **)&a->realloc = dlsym(a->library, "PyMem_Realloc");
    *(void **)&a->free = dlsym(a->library, "PyMem_Free");
    *(void **)&a->get_allocator = dlsym(a->library, "PyMem_GetAllocator");
    *(void **)&a->set_allocator = dlsym(a->library, "PyMem_SetAllocator");
    *(void **)&a->get_arenas = dlsym(a->library, "PyObject_GetArenaAllocator");
    *(void **)&a->print_stats = dlsym(a->library, "_PyObject_DebugMallocStats");
    return a->malloc && a->realloc && a->free && a->get_allocator && a->set_allocator &&
           a->get_arenas && a->print_stats;
}

static int failed;

static void
expect(bool holds, const char *who, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s: not so: %s\n", who, what);
        failed = 1;
    }
}

/* A hook on RAW that counts. */
typedef struct counter {
    PyMemAllocatorEx under;
    int mallocs;
} counter;

static void *
count_malloc(void *ctx, size_t size)
{
    counter *c = ctx;
    c->mallocs++;
    return c->under.malloc(c->under.ctx, size);
}

static void *
count_realloc(void *ctx, void *block, size_t size)
{
    counter *c = ctx;
    return c->under.realloc(c->under.ctx, block, size);
}

static void *
count_calloc(void *ctx, size_t nelem, size_t elsize)
{
    counter *c = ctx;
    return c->under.calloc(c->under.ctx, nelem, elsize);
}

static void
count_free(void *ctx, void *block)
{
    counter *c = ctx;
    c->under.free(c->under.ctx, block);
}

static void
hook_raw(const api *a, counter *c)
{
    *c = (counter){.mallocs = 0};
    a->get_allocator(PYMEM_DOMAIN_RAW, &c->under);
    PyMemAllocatorEx hook = {c, count_malloc, count_calloc, count_realloc, count_free};
    a->set_allocator(PYMEM_DOMAIN_RAW, &hook);
}

/* How many arenas the library says it has; -1 when it says nothing. */
static int
arenas_of(const api *a)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int printed = a->print_stats(out), arenas = -1;
    fclose(out);
    const char *line = printed ? strstr(text, "# arenas allocated current") : NULL;
    if (line)
        sscanf(line, "# arenas allocated current = %d", &arenas);
    free(text);
    return arenas;
}

/* What happens in `busy` is unknown to `idle`. */
static void
keep_apart(const api *busy, const api *idle)
{
    counter of_busy, of_idle;
    hook_raw(busy, &of_busy);
    hook_raw(idle, &of_idle);
    int before = arenas_of(idle);
    void *large = busy->malloc(5000), *small[3000];
    for (int i = 0; i < 3000; i++)
        small[i] = busy->malloc(400);
    expect(large && small[2999], busy->name, "it serves");
    expect(of_busy.mallocs == 1, busy->name, "its own RAW serves what is large");
    expect(of_idle.mallocs == 0, idle->name, "the other's RAW hears nothing of it");
    expect(arenas_of(busy) >= 2, busy->name, "its own arenas serve what is small");
    expect(arenas_of(idle) == before, idle->name, "the other's arenas do not");
    for (int i = 0; i < 3000; i++)
        busy->free(small[i]);
    busy->free(large);
    busy->set_allocator(PYMEM_DOMAIN_RAW, &of_busy.under);
    idle->set_allocator(PYMEM_DOMAIN_RAW, &of_idle.under);
}

static void
compare_origins(const api *a)
{
    PyMemAllocatorEx allocator;
    PyObjectArenaAllocator arenas;
    Dl_info own, of_function, of_arenas;
    a->get_allocator(PYMEM_DOMAIN_OBJ, &allocator);
    a->get_arenas(&arenas);
    bool known = dladdr(*(void **)&a->malloc, &own) &&
                 dladdr(*(void **)&allocator.malloc, &of_function) &&
                 dladdr(*(void **)&arenas.alloc, &of_arenas);
    expect(known && own.dli_fbase == of_function.dli_fbase, a->name, "its allocator is its own");
    expect(known && own.dli_fbase == of_arenas.dli_fbase, a->name, "its arenas are its own");
}

/* Where malloc lies: what serves the process. */
static void *
home_of_malloc(void)
{
    Dl_info info;
    return dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) ? info.dli_fbase : NULL;
}

int
main(int argc, char **argv)
{
    api ours, theirs;
    if (argc < 3)
        return 2;
    void *before = home_of_malloc();
    bool first = strcmp(argv[2], "first") == 0;
    if (first && !open_api(&ours, argv[1], RTLD_LOCAL))
        return 1;
    if (argc > 3 && !open_api(&theirs, argv[3], RTLD_GLOBAL))
        return 1;
    if (!first && !open_api(&ours, argv[1], RTLD_LOCAL))
        return 1;
    expect(before && home_of_malloc() == before, "malloc", "it is the same as before");
    expect(!dlsym(ours.library, "rh_domains_lock"), ours.name, "it keeps its insides to itself");
    compare_origins(&ours);
    if (argc > 3) {
        compare_origins(&theirs);
        keep_apart(&ours, &theirs);
        keep_apart(&theirs, &ours);
    } else {
        void *block = ours.realloc(ours.malloc(10), 10000);
        expect(block, ours.name, "it serves");
        ours.free(block);
    }
    return failed;
}
