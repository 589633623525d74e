#include "tests/model/debug_model.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/pymem.h"
#include "base/random.h"

enum { BLOCKS = 300, SIZE_MOST = 700, WINDOW = 64 };

typedef struct model_block {
    unsigned char *p, *inner;
    size_t size, serial;
    int domain;
    unsigned char data[SIZE_MOST];
} model_block;

typedef struct model {
    rh_random random;
    rh_debug_settings settings;
    rh_debug_hook hook[3];
    PyMemAllocatorEx domain[3];
    model_block block[BLOCKS];
    size_t serials;
    debug_sabotage sabotage;
    const model_block *expected; /* the block that the allocator below is to get now */
    unsigned char *given;        /* what it gave last */
    size_t given_bytes;
    unsigned refusals; /* it makes from now on */
    const char *wrong; /* the first thing that was */
} model;

static void
note(model *self, bool right, const char *what)
{
    if (!right && !self->wrong)
        self->wrong = what;
}

static bool
all_are(const unsigned char *bytes, size_t count, unsigned char value)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

/* ---- the allocator below ---- */

static size_t
overhead(const model *self)
{
    return self->settings.serial ? 32 : 24;
}

static void *
below_malloc(void *ctx, size_t size)
{
    model *self = ctx;
    if (self->refusals) {
        self->refusals--;
        return NULL;
    }
    self->given = malloc(size);
    self->given_bytes = size;
    return memset(self->given, 0xA7, size);
}

static void *
below_calloc(void *ctx, size_t count, size_t size)
{
    void *block = below_malloc(ctx, count * size);
    return block ? memset(block, 0, count * size) : NULL;
}

static void
below_free(void *ctx, void *block)
{
    model *self = ctx;
    const model_block *expected = self->expected;
    size_t bytes = expected->size + overhead(self);
    if (self->sabotage == DEBUG_BREAKS_DEAD_TRAILER)
        ((unsigned char *)block)[bytes - 1] ^= 1;
    note(self, block == expected->inner, "free below of another block");
    note(self, all_are(block, bytes, self->settings.fill.dead), "a freed block is not all dead");
    free(block);
}

static void *
below_realloc(void *ctx, void *block, size_t size)
{
    model *self = ctx;
    const model_block *expected = self->expected;
    size_t old = expected->size, bytes = old + overhead(self);
    unsigned char dead = self->settings.fill.dead, *start = block;
    size_t first = old <= 2 * WINDOW ? old : WINDOW, last = old <= 2 * WINDOW ? 0 : WINDOW;
    if (self->sabotage == DEBUG_BREAKS_DEAD_WINDOW && last)
        start[16 + old - last] ^= 1;
    note(self, block == expected->inner, "realloc below of another block");
    note(self, all_are(start, 16 + first, dead), "the start is not dead during realloc");
    note(self, memcmp(start + 16 + first, expected->data + first, old - first - last) == 0,
         "the middle is not whole during realloc");
    size_t tail = last + overhead(self) - 16;
    note(self, all_are(start + bytes - tail, tail, dead), "the end is not dead during realloc");
    if (self->refusals) {
        self->refusals--;
        return NULL;
    }
    self->given = malloc(size);
    self->given_bytes = size;
    memset(self->given, 0xA7, size);
    memcpy(self->given, block, size < bytes ? size : bytes);
    free(block);
    return self->given;
}

/* ---- breaking it ---- */

/* What a hook that lacks the rule would have left. `before`: the block as it was, NULL at birth. */
static void
break_rule(model *self, model_block *block, const model_block *before, bool failed)
{
    unsigned char *p = block->p;
    bool at_birth = !before, grown = before && !failed && block->size > before->size;
    bool shrunk = before && !failed && block->size < before->size && block->size;
    bool windows = before && failed && block->size > 2 * WINDOW;
    const struct {
        debug_sabotage which;
        bool applies;
        ptrdiff_t at;
    } places[] = {
        {DEBUG_BREAKS_LETTER, at_birth, -8},
        {DEBUG_BREAKS_SIZE, at_birth, -9},
        {DEBUG_BREAKS_LEADING_PAD, true, -1},
        {DEBUG_BREAKS_TRAILING_PAD, true, (ptrdiff_t)block->size + 7},
        {DEBUG_BREAKS_CLEAN, at_birth && block->size, (ptrdiff_t)block->size - 1},
        {DEBUG_BREAKS_CLEAN_GROWN, grown, (ptrdiff_t)block->size - 1},
        {DEBUG_BREAKS_RESTORE_START, windows, WINDOW - 1},
        {DEBUG_BREAKS_RESTORE_END, windows, (ptrdiff_t)block->size - WINDOW},
        {DEBUG_BREAKS_RESTORE_CLIPPED, shrunk, (ptrdiff_t)block->size - 1},
        {DEBUG_BREAKS_SERIAL, before && !failed && self->settings.serial,
         (ptrdiff_t)block->size + 15},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (places[i].which == self->sabotage && places[i].applies)
            p[places[i].at] ^= 0x20;
}

/* ---- the model ---- */

static void
expect_word(unsigned char *bytes, size_t word)
{
    for (int i = 7; i >= 0; i--, word /= 256)
        bytes[i] = (unsigned char)(word % 256);
}

static void
verify_block(model *self, const model_block *block)
{
    unsigned char expected[SIZE_MOST + 32], forbidden = self->settings.fill.forbidden;
    size_t size = block->size;
    expect_word(expected, size);
    expected[8] = (unsigned char)"rmo"[block->domain];
    memset(expected + 9, forbidden, 7);
    memcpy(expected + 16, block->data, size);
    memset(expected + 16 + size, forbidden, 8);
    expect_word(expected + 24 + size, block->serial);
    note(self, block->p == block->inner + 16, "a block is not 16 bytes behind what was given");
    note(self, memcmp(block->p - 16, expected, size + overhead(self)) == 0,
         "a block's bytes are not what they should be");
}

static size_t
draw_size(model *self)
{
    static const size_t edges[] = {0, 1, 63, 64, 65, 127, 128, 129, 191, 192, 193};
    uint64_t dice = rh_random_below(&self->random, 3);
    if (dice == 0)
        return edges[rh_random_below(&self->random, sizeof edges / sizeof *edges)];
    return rh_random_below(&self->random, dice == 1 ? 200 : SIZE_MOST + 1);
}

static void
write_data(model *self, model_block *block)
{
    for (size_t i = 0; i < block->size; i++)
        block->p[i] = block->data[i] = (unsigned char)rh_random_next(&self->random);
}

static void
give_birth(model *self, model_block *block)
{
    bool cleared = rh_random_below(&self->random, 3) == 0;
    block->domain = (int)rh_random_below(&self->random, 3);
    block->size = draw_size(self);
    const PyMemAllocatorEx *allocator = &self->domain[block->domain];
    bool refused = rh_random_below(&self->random, 20) == 0;
    self->refusals = refused;
    if (cleared)
        block->p = allocator->calloc(allocator->ctx, 1, block->size);
    else if (rh_random_below(&self->random, 2))
        block->p = allocator->realloc(allocator->ctx, NULL, block->size);
    else
        block->p = allocator->malloc(allocator->ctx, block->size);
    note(self, !block->p == refused, "a request fails when it should not");
    self->refusals = 0;
    if (!block->p)
        return;
    note(self, self->given_bytes == block->size + overhead(self), "another size is asked for");
    block->inner = self->given;
    block->serial = ++self->serials;
    memset(block->data, cleared ? 0 : self->settings.fill.clean, block->size);
    break_rule(self, block, NULL, false);
    verify_block(self, block);
    write_data(self, block);
}

static void
resize(model *self, model_block *block)
{
    static model_block before;
    before = *block;
    const PyMemAllocatorEx *allocator = &self->domain[block->domain];
    size_t size = draw_size(self);
    bool refused = rh_random_below(&self->random, 4) == 0;
    self->refusals = refused;
    self->expected = &before;
    unsigned char *now = allocator->realloc(allocator->ctx, block->p, size);
    note(self, !now == refused, "a resize fails when it should not");
    self->refusals = 0;
    if (now) {
        block->p = now;
        block->inner = self->given;
        block->size = size;
        block->serial = ++self->serials;
        if (size > before.size)
            memset(block->data + before.size, self->settings.fill.clean, size - before.size);
    }
    break_rule(self, block, &before, refused);
    verify_block(self, block);
    write_data(self, block);
}

static void
end_life(model *self, model_block *block)
{
    const PyMemAllocatorEx *allocator = &self->domain[block->domain];
    self->expected = block;
    allocator->free(allocator->ctx, block->p);
    block->p = NULL;
}

static void
step(model *self)
{
    model_block *block = &self->block[rh_random_below(&self->random, BLOCKS)];
    if (!block->p)
        give_birth(self, block);
    else if (rh_random_below(&self->random, 3) == 0)
        end_life(self, block);
    else
        resize(self, block);
}

static model *
open_model(uint64_t seed, bool serial, const rh_debug_fill *fill)
{
    model *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->random = (rh_random){seed};
    self->settings.serial = serial;
    self->settings.fill = *fill;
    const PyMemAllocatorEx below = {self, below_malloc, below_calloc, below_realloc, below_free};
    for (int i = 0; i < 3; i++) {
        rh_debug_hook_init(&self->hook[i], (PyMemAllocatorDomain)i, &below, &self->settings);
        self->domain[i] = rh_debug_hook_functions(&self->hook[i]);
    }
    return self;
}

/* Gives back what lives, without the hooks: some of it may be broken. */
static void
close_model(model *self)
{
    for (size_t i = 0; i < BLOCKS; i++)
        if (self->block[i].p)
            free(self->block[i].inner);
    free(self);
}

static void
verify_all(model *self)
{
    uint64_t live[3] = {0, 0, 0};
    for (size_t i = 0; i < BLOCKS; i++) {
        if (!self->block[i].p)
            continue;
        verify_block(self, &self->block[i]);
        live[self->block[i].domain]++;
    }
    for (int i = 0; i < 3; i++)
        note(self, rh_debug_live(&self->hook[i]) == live[i], "live blocks are miscounted");
}

const char *
debug_model_run(uint64_t seed, unsigned calls, debug_sabotage sabotage)
{
    model *self = open_model(seed, seed & 1, seed & 2 ? &rh_debug_fill_old : &rh_debug_fill_new);
    self->sabotage = sabotage;
    for (unsigned call = 0; call < calls && !self->wrong; call++) {
        step(self);
        if (call % 1000 == 0)
            verify_all(self);
    }
    const char *wrong = self->wrong;
    close_model(self);
    return wrong;
}
