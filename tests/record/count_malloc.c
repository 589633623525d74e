/* An independent witness for recordings of the C library's functions: preloaded behind the
 * recorder, it counts the calls of malloc_program, or of the program that COUNT_PROGRAM names, and
 * hands them to the C library. The counts lie in the file that COUNT_CALLS or COUNT_OUT names,
 * mapped, so that they are there however the program ends; a forked child counts no more. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The C library's own names for its functions. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);
extern void *__libc_memalign(size_t alignment, size_t size);

typedef struct call_counts {
    _Atomic uint64_t allocations, reallocations, frees, null_frees, failures;
} call_counts;

static call_counts before_file; /* what came before there was a file */
static call_counts *_Atomic counts = &before_file;
static pid_t counted;

__attribute__((constructor)) static void
open_file(void)
{
    const char *calls = getenv("COUNT_CALLS"), *path = calls ? calls : getenv("COUNT_OUT");
    const char *program = getenv("COUNT_PROGRAM");
    bool meant = strcmp(program_invocation_short_name, program ? program : "malloc_program") == 0;
    /* Children may be the same program: the first one counts. */
    int way = O_RDWR | O_CREAT | O_CLOEXEC | (calls ? O_EXCL : O_TRUNC);
    int file = path && meant ? open(path, way, 0666) : -1;
    if (file < 0 || ftruncate(file, sizeof(call_counts)) != 0)
        return;
    call_counts *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared == MAP_FAILED)
        return;
    *shared = before_file;
    counted = getpid();
    atomic_store(&counts, shared);
}

static void
add(_Atomic uint64_t *count)
{
    if (!counted || getpid() == counted)
        atomic_fetch_add(count, 1);
}

static void *
born(void *block)
{
    add(block ? &counts->allocations : &counts->failures);
    return block;
}

void *
malloc(size_t size)
{
    return born(__libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
    return born(__libc_calloc(count, size));
}

void *
memalign(size_t alignment, size_t size)
{
    return born(__libc_memalign(alignment, size));
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return born(__libc_memalign(alignment, size));
}

int
posix_memalign(void **place, size_t alignment, size_t size)
{
    void *block = born(__libc_memalign(alignment, size));
    if (block)
        *place = block;
    return block ? 0 : 12 /* ENOMEM */;
}

void *
realloc(void *block, size_t size)
{
    void *moved = __libc_realloc(block, size);
    if (!block)
        return born(moved);
    if (!moved && size == 0)
        add(&counts->frees);
    else
        add(moved ? &counts->reallocations : &counts->failures);
    return moved;
}

void
free(void *block)
{
    add(block ? &counts->frees : &counts->null_frees);
    __libc_free(block);
}
