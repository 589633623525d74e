/* What results keep of arenas: the rows of the tables arena, arena_look, arena_sample, pin_point,
 * pin_arena and pin (docs/metrics.md says what the numbers are). */
#ifndef REHEAP_REPLAY_RESULTS_ARENAS_H
#define REHEAP_REPLAY_RESULTS_ARENAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All arenas at one moment. */
typedef struct rh_arena_census {
    uint64_t event;               /* calls before it */
    uint64_t arenas, arena_bytes; /* held */
    uint64_t empty_arenas;        /* without a block in use */
    uint64_t under_10_arenas;     /* with one, and less than 10 % of their bytes in blocks in use */
    uint64_t under_25_arenas, under_50_arenas; /* each counts those before it, too */
    uint64_t packed_arenas; /* see above; RH_UNKNOWN when there are too many sizes of blocks */
    uint64_t blocks, block_bytes; /* in use in arenas */
} rh_arena_census;

/* The life of an arena. */
typedef struct rh_arena_life {
    uint64_t address, size_bytes;
    uint64_t born_event;       /* the call that brought it */
    uint64_t died_event;       /* the call that gave it back; RH_UNKNOWN: held at the end */
    uint32_t slot;             /* its entry in the heap's table, or a number of the same kind */
    uint32_t generation;       /* how many had the slot before it */
    uint64_t most_block_bytes; /* the most in use when it was looked at */
    bool exact;                /* both events; else those of looks */
} rh_arena_life;

/* An arena when it was looked at. */
typedef struct rh_arena_row {
    uint64_t event; /* calls before it */
    uint32_t arena; /* place in the list of lives */
    uint32_t look;  /* for the history */
    uint32_t blocks, pools_in_use;
    uint64_t block_bytes;
} rh_arena_row;

/* By what the blocks that keep arenas alive are grouped. */
typedef enum rh_pin_by {
    RH_PIN_SIZE,          /* of the block */
    RH_PIN_LIFETIME,      /* of its stay at its place */
    RH_PIN_LIFETIME_FROM, /* stays of so long or longer: these groups lie in one another */
    RH_PIN_DOMAIN,
    RH_PIN_BIRTH, /* the phase in which it came */
    RH_PIN_SIZE_LIFETIME,
    RH_PIN_BYS
} rh_pin_by;
extern const char *const rh_pin_by_names[]; /* NULL at the end */

enum {
    RH_PIN_NAME = 64,
    RH_PIN_LIFETIMES = 19 /* buckets: as traces/habits.h has them, then those that never ended */
};

/* A group of blocks, and what it has to do with the arenas that are less than so full. */
typedef struct rh_pin_row {
    uint32_t point; /* in the list of points */
    uint32_t under_percent;
    int by;                       /* rh_pin_by */
    uint64_t block_size_bytes;    /* 0: of any size */
    int lifetime;                 /* bucket; -1: any */
    int domain;                   /* -1: any */
    char birth[RH_PIN_NAME];      /* "": any */
    uint64_t blocks, block_bytes; /* in those arenas */
    uint64_t arenas;              /* that hold one of the blocks at least */
    uint64_t alone_arenas;        /* that hold no other ones */
    double pinned_bytes;          /* its share of the arenas; NAN: groups overlap */
    uint64_t apart_bytes;         /* released, had it lived apart from the rest */
} rh_pin_row;

/* The groups of one kind, the largest share first. */
typedef struct rh_pin_table {
    uint32_t point;
    uint32_t under_percent;
    int by;                   /* rh_pin_by */
    uint64_t groups;          /* there are; the rows of the first are kept */
    uint64_t all_apart_bytes; /* released, had each group lived apart from all others; RH_UNKNOWN
                                 where groups overlap */
} rh_pin_table;

/* The arenas that are less than so full at a point. */
typedef struct rh_pin_sum {
    uint32_t point;
    uint32_t under_percent;
    uint64_t arenas, arena_bytes;
    uint64_t blocks, block_bytes;
    uint64_t packed_arenas; /* that a perfect packing of their blocks needs */
} rh_pin_sum;

/* A moment that was looked into. */
typedef struct rh_pin_point {
    uint32_t point;         /* its place in the list */
    char name[RH_PIN_NAME]; /* "peak", "worst", "end", or as it was asked for */
    rh_arena_census census; /* with the event: calls before it */
} rh_pin_point;

/* An arena that is less than half full at a point: what keeps it. */
typedef struct rh_pin_arena {
    uint32_t point;
    uint32_t arena; /* in the list of lives; UINT32_MAX: not listed */
    uint64_t address, size_bytes, blocks, block_bytes;
    uint32_t sizes;                        /* different ones among its blocks */
    uint64_t main_size_bytes, main_blocks; /* the size and lifetime that most of them have */
    int main_lifetime;
} rh_pin_arena;

/* What a memory pass found of arenas. Arrays are the caller's. */
#define RH_ARENA_LISTS(X)                                                                          \
    X(lives, rh_arena_life, "arena")                                                               \
    X(looks, rh_arena_census, "arena_look")                                                        \
    X(rows, rh_arena_row, "arena_sample")                                                          \
    X(points, rh_pin_point, "pin_point")                                                           \
    X(sums, rh_pin_sum, "pin_sum")                                                                 \
    X(tables, rh_pin_table, "pin_table")                                                           \
    X(pins, rh_pin_row, "pin")                                                                     \
    X(pinned, rh_pin_arena, "pin_arena")

typedef struct rh_arena_report {
#define RH_ARENA_LIST(name, type, table)                                                           \
    const type *name;                                                                              \
    size_t name##_count;
    RH_ARENA_LISTS(RH_ARENA_LIST)
#undef RH_ARENA_LIST
    const rh_arena_census *worst; /* of all looks, those left out too, the first with the most
                                     arenas beyond a perfect packing; NULL when read back */
} rh_arena_report;

/* The rows of a table of pins, which lie together; 0 where there are none. */
const rh_pin_row *rh_arena_report_pins(const rh_arena_report *report, const rh_pin_table *table,
                                       size_t *count);

/* ---- what lists are made of, for whoever stores or prints them ---- */

typedef enum rh_field_kind {
    RH_FIELD_NUMBER,   /* uint64_t; RH_UNKNOWN: none */
    RH_FIELD_POSITIVE, /* uint64_t; 0: none */
    RH_FIELD_PLACE,    /* uint32_t; UINT32_MAX: none */
    RH_FIELD_FLAG,     /* bool */
    RH_FIELD_REAL,     /* double; NAN: none */
    RH_FIELD_TEXT,     /* char[RH_PIN_NAME]; "": none */
    RH_FIELD_BY,       /* int: rh_pin_by */
    RH_FIELD_DOMAIN,   /* int; -1: none */
    RH_FIELD_LIFETIME  /* int; -1: none */
} rh_field_kind;

typedef struct rh_field {
    const char *name;
    size_t offset;
    rh_field_kind kind;
} rh_field;

typedef struct rh_arena_list {
    const char *table;
    size_t row_bytes, list_offset, count_offset; /* the latter in an rh_arena_report */
    const rh_field *fields;
    size_t field_count;
} rh_arena_list;

enum { RH_ARENA_LIST_COUNT = 8 };
extern const rh_arena_list rh_arena_lists[RH_ARENA_LIST_COUNT];

/* "2-4", "to the end", … */
const char *rh_lifetime_name(int lifetime);
/* Its longest stay: "4,096", "more", "to the end". Returns `text`. */
const char *rh_lifetime_short(int lifetime, char *text, size_t capacity);
/* "raw", "mem", "obj". */
const char *rh_pin_domain_name(int domain);

#endif
