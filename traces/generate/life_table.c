#include "traces/generate/life_table.h"

#include <stdlib.h>
#include <string.h>

#include "traces/format.h"
#include "traces/generate/laws.h"

enum {
    EXACT = 32,   /* distances up to here are told exactly */
    FRACTION = 4, /* bits: sixteen bins between a power of two and the next */
    BIRTH_BYTES_MAX = 3 + 4 * RH_VARINT_MAX,
    STEP_BYTES_MAX = 2 + 3 * RH_VARINT_MAX,
    FIRST_BUCKETS = 1 << 12
};

/* ---- when ---- */

uint64_t
rh_when_distance(uint64_t calls)
{
    if (calls < EXACT)
        return calls;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(calls);
    return (uint64_t)exponent << FRACTION | (calls >> (exponent - FRACTION) & 15);
}

_Static_assert(EXACT <= 5 << FRACTION, "exact distances and bins do not meet");
_Static_assert(64 << FRACTION <= RH_WHEN_EXACT, "bins and what is exact do not meet");

uint64_t
rh_when_draw(uint64_t bin, rh_random *random)
{
    if (bin < EXACT)
        return bin;
    if (bin >= RH_WHEN_EXACT)
        return bin - RH_WHEN_EXACT;
    unsigned exponent = (unsigned)(bin >> FRACTION), shift = exponent - FRACTION;
    uint64_t least = (16 | (bin & 15)) << shift;
    return least + rh_draw_below(random, UINT64_C(1) << shift);
}

/* ---- a life, being written ---- */

void
rh_life_release(rh_life *life)
{
    if (life->bytes != life->within)
        free(life->bytes);
    life->bytes = NULL;
}

static uint8_t *
put_what(uint8_t *out, const rh_event *event)
{
    *out++ = (uint8_t)(event->operation | event->domain << 4);
    *out++ = event->flags;
    return out;
}

void
rh_life_begin(rh_life *life, const rh_event *birth)
{
    _Static_assert(sizeof life->within >= 3 + 2 * RH_VARINT_MAX, "most births fit");
    uint8_t bytes[BIRTH_BYTES_MAX], *out = put_what(bytes, birth);
    *out++ = birth->alignment_log2;
    out = rh_put_varint(out, birth->thread);
    out = rh_put_varint(out, birth->size);
    if (birth->operation == RH_CALLOC) {
        out = rh_put_varint(out, birth->count);
        out = rh_put_varint(out, birth->element);
    }
    life->bytes = life->within;
    life->room = sizeof life->within;
    life->size = (uint32_t)(out - bytes);
    memcpy(life->bytes, bytes, life->size);
}

static bool
reserve(rh_life *life)
{
    if (life->room - life->size >= STEP_BYTES_MAX)
        return true;
    if (life->room > UINT32_MAX / 4)
        return false;
    uint32_t room = life->room * 2 + STEP_BYTES_MAX;
    bool within = life->bytes == life->within;
    uint8_t *bytes = within ? malloc(room) : realloc(life->bytes, room);
    if (!bytes)
        return false;
    if (within)
        memcpy(bytes, life->within, life->size);
    life->bytes = bytes;
    life->room = room;
    return true;
}

bool
rh_life_step(rh_life *life, uint64_t when, const rh_event *event)
{
    uint8_t bytes[STEP_BYTES_MAX], *out = rh_put_varint(bytes, when);
    out = put_what(out, event);
    out = rh_put_varint(out, event->thread);
    if (event->operation == RH_REALLOC)
        out = rh_put_varint(out, event->size);
    uint32_t size = (uint32_t)(out - bytes);
    if (life->room - life->size < size && !reserve(life))
        return false;
    memcpy(life->bytes + life->size, bytes, size);
    life->size += size;
    return true;
}

/* ---- the table ---- */

bool
rh_life_table_init(rh_life_table *table)
{
    *table = (rh_life_table){.buckets = FIRST_BUCKETS};
    table->bucket = calloc(FIRST_BUCKETS, sizeof *table->bucket);
    return table->bucket;
}

void
rh_life_table_release(rh_life_table *table)
{
    free(table->entry);
    free(table->bytes);
    free(table->bucket);
    *table = (rh_life_table){0};
}

static uint32_t *
find_bucket(const rh_life_table *table, const uint8_t *bytes, uint32_t size)
{
    uint64_t at = rh_format_hash(bytes, size);
    for (;; at++) {
        uint32_t *bucket = &table->bucket[at & (table->buckets - 1)];
        if (!*bucket)
            return bucket;
        const rh_life_entry *entry = &table->entry[*bucket - 1];
        if (entry->size == size && memcmp(table->bytes + entry->place, bytes, size) == 0)
            return bucket;
    }
}

static bool
grow_buckets(rh_life_table *table)
{
    if (table->buckets > UINT32_MAX / 2)
        return false;
    uint32_t *old = table->bucket, buckets = table->buckets * 2;
    uint32_t *bucket = calloc(buckets, sizeof *bucket);
    if (!bucket)
        return false;
    table->bucket = bucket;
    table->buckets = buckets;
    for (uint32_t i = 0; i < table->count; i++) {
        const rh_life_entry *entry = &table->entry[i];
        *find_bucket(table, table->bytes + entry->place, entry->size) = i + 1;
    }
    free(old);
    return true;
}

static bool
make_room(rh_life_table *table, uint32_t bytes)
{
    if (table->count == table->room) {
        uint32_t room = table->room ? table->room + table->room / 2 : 1024;
        rh_life_entry *entry =
            room < UINT32_MAX / 2 ? realloc(table->entry, room * sizeof *entry) : NULL;
        if (!entry)
            return false;
        table->entry = entry;
        table->room = room;
    }
    if (table->bytes_room - table->used < bytes) {
        uint64_t room = table->bytes_room + table->bytes_room / 2 + bytes + 65536;
        uint8_t *grown = realloc(table->bytes, room);
        if (!grown)
            return false;
        table->bytes = grown;
        table->bytes_room = room;
    }
    return table->count < table->buckets / 2 || grow_buckets(table);
}

/* Steps of 16 bytes up to 512, of an eighth above. */
static uint64_t
size_kind(uint64_t size)
{
    if (size <= 512)
        return (size + 15) / 16;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(size);
    return (uint64_t)exponent << 3 | (size >> (exponent - 3) & 7);
}

/* Distances by powers of two, places as they are; 0: never. */
static uint64_t
when_kind(uint64_t when, bool ever)
{
    if (!ever)
        return 0;
    if (when >= RH_WHEN_EXACT)
        return when;
    return when < EXACT ? 64 - (unsigned)__builtin_clzll(when | 1) : (when >> FRACTION) + 1;
}

/* Two that are not alike may have the same number, by chance, which does no harm. */
static uint32_t
kind_of(const rh_event *birth, bool ever, uint64_t when, const rh_event *step)
{
    const uint64_t parts[] = {birth->operation, birth->domain, birth->flags,
                              birth->thread,    ever,          when_kind(when, ever),
                              step->operation,  step->flags,   size_kind(birth->size)};
    return (uint32_t)rh_format_hash(parts, sizeof parts);
}

/* Fills in what follows from the bytes. */
static void
look_at(const rh_life_table *table, uint32_t number, rh_life_entry *entry, bool ends)
{
    rh_event birth, first = {0}, step;
    uint64_t at, first_when = 0, when;
    rh_life_read_birth(table, number, &birth, &at);
    entry->lasting = !ends;
    while (rh_life_read_when(table, number, &at, &when)) {
        rh_life_read_step(table, &at, &step);
        if (entry->steps++ == 0) {
            first = step;
            first_when = when;
        }
        entry->lasting |= when >= RH_WHEN_PLACES;
    }
    entry->anchored = birth.size >= RH_LIFE_LARGE;
    entry->kind = kind_of(&birth, entry->steps > 0, first_when, &first);
}

bool
rh_life_table_add(rh_life_table *table, const rh_life *life, bool ends, uint32_t *number)
{
    uint32_t *bucket = find_bucket(table, life->bytes, life->size);
    if (*bucket) {
        *number = *bucket - 1;
        return true;
    }
    if (!make_room(table, life->size))
        return false;
    rh_life_entry *entry = &table->entry[table->count];
    *entry = (rh_life_entry){.place = table->used, .size = life->size};
    memcpy(table->bytes + table->used, life->bytes, life->size);
    table->used += life->size;
    *number = table->count++;
    *find_bucket(table, life->bytes, life->size) = table->count;
    look_at(table, *number, entry, ends);
    return true;
}

/* ---- a life, being read ---- */

static uint64_t
take_varint(const rh_life_table *table, uint64_t *at)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = table->bytes[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
}

static void
take_what(const rh_life_table *table, uint64_t *at, rh_event *event)
{
    uint8_t what = table->bytes[(*at)++];
    *event = (rh_event){.operation = what & 15, .domain = what >> 4};
    event->flags = table->bytes[(*at)++];
}

void
rh_life_read_birth(const rh_life_table *table, uint32_t number, rh_event *birth, uint64_t *at)
{
    *at = table->entry[number].place;
    take_what(table, at, birth);
    birth->alignment_log2 = table->bytes[(*at)++];
    birth->thread = (uint32_t)take_varint(table, at);
    birth->size = take_varint(table, at);
    if (birth->operation == RH_CALLOC) {
        birth->count = take_varint(table, at);
        birth->element = take_varint(table, at);
    }
}

bool
rh_life_read_when(const rh_life_table *table, uint32_t number, uint64_t *at, uint64_t *when)
{
    const rh_life_entry *entry = &table->entry[number];
    if (*at == entry->place + entry->size)
        return false;
    *when = take_varint(table, at);
    return true;
}

void
rh_life_read_step(const rh_life_table *table, uint64_t *at, rh_event *event)
{
    take_what(table, at, event);
    event->thread = (uint32_t)take_varint(table, at);
    if (event->operation == RH_REALLOC)
        event->size = take_varint(table, at);
}
