/* Touching: whether the replayed program writes to the blocks it gets, and how much of them. */
#ifndef REHEAP_REPLAY_TOUCH_H
#define REHEAP_REPLAY_TOUCH_H

#include <stdint.h>

typedef enum rh_touch {
    RH_TOUCH_NONE,  /* never */
    RH_TOUCH_FIRST, /* the first byte */
    RH_TOUCH_PAGES, /* one byte in every 4 KiB */
    RH_TOUCH_LINES  /* one byte in every 64 */
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
    default:
        return 0;
    }
}

static inline void
rh_touch_block(void *block, uint64_t size, rh_touch touch)
{
    uint64_t stride = rh_touch_stride(touch);
    if (stride == 0)
        return;
    volatile char *byte = block;
    for (uint64_t at = 0; at < size; at += stride) {
        byte[at] = 1;
        if (size - at <= stride)
            return;
    }
}

#endif
