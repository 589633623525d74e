/* A library that replaces malloc and free, but not calloc and realloc: for the refusal of it. */
#include <stddef.h>

void *__libc_malloc(size_t size);
void __libc_free(void *block);
void *malloc(size_t size);
void free(void *block);

void *
malloc(size_t size)
{
    return __libc_malloc(size);
}

void
free(void *block)
{
    __libc_free(block);
}
