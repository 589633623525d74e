#include "replay/results_arenas.h"

#include <stdio.h>

#include "base/size.h"

const char *const rh_pin_by_names[] = {
    "size", "lifetime", "lifetime_from", "domain", "birth", "size_lifetime", NULL};

#define FIELD(row, kind, name)                                                                     \
    {                                                                                              \
#name, offsetof(row, name), RH_FIELD_##kind                                                \
    }
#define CENSUS(row, at)                                                                            \
    {"event", at + offsetof(rh_arena_census, event), RH_FIELD_NUMBER},                             \
        {"arenas", at + offsetof(rh_arena_census, arenas), RH_FIELD_NUMBER},                       \
        {"arena_bytes", at + offsetof(rh_arena_census, arena_bytes), RH_FIELD_NUMBER},             \
        {"empty_arenas", at + offsetof(rh_arena_census, empty_arenas), RH_FIELD_NUMBER},           \
        {"under_10_arenas", at + offsetof(rh_arena_census, under_10_arenas), RH_FIELD_NUMBER},     \
        {"under_25_arenas", at + offsetof(rh_arena_census, under_25_arenas), RH_FIELD_NUMBER},     \
        {"under_50_arenas", at + offsetof(rh_arena_census, under_50_arenas), RH_FIELD_NUMBER},     \
        {"packed_arenas", at + offsetof(rh_arena_census, packed_arenas), RH_FIELD_NUMBER},         \
        {"blocks", at + offsetof(rh_arena_census, blocks), RH_FIELD_NUMBER},                       \
    {                                                                                              \
        "block_bytes", at + offsetof(rh_arena_census, block_bytes), RH_FIELD_NUMBER                \
    }

static const rh_field life_fields[] = {
    FIELD(rh_arena_life, PLACE, slot),        FIELD(rh_arena_life, PLACE, generation),
    FIELD(rh_arena_life, NUMBER, address),    FIELD(rh_arena_life, NUMBER, size_bytes),
    FIELD(rh_arena_life, NUMBER, born_event), FIELD(rh_arena_life, NUMBER, died_event),
    FIELD(rh_arena_life, FLAG, exact),        FIELD(rh_arena_life, NUMBER, most_block_bytes),
};
static const rh_field look_fields[] = {CENSUS(rh_arena_census, 0)};
static const rh_field row_fields[] = {
    FIELD(rh_arena_row, NUMBER, event),       FIELD(rh_arena_row, PLACE, arena),
    FIELD(rh_arena_row, PLACE, blocks),       FIELD(rh_arena_row, PLACE, pools_in_use),
    FIELD(rh_arena_row, NUMBER, block_bytes),
};
static const rh_field point_fields[] = {
    FIELD(rh_pin_point, PLACE, point),
    FIELD(rh_pin_point, TEXT, name),
    CENSUS(rh_pin_point, offsetof(rh_pin_point, census)),
};
static const rh_field sum_fields[] = {
    FIELD(rh_pin_sum, PLACE, point),          FIELD(rh_pin_sum, PLACE, under_percent),
    FIELD(rh_pin_sum, NUMBER, arenas),        FIELD(rh_pin_sum, NUMBER, arena_bytes),
    FIELD(rh_pin_sum, NUMBER, blocks),        FIELD(rh_pin_sum, NUMBER, block_bytes),
    FIELD(rh_pin_sum, NUMBER, packed_arenas),
};
static const rh_field table_fields[] = {
    FIELD(rh_pin_table, PLACE, point),
    FIELD(rh_pin_table, PLACE, under_percent),
    FIELD(rh_pin_table, BY, by),
    FIELD(rh_pin_table, NUMBER, groups),
    FIELD(rh_pin_table, NUMBER, all_apart_bytes),
};
static const rh_field pin_fields[] = {
    FIELD(rh_pin_row, PLACE, point),
    FIELD(rh_pin_row, PLACE, under_percent),
    FIELD(rh_pin_row, BY, by),
    FIELD(rh_pin_row, POSITIVE, block_size_bytes),
    FIELD(rh_pin_row, LIFETIME, lifetime),
    FIELD(rh_pin_row, DOMAIN, domain),
    FIELD(rh_pin_row, TEXT, birth),
    FIELD(rh_pin_row, NUMBER, blocks),
    FIELD(rh_pin_row, NUMBER, block_bytes),
    FIELD(rh_pin_row, NUMBER, arenas),
    FIELD(rh_pin_row, NUMBER, alone_arenas),
    FIELD(rh_pin_row, REAL, pinned_bytes),
    FIELD(rh_pin_row, NUMBER, apart_bytes),
};
static const rh_field pinned_fields[] = {
    FIELD(rh_pin_arena, PLACE, point),
    FIELD(rh_pin_arena, PLACE, arena),
    FIELD(rh_pin_arena, NUMBER, address),
    FIELD(rh_pin_arena, NUMBER, size_bytes),
    FIELD(rh_pin_arena, NUMBER, blocks),
    FIELD(rh_pin_arena, NUMBER, block_bytes),
    FIELD(rh_pin_arena, PLACE, sizes),
    FIELD(rh_pin_arena, NUMBER, main_size_bytes),
    FIELD(rh_pin_arena, LIFETIME, main_lifetime),
    FIELD(rh_pin_arena, NUMBER, main_blocks),
};

#define FIELDS(of)    of##_fields, sizeof of##_fields / sizeof *of##_fields
#define lives_fields  life_fields
#define looks_fields  look_fields
#define rows_fields   row_fields
#define points_fields point_fields
#define sums_fields   sum_fields
#define tables_fields table_fields
#define pins_fields   pin_fields

const rh_arena_list rh_arena_lists[RH_ARENA_LIST_COUNT] = {
#define LIST(name, type, table)                                                                    \
    {table, sizeof(type), offsetof(rh_arena_report, name),                                         \
     offsetof(rh_arena_report, name##_count), FIELDS(name)},
    RH_ARENA_LISTS(LIST)
#undef LIST
};

const rh_pin_row *
rh_arena_report_pins(const rh_arena_report *report, const rh_pin_table *table, size_t *count)
{
    const rh_pin_row *first = report->pins, *end = first + report->pins_count;
    *count = 0;
    while (first < end && (first->point != table->point || first->by != table->by ||
                           first->under_percent != table->under_percent))
        first++;
    for (const rh_pin_row *row = first;
         row < end && row->point == table->point && row->by == table->by &&
         row->under_percent == table->under_percent;
         row++)
        ++*count;
    return first;
}

const char *
rh_lifetime_name(int lifetime)
{
    static const char *const names[RH_PIN_LIFETIMES] = {"1",
                                                        "2-4",
                                                        "5-16",
                                                        "17-64",
                                                        "65-256",
                                                        "257-1024",
                                                        "1025-4096",
                                                        "4097-16384",
                                                        "16385-65536",
                                                        "65537-262144",
                                                        "262145-1048576",
                                                        "1048577-4194304",
                                                        "4194305-16777216",
                                                        "16777217-67108864",
                                                        "67108865-268435456",
                                                        "268435457-1073741824",
                                                        "1073741825-4294967296",
                                                        "over 4294967296",
                                                        "to the end"};
    return lifetime >= 0 && lifetime < RH_PIN_LIFETIMES ? names[lifetime] : "any";
}

const char *
rh_lifetime_short(int lifetime, char *text, size_t capacity)
{
    char count[RH_SIZE_TEXT] = "0";
    const char *word = lifetime < RH_PIN_LIFETIMES - 1 ? "more" : "to the end";
    if (lifetime >= 0 && lifetime < RH_PIN_LIFETIMES - 2)
        word = rh_count_grouped(UINT64_C(1) << 2 * lifetime, count, sizeof count);
    snprintf(text, capacity, "%s", lifetime < 0 ? "0" : word);
    return text;
}

const char *
rh_pin_domain_name(int domain)
{
    static const char *const names[] = {"raw", "mem", "obj"};
    return domain >= 0 && domain < 3 ? names[domain] : "any";
}
