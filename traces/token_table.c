#include "traces/token_table.h"

#include <stdlib.h>

_Static_assert(RH_TABLE_PLACES == 1 << (64 - 49), "the hash takes its top bits as a place");

void
rh_token_table_clear(rh_token_table *table)
{
    memset(table->place, 0, sizeof table->place);
    memset(table->of_token, 0, sizeof table->of_token);
    table->shapes = 0;
}

typedef struct candidate {
    uint32_t uses;
    uint16_t id;
} candidate;

/* Most used first; the older id first among equals, so that files are the same every time. */
static int
by_uses(const void *left, const void *right)
{
    const candidate *a = left, *b = right;
    if (a->uses != b->uses)
        return a->uses > b->uses ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static void
define(rh_token_table *table, unsigned token, uint16_t id, rh_bytes *definitions)
{
    if (table->of_token[token])
        table->token[table->of_token[token] - 1] = 0;
    table->of_token[token] = (uint16_t)(id + 1);
    table->token[id] = (uint8_t)token;
    uint8_t *out = definitions->data + definitions->size;
    *out++ = (uint8_t)token;
    rh_shape shape = rh_token_key_shape(&table->key[id]);
    out = rh_put_shape(out, &shape);
    definitions->size = (size_t)(out - definitions->data);
}

void
rh_token_table_assign(rh_token_table *table, const uint16_t *ids, size_t count,
                      rh_bytes *definitions)
{
    memset(table->uses, 0, table->shapes * sizeof *table->uses);
    for (size_t i = 0; i < count; i++)
        table->uses[ids[i]]++;

    /* Tokens in use keep their place in the race with the uses they had here. */
    candidate chosen[RH_TABLE_SHAPES];
    size_t candidates = 0;
    for (uint32_t id = 0; id < table->shapes; id++)
        if (table->uses[id] > (table->token[id] ? 0 : 1))
            chosen[candidates++] = (candidate){table->uses[id], (uint16_t)id};
    if (candidates > RH_TOKENS - 1) {
        qsort(chosen, candidates, sizeof *chosen, by_uses);
        candidates = RH_TOKENS - 1;
    }

    bool kept[RH_TOKENS] = {false};
    for (size_t i = 0; i < candidates; i++)
        kept[table->token[chosen[i].id]] = true;
    unsigned empty = 1, stale = 1;
    for (size_t i = 0; i < candidates; i++) {
        if (table->token[chosen[i].id])
            continue;
        while (empty < RH_TOKENS && table->of_token[empty])
            empty++;
        if (empty < RH_TOKENS) {
            kept[empty] = true;
            define(table, empty, chosen[i].id, definitions);
            continue;
        }
        while (kept[stale])
            stale++;
        kept[stale] = true;
        define(table, stale, chosen[i].id, definitions);
    }
}

void
rh_token_table_next_block(rh_token_table *table)
{
    rh_token_key key[RH_TOKENS];
    for (unsigned token = 1; token < RH_TOKENS; token++)
        if (table->of_token[token])
            key[token] = table->key[table->of_token[token] - 1];
    memset(table->place, 0, sizeof table->place);
    table->shapes = 0;
    for (unsigned token = 1; token < RH_TOKENS; token++) {
        if (!table->of_token[token])
            continue;
        uint16_t id = rh_token_table_find(table, &key[token]);
        table->token[id] = (uint8_t)token;
        table->of_token[token] = (uint16_t)(id + 1);
    }
}
