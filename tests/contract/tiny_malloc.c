/* A malloc of one's own, as small as one can be: powers of two, a list of free blocks for each,
 * large ones in mappings of their own. It has no aligned call and tells no usable size, as the
 * first version of anybody's allocator. For tests of `preload,so=`. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void free(void *block);

enum { SMALLEST_BITS = 5, LARGEST_BITS = 20, CHUNK_BYTES = 1 << 22, HEADER_BYTES = 16 };

/* Before each block; a free one has the next of its list behind it. */
typedef struct header {
    size_t bytes; /* header included */
    struct header *next;
} header;

static atomic_flag lock = ATOMIC_FLAG_INIT;
static header *free_list[LARGEST_BITS + 1];
static unsigned char *chunk, *chunk_end;

static void
acquire(void)
{
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire))
        ;
}

static void *
map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static header *
take(unsigned bits)
{
    header *block = free_list[bits];
    size_t bytes = (size_t)1 << bits;
    if (block) {
        free_list[bits] = block->next;
        return block;
    }
    if ((size_t)(chunk_end - chunk) < bytes) {
        unsigned char *fresh = map(CHUNK_BYTES);
        if (!fresh)
            return NULL;
        chunk = fresh;
        chunk_end = fresh + CHUNK_BYTES;
    }
    block = (header *)chunk;
    chunk += bytes;
    return block;
}

void *
malloc(size_t size)
{
    if (size > PTRDIFF_MAX - HEADER_BYTES)
        return NULL;
    size_t bytes = size + HEADER_BYTES;
    unsigned bits = SMALLEST_BITS;
    while (bits <= LARGEST_BITS && (size_t)1 << bits < bytes)
        bits++;
    header *block;
    if (bits > LARGEST_BITS) {
        block = map(bytes);
    } else {
        bytes = (size_t)1 << bits;
        acquire();
        block = take(bits);
        atomic_flag_clear_explicit(&lock, memory_order_release);
    }
    if (!block)
        return NULL;
    block->bytes = bytes;
    return block + 1;
}

void
free(void *freed)
{
    if (!freed)
        return;
    header *block = (header *)freed - 1;
    if (block->bytes > (size_t)1 << LARGEST_BITS) {
        munmap(block, block->bytes);
        return;
    }
    unsigned bits = 63u - (unsigned)__builtin_clzll(block->bytes);
    acquire();
    block->next = free_list[bits];
    free_list[bits] = block;
    atomic_flag_clear_explicit(&lock, memory_order_release);
}

void *
calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *block = malloc(total);
    return block ? memset(block, 0, total) : NULL;
}

void *
realloc(void *block, size_t size)
{
    void *moved = malloc(size);
    if (!moved || !block)
        return moved;
    size_t had = ((header *)block - 1)->bytes - HEADER_BYTES;
    memcpy(moved, block, had < size ? had : size);
    free(block);
    return moved;
}
