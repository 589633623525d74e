/* A reference is a relocation against the function's name: in the table that calls go through
 * (JUMP_SLOT), or wherever else its address is kept (GLOB_DAT, 64). One that has not been bound yet
 * points into its own object, at the code that will bind it; it is bound here. */
#define _GNU_SOURCE
#include "traces/recorder/relink.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, OBJECTS_MAX = 1024, EVERY_US = 50000 };

static struct {
    const rh_relinked *lists[RH_RELINKED_LISTS];
    unsigned list_count;
    unsigned long long objects; /* ever loaded, when last looked */
    _Atomic uint64_t looked;    /* ticks */
    bool again;                 /* what was loaded last may not have been bound yet */
} state;

/* What an object says of itself, as far as it matters here. */
typedef struct object {
    ElfW(Addr) base, end;
    const ElfW(Phdr) * relro;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * calls, *data;
    size_t call_count, data_count;
} object;

/* Where this library begins; made by the linker. Asking the loader would take its lock. */
extern const char __ehdr_start RH_HIDDEN;

static ElfW(Addr) own_base(void)
{
    return (ElfW(Addr))(uintptr_t)&__ehdr_start;
}

static void
read_dynamic(object *o, const ElfW(Dyn) * entry)
{
    for (; entry->d_tag != DT_NULL; entry++) {
        /* The loader has made addresses of most of these; the kernel's own object keeps offsets. */
        ElfW(Addr) at = entry->d_un.d_ptr;
        void *place = (void *)(uintptr_t)(at < o->base ? at + o->base : at);
        switch (entry->d_tag) {
        case DT_SYMTAB:
            o->symbols = place;
            break;
        case DT_STRTAB:
            o->strings = place;
            break;
        case DT_JMPREL:
            o->calls = place;
            break;
        case DT_PLTRELSZ:
            o->call_count = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_RELA:
            o->data = place;
            break;
        case DT_RELASZ:
            o->data_count = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        default:
            break;
        }
    }
}

static bool
read_object(const struct dl_phdr_info *info, object *o)
{
    const ElfW(Dyn) *dynamic = NULL;
    *o = (object){.base = info->dlpi_addr};
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        ElfW(Addr) end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
        if (part->p_type == PT_DYNAMIC)
            dynamic = (const void *)(uintptr_t)(info->dlpi_addr + part->p_vaddr);
        else if (part->p_type == PT_GNU_RELRO)
            o->relro = part;
        else if (part->p_type == PT_LOAD && end > o->end)
            o->end = end;
    }
    if (dynamic)
        read_dynamic(o, dynamic);
    return o->symbols && o->strings;
}

/* One store, into a page that may be kept from being written. */
static void
set_slot(const object *o, void **slot, void *value)
{
    ElfW(Addr) at = (ElfW(Addr))(uintptr_t)slot & ~(ElfW(Addr))(PAGE - 1);
    bool sealed = false;
    if (o->relro) {
        ElfW(Addr) from = (o->base + o->relro->p_vaddr) & ~(ElfW(Addr))(PAGE - 1);
        ElfW(Addr) to = (o->base + o->relro->p_vaddr + o->relro->p_memsz) & ~(ElfW(Addr))(PAGE - 1);
        sealed = at >= from && at < to;
    }
    if (sealed && mprotect((void *)(uintptr_t)at, PAGE, PROT_READ | PROT_WRITE) != 0)
        return;
    __atomic_store_n(slot, value, __ATOMIC_RELEASE);
    if (sealed)
        mprotect((void *)(uintptr_t)at, PAGE, PROT_READ);
}

static bool
lies_within(const object *o, const void *place)
{
    ElfW(Addr) at = (ElfW(Addr))(uintptr_t)place;
    return at >= o->base && at < o->end;
}

/* An object may define a function that it calls by name, and be bound to that. */
static bool
is_own(const object *o, const ElfW(Sym) * symbol, const void *function)
{
    return symbol->st_shndx != SHN_UNDEF &&
           (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC ||
            o->base + symbol->st_value == (ElfW(Addr))(uintptr_t)function);
}

static const rh_relinked *
find_function(const char *name)
{
    for (unsigned i = 0; i < state.list_count; i++) {
        for (const rh_relinked *f = state.lists[i]; f->name; f++) {
            if (strcmp(name, f->name) == 0)
                return f->from ? f : NULL;
        }
    }
    return NULL;
}

static void
relink_one(const object *o, const ElfW(Rela) * relocation, bool undo)
{
    unsigned type = (unsigned)ELF64_R_TYPE(relocation->r_info);
    size_t symbol = ELF64_R_SYM(relocation->r_info);
    if (symbol == 0 ||
        (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64) ||
        (type == R_X86_64_64 && relocation->r_addend != 0))
        return;
    void **slot = (void **)(uintptr_t)(o->base + relocation->r_offset);
    const rh_relinked *f = find_function(o->strings + o->symbols[symbol].st_name);
    if (!f || (f->not_its_own && lies_within(o, f->from)))
        return;
    bool unbound = type == R_X86_64_JUMP_SLOT && lies_within(o, *slot) &&
                   !is_own(o, &o->symbols[symbol], *slot);
    if (undo ? *slot == f->to : *slot == f->from || unbound)
        set_slot(o, slot, undo ? f->from : f->to);
}

static void
relink_object(const object *o, bool undo)
{
    for (size_t i = 0; o->calls && i < o->call_count; i++)
        relink_one(o, &o->calls[i], undo);
    for (size_t i = 0; o->data && i < o->data_count; i++)
        relink_one(o, &o->data[i], undo);
}

static int
relink_next(struct dl_phdr_info *info, size_t size, void *undo)
{
    object o;
    (void)size;
    state.objects = info->dlpi_adds;
    if (info->dlpi_addr != own_base() && read_object(info, &o))
        relink_object(&o, undo != NULL);
    return 0;
}

static int
count_objects(struct dl_phdr_info *info, size_t size, void *count)
{
    (void)size;
    *(unsigned long long *)count = info->dlpi_adds;
    return 1;
}

void
rh_relink(const rh_relinked *functions)
{
    state.lists[state.list_count++] = functions;
    dl_iterate_phdr(relink_next, NULL);
}

void
rh_relink_new_objects(uint64_t ticks, uint64_t ticks_per_us)
{
    uint64_t looked = atomic_load_explicit(&state.looked, memory_order_relaxed);
    if (state.list_count == 0 || ticks - looked < EVERY_US * ticks_per_us ||
        !atomic_compare_exchange_strong(&state.looked, &looked, ticks))
        return;
    unsigned long long objects = state.objects;
    dl_iterate_phdr(count_objects, &objects);
    bool more = objects != state.objects;
    if (more || state.again)
        dl_iterate_phdr(relink_next, NULL);
    state.again = more;
}

void
rh_relink_undo(void)
{
    if (state.list_count == 0)
        return;
    dl_iterate_phdr(relink_next, &state);
    state.list_count = 0;
}

/* ---- who defines a function ---- */

typedef struct names {
    const char *name[OBJECTS_MAX];
    ElfW(Addr) base[OBJECTS_MAX];
    size_t count;
} names;

static int
note_name(struct dl_phdr_info *info, size_t size, void *list)
{
    names *all = list;
    (void)size;
    if (all->count < OBJECTS_MAX && info->dlpi_addr != own_base()) {
        all->name[all->count] = info->dlpi_name;
        all->base[all->count++] = info->dlpi_addr;
    }
    return 0;
}

/* Whether a function lies in a library of the list: `which`, or any of them. */
static bool
lies_in(const names *all, const void *function, size_t which)
{
    Dl_info where;
    ElfW(Sym) *symbol = NULL;
    if (!dladdr1(function, &where, (void **)&symbol, RTLD_DL_SYMENT) || !symbol ||
        symbol->st_shndx == SHN_UNDEF)
        return false;
    ElfW(Addr) base = (ElfW(Addr))(uintptr_t)where.dli_fbase;
    for (size_t i = 1; i < all->count; i++) {
        if (base == all->base[i] && (which == 0 || i == which))
            return true;
    }
    return false;
}

/* Libraries are asked one by one, since what the name means to the program may be a stub in it,
 * which leads wherever its table points. */
void *
rh_relink_provider(const char *name, bool *is_program)
{
    static names all;
    all.count = 0;
    dl_iterate_phdr(note_name, &all);
    for (size_t i = 1; i < all.count; i++) {
        void *library = dlopen(all.name[i], RTLD_LAZY | RTLD_NOLOAD);
        void *found = library ? dlsym(library, name) : NULL;
        if (found && lies_in(&all, found, i)) {
            void *first = dlsym(RTLD_DEFAULT, name);
            Dl_info where;
            ElfW(Sym) *symbol = NULL;
            *is_program = first && !lies_in(&all, first, 0) &&
                          dladdr1(first, &where, (void **)&symbol, RTLD_DL_SYMENT) && symbol &&
                          symbol->st_shndx != SHN_UNDEF;
            return library;
        }
        if (library)
            dlclose(library);
    }
    return NULL;
}
