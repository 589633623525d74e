/* The writer's dictionary: which shapes a block of events met, and which of them get a token.
 *
 * While a block is gathered every shape has an id, found through a hash table. At its end the 255
 * most frequent shapes have tokens; one that had a token in the block before keeps it, because
 * unchanged tokens let zstd find the repetitions of a program across blocks.
 */
#ifndef REHEAP_TRACES_TOKEN_TABLE_H
#define REHEAP_TRACES_TOKEN_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "traces/format.h"

enum {
    RH_TABLE_SHAPES = 1 << 13, /* a block with more different shapes ends there */
    RH_TABLE_PLACES = 1 << 15
};

/* A shape as three words, which compare and hash faster. The first holds operation, domain, flags
 * and alignment a byte each, lowest first, as an event begins. */
typedef struct rh_token_key {
    uint64_t what, size, element;
} rh_token_key;

enum { RH_KEY_DOMAIN_SHIFT = 8, RH_KEY_FLAGS_SHIFT = 16, RH_KEY_ALIGNMENT_SHIFT = 24 };

static inline uint64_t
rh_token_key_what(const rh_event *event)
{
    uint32_t what;
    memcpy(&what, event, sizeof what);
    return event->operation == RH_ALIGNED ? what : what & 0xFFFFFF;
}

static inline rh_shape
rh_token_key_shape(const rh_token_key *key)
{
    return (rh_shape){.operation = (uint8_t)key->what,
                      .domain = (uint8_t)(key->what >> RH_KEY_DOMAIN_SHIFT),
                      .flags = (uint8_t)(key->what >> RH_KEY_FLAGS_SHIFT),
                      .alignment_log2 = (uint8_t)(key->what >> RH_KEY_ALIGNMENT_SHIFT),
                      .size = key->size,
                      .element = key->element};
}

typedef struct rh_token_table {
    rh_token_key key[RH_TABLE_SHAPES];
    uint32_t uses[RH_TABLE_SHAPES];  /* in this block, filled by assign */
    uint8_t token[RH_TABLE_SHAPES];  /* 0: none */
    uint16_t place[RH_TABLE_PLACES]; /* id + 1; 0: free */
    uint16_t of_token[RH_TOKENS];    /* id + 1; 0: free */
    uint32_t shapes;
} rh_token_table;

/* Forgets every shape and token. */
void rh_token_table_clear(rh_token_table *table);

static inline bool
rh_token_table_full(const rh_token_table *table)
{
    return table->shapes == RH_TABLE_SHAPES;
}

/* The id of `key`, new or old; the table must not be full. */
static inline uint16_t
rh_token_table_find(rh_token_table *table, const rh_token_key *key)
{
    uint64_t mixed =
        (key->what ^ key->size * 0x9E3779B97F4A7C15u ^ key->element << 40) * 0xD6E8FEB86659FD93u;
    uint32_t at = (uint32_t)(mixed >> 49);
    for (;; at = (at + 1) & (RH_TABLE_PLACES - 1)) {
        uint16_t id = table->place[at];
        if (!id)
            break;
        const rh_token_key *known = &table->key[id - 1];
        if (known->what == key->what && known->size == key->size && known->element == key->element)
            return (uint16_t)(id - 1);
    }
    uint16_t id = (uint16_t)table->shapes++;
    table->key[id] = *key;
    table->token[id] = 0;
    table->place[at] = (uint16_t)(id + 1);
    return id;
}

/* Gives tokens to the most frequent shapes of `ids` and appends what changed to `definitions`,
 * which has room for RH_TOKENS of them. */
void rh_token_table_assign(rh_token_table *table, const uint16_t *ids, size_t count,
                           rh_bytes *definitions);

/* Forgets the shapes that have no token; ids change. */
void rh_token_table_next_block(rh_token_table *table);

#endif
