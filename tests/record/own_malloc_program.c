/* A program with a malloc of its own in its executable: nothing can be put before that. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(16) unsigned char memory[1 << 22];
static size_t used;

void *
malloc(size_t size)
{
    size_t bytes = (size + 15) / 16 * 16;
    if (bytes < size || bytes > sizeof memory - used)
        return NULL;
    used += bytes;
    return memory + used - bytes;
}

void
free(void *block)
{
    (void)block;
}

void *
calloc(size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : malloc(bytes);
}

void *
realloc(void *block, size_t size)
{
    void *moved = malloc(size);
    size_t held = block ? (size_t)(memory + sizeof memory - (unsigned char *)block) : 0;
    if (moved && block)
        memmove(moved, block, size < held ? size : held);
    return moved;
}

int
main(void)
{
    fputs("it ran\n", stderr);
    return 0;
}
