#include "replay/age.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/output.h"
#include "base/random.h"
#include "base/settings.h"
#include "base/size.h"
#include "traces/event.h"

#define KEEP_STANDARD 10 /* percent */
#define SEED_STANDARD 1
#define BEAT_EVERY    (1u << 18)

/* ---- spellings ---- */

static const rh_key keys[] = {
    {.name = "keep", .kind = RH_KEY_TEXT, .help = "percent of the blocks that stay, 0 to 100"},
    {.name = "seed", .kind = RH_KEY_COUNT, .max = INT64_MAX, .help = "of what is drawn"},
    {.name = NULL},
};

static bool
read_percent(const char *text, unsigned *percent)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || (*end && strcmp(end, "%") != 0) || value > 100)
        return false;
    *percent = (unsigned)value;
    return true;
}

static rh_status
understand(const char *churn, const rh_settings *settings, rh_age *age, rh_error *error)
{
    uint64_t times;
    const char *keep;
    if (!rh_count_parse(churn, &times) || times > RH_AGE_CHURN_MOST)
        return rh_fail(error, RH_USAGE,
                       "'%.64s' is not how many times over blocks are exchanged, 0 to %d", churn,
                       RH_AGE_CHURN_MOST);
    if (rh_settings_text(settings, "keep", &keep) && !read_percent(keep, &age->keep_percent))
        return rh_fail(error, RH_USAGE, "'keep=%.64s' is no percentage from 0 to 100", keep);
    rh_settings_number(settings, "seed", &age->seed);
    age->churn = (unsigned)times;
    return RH_OK;
}

rh_status
rh_age_parse(const char *text, rh_age *age, rh_error *error)
{
    rh_age read = {.aged = true, .keep_percent = KEEP_STANDARD, .seed = SEED_STANDARD};
    rh_settings settings = {.count = 0};
    char *churn = NULL;
    if (strcmp(text, "none") == 0) {
        *age = (rh_age){.aged = false};
        return RH_OK;
    }
    rh_status status = rh_settings_word(&text, &churn, error);
    if (status == RH_OK)
        status = rh_settings_parse_rest(text, "an age", keys, &settings, error);
    if (status == RH_OK)
        status = understand(churn, &settings, &read, error);
    if (status == RH_OK)
        *age = read;
    rh_settings_release(&settings);
    free(churn);
    return status;
}

char *
rh_age_text(const rh_age *age, char *text, size_t capacity)
{
    if (!age->aged)
        snprintf(text, capacity, "none");
    else
        snprintf(text, capacity, "%u,keep=%u%%,seed=%llu", age->churn, age->keep_percent,
                 (unsigned long long)age->seed);
    return text;
}

bool
rh_age_same(const rh_age *one, const rh_age *other)
{
    return one->aged == other->aged && one->churn == other->churn &&
           one->keep_percent == other->keep_percent && one->seed == other->seed;
}

/* ---- what is drawn from ---- */

/* A number in [0, bound), which may be large. */
static uint64_t
draw(rh_random *random, uint64_t bound)
{
    return bound < UINT32_MAX ? rh_random_below(random, bound) : rh_random_next(random) % bound;
}

static bool
is_birth(const rh_event *event)
{
    if (event->operation > RH_ALIGNED || event->operation == RH_FREE || event->slot == RH_NO_SLOT ||
        event->flags & (RH_EVENT_FAILED | RH_EVENT_NESTED))
        return false;
    return event->operation != RH_REALLOC || event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN);
}

rh_status
rh_age_sizes_find(const rh_source *source, bool has_domains, unsigned domain, uint64_t seed,
                  rh_age_size **sizes, size_t *count, rh_error *error)
{
    rh_random random = {seed};
    uint64_t births = 0;
    rh_status status;
    rh_batch batch;
    *count = 0;
    *sizes = calloc(RH_AGE_SIZES_MOST, sizeof **sizes);
    if (!*sizes)
        abort();
    while ((status = source->next(source->ctx, &batch, error)) == RH_OK && batch.count) {
        for (size_t i = 0; i < batch.count; i++) {
            const rh_event *event = &batch.events[i];
            if (!is_birth(event))
                continue;
            /* Any of the births so far is among the kept ones with the same odds (Vitter's
             * algorithm R). */
            uint64_t place = births++;
            if (place >= RH_AGE_SIZES_MOST)
                place = draw(&random, births);
            else
                (*count)++;
            if (place >= RH_AGE_SIZES_MOST)
                continue;
            unsigned known = event->domain == RH_DOMAIN_LIBC ? PYMEM_DOMAIN_RAW : event->domain;
            (*sizes)[place] =
                (rh_age_size){.size = event->size, .domain = has_domains ? known : domain};
        }
        if (rh_interrupted())
            return rh_fail(error, RH_INTERRUPTED, "interrupted");
    }
    return status;
}

/* ---- ageing ---- */

typedef struct ageing {
    const rh_age_plan *plan;
    rh_heap *heap;
    rh_aged_block *blocks;
    rh_age_totals *totals;
    rh_random random;
} ageing;

/* A random one; another one takes its place in the table. */
static void
release(ageing *self)
{
    rh_age_totals *totals = self->totals;
    rh_aged_block *gone = &self->blocks[draw(&self->random, totals->blocks)];
    const PyMemAllocatorEx *allocator = &self->heap->domain[gone->domain];
    rh_touch_last(gone->block, gone->size, self->plan->touch);
    allocator->free(allocator->ctx, gone->block);
    totals->calls++;
    totals->bytes -= gone->size;
    *gone = self->blocks[--totals->blocks];
}

static void
obtain(ageing *self, const rh_age_size *drawn)
{
    rh_age_totals *totals = self->totals;
    const PyMemAllocatorEx *allocator = &self->heap->domain[drawn->domain];
    void *block = allocator->malloc(allocator->ctx, drawn->size);
    totals->calls++;
    if (!block) {
        totals->failed_allocations++;
        return;
    }
    rh_touch_block(block, drawn->size, self->plan->touch);
    totals->bytes += drawn->size;
    self->blocks[totals->blocks++] = (rh_aged_block){block, drawn->size, drawn->domain};
}

static const rh_age_size *
draw_size(ageing *self)
{
    return &self->plan->sizes[draw(&self->random, self->plan->size_count)];
}

static bool
fits(const ageing *self, const rh_age_size *drawn)
{
    return self->totals->blocks < self->plan->most_blocks &&
           drawn->size <= self->plan->most_bytes - self->totals->bytes;
}

static uint64_t
usable_bytes(const ageing *self)
{
    uint64_t sum = 0;
    if (!self->heap->operations->usable_size)
        return RH_UNKNOWN;
    for (uint64_t i = 0; i < self->totals->blocks; i++)
        sum += rh_heap_usable_size(self->heap, (PyMemAllocatorDomain)self->blocks[i].domain,
                                   self->blocks[i].block);
    return sum;
}

void
rh_age_heap(const rh_age_plan *plan, rh_heap *heap, rh_aged_block *blocks, rh_age_totals *totals)
{
    ageing self = {
        .plan = plan, .heap = heap, .blocks = blocks, .totals = totals, .random = {plan->age.seed}};
    *totals = (rh_age_totals){.blocks = 0};
    if (plan->size_count == 0 || plan->most_blocks == 0)
        return;
    const rh_age_size *drawn = draw_size(&self);
    for (uint64_t i = 0; i < plan->most_blocks && fits(&self, drawn); i++, drawn = draw_size(&self))
        obtain(&self, drawn);
    for (uint64_t left = totals->blocks * plan->age.churn; left > 0; left--) {
        drawn = draw_size(&self);
        if (plan->beat && left % BEAT_EVERY == 0)
            atomic_fetch_add(plan->beat, 1);
        if (totals->blocks)
            release(&self);
        while (totals->blocks && !fits(&self, drawn)) /* a large one takes the place of several */
            release(&self);
        if (fits(&self, drawn))
            obtain(&self, drawn);
    }
    uint64_t kept = totals->blocks * plan->age.keep_percent / 100;
    while (totals->blocks > kept)
        release(&self);
    totals->usable_bytes = usable_bytes(&self);
}
