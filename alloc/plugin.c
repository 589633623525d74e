/* From a plug-in's table to a heap.
 *
 * The domains' functions are the plug-in's own, called without anything between; all other
 * operations pass through this file, which copes with what the table leaves out and does not trust
 * what it gets. What is checked is the shape of things: that the symbol is a table, large enough,
 * of this version of the interface, with the required functions. What the functions then do is the
 * plug-in's affair, in a process that it may take down.
 */
#define _GNU_SOURCE
#include "alloc/plugin.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/library_file.h"

#define SYMBOL "reheap_plugin"

enum { ALIGNMENT_STANDARD = 8, ALIGNMENT_MOST = 1 << 20, PATH_BYTES = 4096, MESSAGE_BYTES = 512 };

/* The least that a table must hold: all that is required. */
#define REQUIRED_BYTES offsetof(reheap_plugin_table, get_domain)

/* Its reason in one line, whatever it wrote. */
#define MESSAGE_FORMAT "%.400s"

typedef struct plugin_heap {
    rh_heap heap;
    rh_heap_operations operations; /* those that this plug-in has */
    reheap_plugin_table table;
    void *library;
    void *own; /* the plug-in's heap */
    char path[PATH_BYTES];
} plugin_heap;

static plugin_heap *
plugin_of(rh_heap *heap)
{
    return (plugin_heap *)heap;
}

/* ------------------------------------------------------------------ operations */

static void *
aligned_alloc_plugin(rh_heap *heap, PyMemAllocatorDomain domain, size_t alignment, size_t size)
{
    plugin_heap *plugin = plugin_of(heap);
    return plugin->table.aligned_alloc(plugin->own, (int)domain, alignment, size);
}

static size_t
usable_size(rh_heap *heap, PyMemAllocatorDomain domain, const void *block)
{
    plugin_heap *plugin = plugin_of(heap);
    return plugin->table.usable_size(plugin->own, (int)domain, block);
}

static void
get_arenas(rh_heap *heap, PyObjectArenaAllocator *arenas)
{
    plugin_heap *plugin = plugin_of(heap);
    reheap_arenas own = {NULL, NULL, NULL};
    plugin->table.get_arenas(plugin->own, &own);
    *arenas = (PyObjectArenaAllocator){own.ctx, own.alloc, own.free};
}

static rh_status
set_arenas(rh_heap *heap, const PyObjectArenaAllocator *arenas, rh_error *error)
{
    plugin_heap *plugin = plugin_of(heap);
    const reheap_arenas own = {arenas->ctx, arenas->alloc, arenas->free};
    if (plugin->table.set_arenas(plugin->own, &own) != 0)
        return rh_fail(error, RH_USAGE,
                       "the source of arenas must be set before the first allocation");
    return RH_OK;
}

/* Where what a plug-in tells goes: counters by name, the rest to whoever takes figures. */
typedef struct listener {
    rh_counters *counters;
    rh_figure_taker *take;
    void *ctx;
} listener;

static uint64_t *
counter_named(rh_counters *counters, const char *name)
{
#define FIND(counter, what)                                                                        \
    if (strcmp(name, #counter) == 0)                                                               \
        return &counters->counter;
    RH_COUNTERS(FIND)
#undef FIND
    return NULL;
}

static void
listen(void *ctx, const char *name, uint64_t value)
{
    const listener *to = ctx;
    if (!name)
        return;
    uint64_t *counter = counter_named(to->counters, name);
    if (counter) {
        *counter = value;
    } else if (to->take) {
        char own[64];
        snprintf(own, sizeof own, "plugin_%.56s", name);
        to->take(to->ctx, own, value);
    }
}

static void
snapshot(rh_heap *heap, rh_counters *counters)
{
    plugin_heap *plugin = plugin_of(heap);
    listener to = {.counters = counters};
    plugin->table.statistics(plugin->own, listen, &to);
}

static void
figures(rh_heap *heap, rh_figure_taker *take, void *ctx)
{
    plugin_heap *plugin = plugin_of(heap);
    rh_counters unused;
    listener to = {&unused, take, ctx};
    plugin->table.statistics(plugin->own, listen, &to);
}

typedef struct walker {
    rh_region_visitor *visit;
    void *ctx;
    bool whole; /* nothing ended it */
} walker;

static int
show(void *ctx, const reheap_region *region)
{
    walker *walk = ctx;
    bool known = region && (region->kind == REHEAP_ARENA || region->kind == REHEAP_PAGE ||
                            region->kind == REHEAP_BLOCK);
    if (!known || !walk->whole) {
        walk->whole = false;
        return 0;
    }
    static const rh_region_kind kinds[] = {RH_REGION_ARENA, RH_REGION_PAGE, RH_REGION_BLOCK};
    const rh_region shown = {.kind = kinds[region->kind],
                             .address = region->address,
                             .size_bytes = region->size_bytes,
                             .block_bytes = region->block_bytes,
                             .used = region->used,
                             .capacity = region->capacity};
    walk->whole = walk->visit(walk->ctx, &shown);
    return walk->whole;
}

static bool
walk_plugin(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    plugin_heap *plugin = plugin_of(heap);
    walker walk = {visit, ctx, true};
    return plugin->table.walk(plugin->own, show, &walk) != 0 && walk.whole;
}

/* Passes on arenas once a page of theirs comes, and pages. */
typedef struct page_filter {
    rh_region_visitor *visit;
    void *ctx;
    rh_region arena;
    bool shown; /* the arena was */
} page_filter;

static bool
pass_pages(void *ctx, const rh_region *region)
{
    page_filter *filter = ctx;
    if (region->kind == RH_REGION_BLOCK)
        return true;
    if (region->kind == RH_REGION_ARENA) {
        filter->arena = *region;
        filter->shown = false;
        return true;
    }
    if (!filter->shown && !filter->visit(filter->ctx, &filter->arena))
        return false;
    filter->shown = true;
    return filter->visit(filter->ctx, region);
}

static bool
walk_plugin_pages(rh_heap *heap, rh_region_visitor *visit, void *ctx)
{
    page_filter filter = {.visit = visit, .ctx = ctx, .shown = true};
    return walk_plugin(heap, pass_pages, &filter);
}

static rh_status
check(rh_heap *heap, rh_error *error)
{
    plugin_heap *plugin = plugin_of(heap);
    char message[MESSAGE_BYTES] = "";
    if (plugin->table.check(plugin->own, message, sizeof message) == 0)
        return RH_OK;
    message[sizeof message - 1] = '\0';
    return rh_fail(error, RH_DIFFERENT, "%s: " MESSAGE_FORMAT, plugin->path,
                   message[0] ? message : "its check found something and does not say what");
}

static void
trim(rh_heap *heap)
{
    plugin_heap *plugin = plugin_of(heap);
    plugin->table.trim(plugin->own);
}

static void
close_plugin(rh_heap *heap)
{
    plugin_heap *plugin = plugin_of(heap);
    plugin->table.close(plugin->own);
    dlclose(plugin->library);
    free(plugin);
}

/* Only what the plug-in has, so that callers see what it has not. */
static rh_heap_operations
operations_of(const reheap_plugin_table *table)
{
    return (rh_heap_operations){
        .aligned_alloc = table->aligned_alloc ? aligned_alloc_plugin : NULL,
        .usable_size = table->usable_size ? usable_size : NULL,
        .get_arenas = table->get_arenas ? get_arenas : NULL,
        .set_arenas = table->set_arenas ? set_arenas : NULL,
        .snapshot = table->statistics ? snapshot : NULL,
        .figures = table->statistics ? figures : NULL,
        .walk = table->walk ? walk_plugin : NULL,
        .walk_pages = table->walk ? walk_plugin_pages : NULL,
        .check = table->check ? check : NULL,
        .trim = table->trim ? trim : NULL,
        .close = close_plugin,
    };
}

/* ------------------------------------------------------------------ loading */

/* The file that so= names: a path, or a name for the system's folders. */
static rh_status
find_library(const rh_spec_part *part, char *path, rh_error *error)
{
    const char *so;
    if (!rh_spec_text(part, "so", &so))
        return rh_fail(error, RH_USAGE, "plugin needs so=, the library");
    if (strchr(so, '/')) {
        if ((size_t)snprintf(path, PATH_BYTES, "%s", so) >= PATH_BYTES)
            return rh_fail(error, RH_CANNOT_RUN, "%.64s...: the path is too long", so);
    } else if (!rh_library_find(so, path, PATH_BYTES)) {
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: no library folder has it; give a path with a slash in it, as ./%s", so,
                       so);
    }
    return rh_library_check(path, error);
}

/* How much there is of the symbol at `table`; 0 when it is no data. */
static size_t
symbol_bytes(const void *table)
{
    Dl_info object;
    ElfW(Sym) *symbol = NULL;
    if (!dladdr1(table, &object, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
        return 0;
    return ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT ? symbol->st_size : 0;
}

/* The name of a required function that `table` lacks; NULL when it has all. */
static const char *
missing_function(const reheap_plugin_table *table)
{
    if (!table->open)
        return "open";
    if (!table->close)
        return "close";
    if (table->get_domain)
        return NULL;
    const reheap_functions *functions = &table->functions;
    return !functions->malloc    ? "functions.malloc"
           : !functions->calloc  ? "functions.calloc"
           : !functions->realloc ? "functions.realloc"
           : !functions->free    ? "functions.free"
                                 : NULL;
}

static rh_status
check_members(const reheap_plugin_table *table, const char *path, rh_error *error)
{
    size_t alignment = table->natural_alignment;
    const char *missing = missing_function(table);
    if (missing)
        return rh_fail(error, RH_CANNOT_RUN, "%s: its table has no %s, which is required", path,
                       missing);
    if ((alignment & (alignment - 1)) != 0 || alignment > ALIGNMENT_MOST)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: natural_alignment is %zu; it must be a power of two up to %d, or 0",
                       path, alignment, ALIGNMENT_MOST);
    if (!table->get_arenas != !table->set_arenas)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: its table has %s alone; get_arenas and set_arenas go together", path,
                       table->get_arenas ? "get_arenas" : "set_arenas");
    return RH_OK;
}

/* Copies the plug-in's table into one that is whole. */
static rh_status
read_table(void *library, const char *path, reheap_plugin_table *table, rh_error *error)
{
    *table = (reheap_plugin_table){.magic = 0};
    const char *found = dlsym(library, SYMBOL);
    if (!found)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: it exports no %s, so it is no plug-in; reheap_plugin.h says what to "
                       "export (a library that replaces malloc runs as preload,so=%s)",
                       path, SYMBOL, path);
    size_t there = symbol_bytes(found);
    uint32_t head[2] = {0, 0}; /* magic, abi */
    if (there >= sizeof head)
        memcpy(head, found, sizeof head);
    if (head[0] != REHEAP_PLUGIN_MAGIC)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: its %s is not a reheap_plugin_table that begins with "
                       "REHEAP_PLUGIN_HEAD",
                       path, SYMBOL);
    if (head[1] != REHEAP_PLUGIN_VERSION)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: it was built for version %u of the interface, this reheap has version "
                       "%u; build it with this reheap's reheap_plugin.h",
                       path, head[1], REHEAP_PLUGIN_VERSION);
    size_t size = 0;
    if (there >= REQUIRED_BYTES)
        memcpy(&size, found + offsetof(reheap_plugin_table, size), sizeof size);
    if (size < REQUIRED_BYTES || size > there)
        return rh_fail(error, RH_CANNOT_RUN,
                       "%s: its table says that it has %zu bytes, and has %zu; it needs %zu, and "
                       "its size must be sizeof(reheap_plugin_table)",
                       path, size, there, REQUIRED_BYTES);
    memcpy(table, found, size < sizeof *table ? size : sizeof *table);
    return check_members(table, path, error);
}

static rh_status
load(const rh_spec_part *part, plugin_heap *plugin, rh_error *error)
{
    rh_status status = find_library(part, plugin->path, error);
    if (status != RH_OK)
        return status;
    void *before = dlopen(plugin->path, RTLD_NOW | RTLD_NOLOAD);
    if (before)
        dlclose(before);
    plugin->library = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin->library)
        return rh_fail(error, RH_CANNOT_RUN, "the loader refuses it: %s", dlerror());
    status = read_table(plugin->library, plugin->path, &plugin->table, error);
    if (status == RH_OK && before && !(plugin->table.flags & REHEAP_MANY))
        status = rh_fail(error, RH_CANNOT_RUN,
                         "%s is in use in this process, and its table does not say REHEAP_MANY",
                         plugin->path);
    if (status != RH_OK)
        dlclose(plugin->library);
    return status;
}

/* Opens the plug-in's own heap. */
static rh_status
open_own(const rh_spec_part *part, plugin_heap *plugin, rh_error *error)
{
    char message[MESSAGE_BYTES] = "";
    const char *options = "";
    rh_spec_text(part, "options", &options);
    plugin->own = plugin->table.open(options, message, sizeof message);
    if (plugin->own)
        return RH_OK;
    message[sizeof message - 1] = '\0';
    return rh_fail(error, RH_CANNOT_RUN, "%s: it did not open: " MESSAGE_FORMAT, plugin->path,
                   message[0] ? message : "its open returned NULL and does not say why");
}

static rh_status
set_domains(plugin_heap *plugin, rh_error *error)
{
    const reheap_plugin_table *table = &plugin->table;
    for (int i = 0; i < RH_DOMAINS; i++) {
        reheap_domain domain = {plugin->own, table->functions};
        if (table->get_domain) {
            domain = (reheap_domain){.ctx = NULL};
            table->get_domain(plugin->own, i, &domain);
        }
        const reheap_functions *functions = &domain.functions;
        if (!functions->malloc || !functions->calloc || !functions->realloc || !functions->free)
            return rh_fail(error, RH_CANNOT_RUN,
                           "%s: get_domain left out a function of domain %d; it must set malloc, "
                           "calloc, realloc and free",
                           plugin->path, i);
        plugin->heap.domain[i] = (PyMemAllocatorEx){
            domain.ctx, functions->malloc, functions->calloc, functions->realloc, functions->free};
    }
    return RH_OK;
}

static rh_status
set_up(const rh_spec_part *part, plugin_heap *plugin, rh_error *error)
{
    const reheap_plugin_table *table = &plugin->table;
    rh_status status = open_own(part, plugin, error);
    if (status != RH_OK)
        return status;
    status = set_domains(plugin, error);
    if (status != RH_OK) {
        table->close(plugin->own);
        return status;
    }
    plugin->operations = operations_of(table);
    plugin->heap.operations = &plugin->operations;
    plugin->heap.natural_alignment =
        table->natural_alignment ? table->natural_alignment : ALIGNMENT_STANDARD;
    if (table->mapped_bytes)
        plugin->heap.mapped_bytes = table->mapped_bytes(plugin->own);
    return RH_OK;
}

static rh_status
open_plugin(const rh_spec_part *part, rh_heap **heap, rh_error *error)
{
    plugin_heap *plugin = calloc(1, sizeof *plugin);
    if (!plugin)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    rh_status status = load(part, plugin, error);
    if (status == RH_OK) {
        status = set_up(part, plugin, error);
        if (status != RH_OK)
            dlclose(plugin->library);
    }
    if (status != RH_OK) {
        free(plugin);
        return status;
    }
    *heap = &plugin->heap;
    return RH_OK;
}

const reheap_plugin_table *
rh_plugin_table_of(const rh_heap *heap)
{
    return heap->operations->close == close_plugin ? &((const plugin_heap *)heap)->table : NULL;
}

/* ------------------------------------------------------------------ the row */

/* "mine 0.1, file 0123456789abcdef": two builds of one version are not taken for the same. Empty
 * without a library, as in the listing. */
static void
version(const rh_spec_part *part, char *text, size_t capacity)
{
    plugin_heap plugin;
    char hash[RH_LIBRARY_HASH_TEXT];
    text[0] = '\0';
    if (find_library(part, plugin.path, NULL) != RH_OK)
        return;
    void *library = dlopen(plugin.path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return;
    if (read_table(library, plugin.path, &plugin.table, NULL) == RH_OK &&
        rh_library_hash(plugin.path, hash))
        snprintf(text, capacity, "%.48s%s%.48s, file %s",
                 plugin.table.name ? plugin.table.name : "", plugin.table.name ? " " : "",
                 plugin.table.version ? plugin.table.version : "without a version", hash);
    dlclose(library);
}

static const rh_key keys[] = {
    {.name = "so",
     .kind = RH_KEY_TEXT,
     .help = "the library: a path, or a name in the system's folders"},
    {.name = "options",
     .kind = RH_KEY_TEXT,
     .standard = "",
     .help = "what the plug-in is told, in its own words"},
    {.name = NULL},
};

const rh_allocator rh_plugin_allocator = {
    .name = "plugin",
    .summary = "an allocator of your own, out of a shared library that exports reheap_plugin",
    .keys = keys,
    .open = open_plugin,
    .version = version,
};
