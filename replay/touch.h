/* Touching: what the replayed program does with the blocks it gets: nothing, or it writes to them,
 * some or all, and reads what it wrote. */
#ifndef REHEAP_REPLAY_TOUCH_H
#define REHEAP_REPLAY_TOUCH_H

#include <stdint.h>
#include <string.h>

typedef enum rh_touch {
    RH_TOUCH_NONE,  /* never */
    RH_TOUCH_FIRST, /* writes the first byte */
    RH_TOUCH_PAGES, /* writes one byte in every 4 KiB */
    RH_TOUCH_LINES, /* writes one byte in every 64 */
    RH_TOUCH_WRITE, /* writes all of it */
    RH_TOUCH_READ   /* the same, and reads all of it before it frees it */
} rh_touch;

/* Bytes between two writes into a block; 0 with RH_TOUCH_NONE, all of it with RH_TOUCH_FIRST. */
static inline uint64_t
rh_touch_stride(rh_touch touch)
{
    switch (touch) {
    case RH_TOUCH_FIRST:
        return UINT64_MAX;
    case RH_TOUCH_PAGES:
        return 4096;
    case RH_TOUCH_LINES:
        return 64;
    case RH_TOUCH_WRITE:
    case RH_TOUCH_READ:
        return 1;
    default:
        return 0;
    }
}

/* What the program does with a block that it was given or that was resized. */
static inline void
rh_touch_block(void *block, uint64_t size, rh_touch touch)
{
    uint64_t stride = rh_touch_stride(touch);
    if (stride == 0)
        return;
    if (stride == 1) {
        memset(block, 1, size);
        __asm__ volatile("" : : "r"(block) : "memory"); /* somebody may look: it has to be done */
        return;
    }
    volatile char *byte = block;
    for (uint64_t at = 0; at < size; at += stride) {
        byte[at] = 1;
        if (size - at <= stride)
            return;
    }
}

/* Before it frees it. `size`: what was asked for. */
static inline void
rh_touch_last(const void *block, uint64_t size, rh_touch touch)
{
    if (touch != RH_TOUCH_READ)
        return;
    uint64_t sum = 0, word, at = 0;
    for (; size - at >= sizeof word; at += sizeof word) {
        memcpy(&word, (const char *)block + at, sizeof word);
        sum += word;
    }
    for (; at < size; at++)
        sum += ((const unsigned char *)block)[at];
    __asm__ volatile("" : : "r"(sum)); /* somebody may want it: it has to be read */
}

#endif
