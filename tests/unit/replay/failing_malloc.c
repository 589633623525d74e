/* A malloc to be preloaded that misbehaves as FAILING_MALLOC says: requests of 100 to 115 bytes
 * fail, crash the process or never return. */
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

/* The harness itself makes few such requests, and before it replays. */
static int
is_early(void)
{
    static int requests;
    return ++requests <= 200;
}

void *
malloc(size_t size)
{
    if (size < 100 || size > 115 || is_early())
        return __libc_malloc(size);
    const char *mode = getenv("FAILING_MALLOC");
    if (mode && strcmp(mode, "crash") == 0)
        abort();
    while (mode && strcmp(mode, "hang") == 0)
        pause();
    return NULL;
}

void *
calloc(size_t count, size_t size)
{
    return __libc_calloc(count, size);
}

void *
realloc(void *block, size_t size)
{
    return __libc_realloc(block, size);
}

void
free(void *block)
{
    __libc_free(block);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

void *
memalign(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

int
posix_memalign(void **block, size_t alignment, size_t size)
{
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : 12;
}
