#define _GNU_SOURCE
#include "tests/fault/alloc/gate.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's own, under the names that it exports for such a purpose. */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static atomic_int kinds_armed;
static atomic_uint_fast64_t requests, failing;
static atomic_bool fails_on, failed;
static atomic_int_fast64_t blocks, mapped_bytes;

void
gate_arm(enum gate_requests kinds, uint64_t nth, bool lasting)
{
    atomic_store(&requests, 0);
    atomic_store(&failing, nth);
    atomic_store(&fails_on, lasting);
    atomic_store(&failed, false);
    atomic_store(&kinds_armed, nth ? (int)kinds : 0);
}

bool
gate_disarm(void)
{
    atomic_store(&kinds_armed, 0);
    return atomic_load(&failed);
}

struct gate_account
gate_account(void)
{
    return (struct gate_account){atomic_load(&blocks), atomic_load(&mapped_bytes)};
}

static bool
is_closed(int kind)
{
    if (!(atomic_load(&kinds_armed) & kind))
        return false;
    uint64_t number = atomic_fetch_add(&requests, 1) + 1, nth = atomic_load(&failing);
    if (number != nth && !(number > nth && atomic_load(&fails_on)))
        return false;
    atomic_store(&failed, true);
    errno = ENOMEM;
    return true;
}

static void *
given(void *block)
{
    atomic_fetch_add(&blocks, block != NULL);
    return block;
}

void *
malloc(size_t size)
{
    return is_closed(GATE_MALLOC) ? NULL : given(__libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
    return is_closed(GATE_MALLOC) ? NULL : given(__libc_calloc(count, size));
}

void *
realloc(void *block, size_t size)
{
    if (is_closed(GATE_MALLOC))
        return NULL;
    void *moved = __libc_realloc(block, size);
    if (!block)
        given(moved);
    else if (!moved && size == 0)
        atomic_fetch_sub(&blocks, 1);
    return moved;
}

void *
reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, bytes);
}

void
free(void *block)
{
    atomic_fetch_sub(&blocks, block != NULL);
    __libc_free(block);
}

void *
memalign(size_t alignment, size_t size)
{
    return is_closed(GATE_MALLOC) ? NULL : given(__libc_memalign(alignment, size));
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int
posix_memalign(void **block, size_t alignment, size_t size)
{
    void *aligned = memalign(alignment, size);
    if (!aligned)
        return ENOMEM;
    *block = aligned;
    return 0;
}

void *
mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    if (is_closed(GATE_MMAP))
        return MAP_FAILED;
    void *mapping =
        (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset); /* or -1 */
    if (mapping != MAP_FAILED && !(flags & MAP_FIXED))
        atomic_fetch_add(&mapped_bytes, (int64_t)size);
    return mapping;
}

int
munmap(void *address, size_t size)
{
    int status = (int)syscall(SYS_munmap, address, size);
    if (status == 0)
        atomic_fetch_sub(&mapped_bytes, (int64_t)size);
    return status;
}

void *
mremap(void *address, size_t old_size, size_t size, int flags, ...)
{
    if (is_closed(GATE_MMAP))
        return MAP_FAILED;
    va_list arguments;
    va_start(arguments, flags);
    void *wanted = flags & MREMAP_FIXED ? va_arg(arguments, void *) : NULL;
    va_end(arguments);
    void *mapping = (void *)syscall(SYS_mremap, address, old_size, size, flags, wanted);
    if (mapping != MAP_FAILED)
        atomic_fetch_add(&mapped_bytes, (int64_t)size - (int64_t)old_size);
    return mapping;
}

/* Making reserved memory writable is a request, too. */
int
mprotect(void *address, size_t size, int protection)
{
    if ((protection & PROT_WRITE) && is_closed(GATE_MMAP))
        return -1;
    return (int)syscall(SYS_mprotect, address, size, protection);
}
