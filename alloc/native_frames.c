#define _GNU_SOURCE
#include "alloc/native_frames.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdio.h>

/* The walk begins here, some calls below the one that is traced. */
enum { OWN_FRAMES_MOST = 16, ADDRESSES = RH_NATIVE_FRAMES_MOST + OWN_FRAMES_MOST };

/* Where the caller stands on the stack; 0 when it was optimised away. */
static int
first_wanted(void *const *addresses, int count, const void *caller)
{
    for (int i = 0; i < count && i < OWN_FRAMES_MOST; i++)
        if (addresses[i] == caller)
            return i;
    return 0;
}

static size_t
native_frames(void *ctx, const void *caller, rh_frame *frames, size_t most)
{
    (void)ctx;
    void *addresses[ADDRESSES];
    int count = backtrace(addresses, ADDRESSES);
    size_t total = 0;
    for (int i = first_wanted(addresses, count, caller); i < count; i++, total++)
        if (total < most)
            frames[total] = (rh_frame){(uintptr_t)addresses[i], 0};
    return total;
}

static void
native_name(void *ctx, uintptr_t place, char *text, size_t capacity)
{
    (void)ctx;
    Dl_info object;
    /* A return address may be the first of the next function: the call is the byte before. */
    if (!dladdr((const void *)(place - 1), &object) || !object.dli_fname)
        snprintf(text, capacity, "%#zx", (size_t)place);
    else if (object.dli_sname)
        snprintf(text, capacity, "%s(%s+%#zx)", object.dli_fname, object.dli_sname,
                 (size_t)(place - (uintptr_t)object.dli_saddr));
    else
        snprintf(text, capacity, "%s(+%#zx)", object.dli_fname,
                 (size_t)(place - (uintptr_t)object.dli_fbase));
}

const rh_frame_provider *
rh_native_frames(void)
{
    static const rh_frame_provider provider = {NULL, native_frames, native_name};
    return &provider;
}
