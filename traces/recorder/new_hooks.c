/* The standard library's operators call malloc, and nothing is to be done for them. To have ours
 * preloaded under these names would cost every C++ program a call more, and take the place of
 * operators that a library keeps for itself. So references to the allocator's are redirected, and
 * only where there are any. An allocator need not have all of them: the standard library's others
 * call those that it has.
 */
#define _GNU_SOURCE
#include "traces/recorder/new_hooks.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "traces/recorder/relink.h"

/* As C++ mangles them: Zn is new, Zd delete, w and l are of one object, a of an array; m is the
 * size, St11align_val_t the alignment, RKSt9nothrow_t what asks for NULL in place of an exception.
 * All arguments come in registers for whole numbers. An exception passes through, and nothing was
 * born. */
#define NEW(op)                                                                                    \
    static void *(*below_##op)(size_t, const void *);                                              \
    static void *own_##op(size_t size, const void *nothrow)                                        \
    {                                                                                              \
        void *block = below_##op(size, nothrow);                                                   \
        rh_put_malloc(RH_RECORD_MALLOC, block, size);                                              \
        return block;                                                                              \
    }
#define ALIGNED_NEW(op)                                                                            \
    static void *(*below_##op)(size_t, size_t, const void *);                                      \
    static void *own_##op(size_t size, size_t alignment, const void *nothrow)                      \
    {                                                                                              \
        void *block = below_##op(size, alignment, nothrow);                                        \
        rh_put_libc_aligned(RH_WHAT(RH_RECORD_ALIGNED, RH_RECORD_LIBC_DOMAIN, block), alignment,   \
                            size);                                                                 \
        return block;                                                                              \
    }
#define DELETE(op)                                                                                 \
    static void (*below_##op)(void *, uintptr_t, uintptr_t);                                       \
    static void own_##op(void *block, uintptr_t second, uintptr_t third)                           \
    {                                                                                              \
        rh_put_malloc(RH_RECORD_FREE, block, 0);                                                   \
        below_##op(block, second, third);                                                          \
    }

#define ALL_OPERATORS(NEW, ALIGNED_NEW, DELETE)                                                    \
    NEW(Znwm)                                                                                      \
    NEW(Znam)                                                                                      \
    NEW(ZnwmRKSt9nothrow_t)                                                                        \
    NEW(ZnamRKSt9nothrow_t)                                                                        \
    ALIGNED_NEW(ZnwmSt11align_val_t)                                                               \
    ALIGNED_NEW(ZnamSt11align_val_t)                                                               \
    ALIGNED_NEW(ZnwmSt11align_val_tRKSt9nothrow_t)                                                 \
    ALIGNED_NEW(ZnamSt11align_val_tRKSt9nothrow_t)                                                 \
    DELETE(ZdlPv)                                                                                  \
    DELETE(ZdaPv)                                                                                  \
    DELETE(ZdlPvm)                                                                                 \
    DELETE(ZdaPvm)                                                                                 \
    DELETE(ZdlPvRKSt9nothrow_t)                                                                    \
    DELETE(ZdaPvRKSt9nothrow_t)                                                                    \
    DELETE(ZdlPvSt11align_val_t)                                                                   \
    DELETE(ZdaPvSt11align_val_t)                                                                   \
    DELETE(ZdlPvmSt11align_val_t)                                                                  \
    DELETE(ZdaPvmSt11align_val_t)                                                                  \
    DELETE(ZdlPvSt11align_val_tRKSt9nothrow_t)                                                     \
    DELETE(ZdaPvSt11align_val_tRKSt9nothrow_t)

ALL_OPERATORS(NEW, ALIGNED_NEW, DELETE)

#define ENTRY(op) {.name = "_" #op, .to = own_##op, .not_its_own = true},

static rh_relinked operators[] = {ALL_OPERATORS(ENTRY, ENTRY, ENTRY){.name = NULL}};

/* Where the calls below go, in the order of the operators. */
#define PLACE(op) &below_##op,

static void *const below[] = {ALL_OPERATORS(PLACE, PLACE, PLACE)};

static const void *
object_of(const void *function)
{
    Dl_info found;
    return function && dladdr(function, &found) ? found.dli_fbase : NULL;
}

/* A program may define some itself. One at a fixed address may have a stub under the name. */
static bool
program_calls(const char *name, const void *function)
{
    Dl_info where;
    ElfW(Sym) *symbol = NULL;
    void *first = dlsym(RTLD_DEFAULT, name);
    return first == function || (dladdr1(first, &where, (void **)&symbol, RTLD_DL_SYMENT) &&
                                 symbol && symbol->st_shndx == SHN_UNDEF);
}

/* Where a size is wanted, or an alignment, it is this; where neither is, it does no harm. */
enum { PROBED = 64 };

static void *
call(const void *place, void *first)
{
    void *(*function)(void *, uintptr_t, uintptr_t);
    memcpy(&function, place, sizeof function);
    return function(first, PROBED, PROBED);
}

static bool
is_aligned(size_t i)
{
    return strstr(operators[i].name, "align_val_t") != NULL;
}

/* Whether an operator calls its allocator's malloc or free the way that all do, so that the call is
 * recorded: jemalloc's do in part. */
static bool
comes_by_malloc(size_t i)
{
    bool aligned = is_aligned(i), makes = strncmp(operators[i].name, "_Zn", 3) == 0;
    const void *make = aligned ? (void *)&below_ZnwmSt11align_val_t : (void *)&below_Znwm;
    const void *drop = aligned ? (void *)&below_ZdlPvSt11align_val_t : (void *)&below_ZdlPv;
    unsigned calls = 0, made = 0;
    rh_recorder_probe = &calls;
    for (unsigned round = 0; round < 2; round++) { /* the first call may have more to do */
        calls = 0;
        void *block = call(makes ? below[i] : make, (void *)(uintptr_t)PROBED);
        made = calls;
        call(makes ? drop : below[i], block);
    }
    rh_recorder_probe = NULL;
    return (makes ? made : calls - made) != 0;
}

/* The allocator's own, by their names; what it lacks stays NULL. For a name that it cannot find the
 * loader makes a text, with malloc, which is not the program's doing. */
static void
look_up(void *where, const void *object)
{
    unsigned unheeded = 0;
    rh_recorder_probe = &unheeded;
    for (size_t i = 0; operators[i].name; i++) {
        void *function = dlsym(where, operators[i].name);
        if (object_of(function) == object)
            memcpy(below[i], &function, sizeof function);
    }
    dlerror();
    dlerror(); /* gives up the text that the first has shown */
    rh_recorder_probe = NULL;
}

/* Those that the program calls, and that are not recorded without us. */
static void
choose(bool plain, bool aligned)
{
    for (size_t i = 0; operators[i].name; i++) {
        void *function;
        memcpy(&function, below[i], sizeof function);
        bool tried = is_aligned(i) ? aligned : plain;
        if (function && tried && program_calls(operators[i].name, function) && !comes_by_malloc(i))
            operators[i].from = function;
    }
}

void
rh_new_hooks_begin(void *where, const void *function)
{
    const char *(*c_library)(void) = gnu_get_libc_version;
    const void *object = object_of(function), *in_c;
    memcpy(&in_c, &c_library, sizeof in_c);
    if (!object || object == object_of(in_c))
        return; /* as mostly: it has no operators */
    look_up(where, object);
    bool plain = below_Znwm && below_ZdlPv;
    choose(plain, below_ZnwmSt11align_val_t && below_ZdlPvSt11align_val_t);
    if (plain)
        rh_relink(operators);
}
