/* An allocator that may be called anywhere, in a signal handler in the midst of another call, too:
 * every block is new. It counts the calls of malloc_program as count_malloc.c does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const size_t room = (size_t)8 << 30;

typedef struct call_counts {
    _Atomic uint64_t allocations, reallocations, frees, null_frees, failures;
} call_counts;

static call_counts before_file;
static call_counts *_Atomic counts = &before_file;
static unsigned char *_Atomic memory;
static _Atomic size_t used;

__attribute__((constructor)) static void
open_file(void)
{
    const char *path = getenv("COUNT_OUT");
    int meant = strcmp(program_invocation_short_name, "malloc_program") == 0;
    int file = path && meant ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    if (file < 0 || ftruncate(file, sizeof(call_counts)) != 0)
        return;
    call_counts *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED)
        return;
    *shared = before_file;
    atomic_store(&counts, shared);
}

/* The size stands before the block. */
static void *
take(size_t alignment, size_t size)
{
    if (!memory) {
        void *mapped = mmap(NULL, room, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        unsigned char *none = NULL;
        if (mapped == MAP_FAILED)
            abort();
        if (!atomic_compare_exchange_strong(&memory, &none, mapped))
            munmap(mapped, room);
    }
    if (size > room / 2)
        return NULL;
    size_t bytes = (size + 15) / 16 * 16 + 16 + alignment;
    size_t at = atomic_fetch_add(&used, bytes);
    if (at + bytes > room)
        abort();
    uintptr_t block = ((uintptr_t)memory + at + 16 + alignment - 1) & ~(uintptr_t)(alignment - 1);
    ((size_t *)block)[-1] = size;
    return (void *)block;
}

static void *
born(void *block)
{
    atomic_fetch_add(block ? &counts->allocations : &counts->failures, 1);
    return block;
}

void *
malloc(size_t size)
{
    return born(take(16, size));
}

void *
calloc(size_t count, size_t size)
{
    size_t bytes;
    return born(__builtin_mul_overflow(count, size, &bytes) ? NULL : take(16, bytes));
}

void *
memalign(size_t alignment, size_t size)
{
    return born(take(alignment < 16 ? 16 : alignment, size));
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return born(take(alignment < 16 ? 16 : alignment, size));
}

int
posix_memalign(void **place, size_t alignment, size_t size)
{
    void *block = born(take(alignment, size));
    if (block)
        *place = block;
    return block ? 0 : ENOMEM;
}

void *
realloc(void *block, size_t size)
{
    void *moved = take(16, size);
    if (!block)
        return born(moved);
    size_t held = ((size_t *)block)[-1];
    if (moved)
        memcpy(moved, block, held < size ? held : size);
    atomic_fetch_add(moved ? &counts->reallocations : &counts->failures, 1);
    return moved;
}

void
free(void *block)
{
    atomic_fetch_add(block ? &counts->frees : &counts->null_frees, 1);
}
