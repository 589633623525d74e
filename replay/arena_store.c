#include "replay/arena_store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc/counters.h"

enum { SQL_BYTES = 1024 };

static const char *
type_of(const rh_field *field)
{
    switch (field->kind) {
    case RH_FIELD_REAL:
        return "REAL";
    case RH_FIELD_TEXT:
    case RH_FIELD_BY:
    case RH_FIELD_DOMAIN:
    case RH_FIELD_LIFETIME:
        return "TEXT";
    default:
        return "INTEGER";
    }
}

static bool
make_table(sqlite3 *database, const rh_arena_list *list)
{
    char sql[SQL_BYTES];
    int length =
        snprintf(sql, sizeof sql, "CREATE TABLE IF NOT EXISTS %s(run INTEGER REFERENCES run(id)",
                 list->table);
    for (size_t i = 0; i < list->field_count; i++)
        length += snprintf(sql + length, sizeof sql - (size_t)length, ", \"%s\" %s",
                           list->fields[i].name, type_of(&list->fields[i]));
    snprintf(sql + length, sizeof sql - (size_t)length,
             "); CREATE INDEX IF NOT EXISTS %s_run ON %s(run)", list->table, list->table);
    return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool
rh_arena_store_prepare(sqlite3 *database)
{
    bool done = true;
    for (size_t i = 0; done && i < RH_ARENA_LIST_COUNT; i++)
        done = make_table(database, &rh_arena_lists[i]);
    return done;
}

/* ---- writing ---- */

static uint64_t
number_at(const char *at)
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return number;
}

static int
int_at(const char *at)
{
    int number;
    memcpy(&number, at, sizeof number);
    return number;
}

static void
bind_text(sqlite3_stmt *statement, int place, const char *text)
{
    if (*text)
        sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, place);
}

static void
bind_number(sqlite3_stmt *statement, int place, uint64_t number, uint64_t none)
{
    if (number == none)
        sqlite3_bind_null(statement, place);
    else
        sqlite3_bind_int64(statement, place, (int64_t)number);
}

static void
bind_field(sqlite3_stmt *statement, int place, const rh_field *field, const char *at)
{
    uint32_t number;
    double real;
    switch (field->kind) {
    case RH_FIELD_NUMBER:
        bind_number(statement, place, number_at(at), RH_UNKNOWN);
        break;
    case RH_FIELD_POSITIVE:
        bind_number(statement, place, number_at(at), 0);
        break;
    case RH_FIELD_PLACE:
        memcpy(&number, at, sizeof number);
        bind_number(statement, place, number, UINT32_MAX);
        break;
    case RH_FIELD_FLAG:
        sqlite3_bind_int(statement, place, *(const bool *)at);
        break;
    case RH_FIELD_REAL:
        memcpy(&real, at, sizeof real);
        if (isnan(real))
            sqlite3_bind_null(statement, place);
        else
            sqlite3_bind_double(statement, place, real);
        break;
    case RH_FIELD_TEXT:
        bind_text(statement, place, at);
        break;
    case RH_FIELD_BY:
        bind_text(statement, place, rh_pin_by_names[int_at(at)]);
        break;
    case RH_FIELD_DOMAIN:
        bind_text(statement, place, int_at(at) < 0 ? "" : rh_pin_domain_name(int_at(at)));
        break;
    case RH_FIELD_LIFETIME:
        bind_text(statement, place, int_at(at) < 0 ? "" : rh_lifetime_name(int_at(at)));
        break;
    }
}

static bool
store_list(sqlite3 *database, int64_t run, const rh_arena_list *list, const char *rows,
           size_t count)
{
    char sql[SQL_BYTES];
    sqlite3_stmt *statement;
    int length = snprintf(sql, sizeof sql, "INSERT INTO %s VALUES(?", list->table);
    for (size_t i = 0; i < list->field_count; i++)
        length += snprintf(sql + length, sizeof sql - (size_t)length, ",?");
    snprintf(sql + length, sizeof sql - (size_t)length, ")");
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        return false;
    bool done = true;
    for (size_t i = 0; done && i < count; i++) {
        const char *row = rows + i * list->row_bytes;
        sqlite3_bind_int64(statement, 1, run);
        for (size_t f = 0; f < list->field_count; f++)
            bind_field(statement, (int)f + 2, &list->fields[f], row + list->fields[f].offset);
        done = sqlite3_step(statement) == SQLITE_DONE;
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return done;
}

bool
rh_arena_store(sqlite3 *database, int64_t run, const rh_arena_report *report)
{
    bool done = rh_arena_store_prepare(database);
    for (size_t i = 0; done && i < RH_ARENA_LIST_COUNT; i++) {
        const rh_arena_list *list = &rh_arena_lists[i];
        const char *rows;
        size_t count;
        memcpy(&rows, (const char *)report + list->list_offset, sizeof rows);
        memcpy(&count, (const char *)report + list->count_offset, sizeof count);
        done = store_list(database, run, list, rows, count);
    }
    return done;
}

/* ---- reading ---- */

static int
name_number(const char *text, const char *(*name)(int), int count)
{
    for (int i = 0; text && i < count; i++)
        if (strcmp(text, name(i)) == 0)
            return i;
    return -1;
}

static const char *
by_name(int by)
{
    return rh_pin_by_names[by];
}

static void
read_field(sqlite3_stmt *statement, int place, const rh_field *field, char *at)
{
    const char *text = (const char *)sqlite3_column_text(statement, place);
    uint64_t number = (uint64_t)sqlite3_column_int64(statement, place);
    uint32_t small = text ? (uint32_t)number : UINT32_MAX;
    double real = text ? sqlite3_column_double(statement, place) : NAN;
    int named = -1;
    switch (field->kind) {
    case RH_FIELD_NUMBER:
    case RH_FIELD_POSITIVE:
        if (!text)
            number = field->kind == RH_FIELD_NUMBER ? RH_UNKNOWN : 0;
        memcpy(at, &number, sizeof number);
        return;
    case RH_FIELD_PLACE:
        memcpy(at, &small, sizeof small);
        return;
    case RH_FIELD_FLAG:
        *(bool *)at = number != 0;
        return;
    case RH_FIELD_REAL:
        memcpy(at, &real, sizeof real);
        return;
    case RH_FIELD_TEXT:
        snprintf(at, RH_PIN_NAME, "%s", text ? text : "");
        return;
    case RH_FIELD_BY:
        named = name_number(text, by_name, RH_PIN_BYS);
        named = named < 0 ? 0 : named;
        break;
    case RH_FIELD_DOMAIN:
        named = name_number(text, rh_pin_domain_name, 3);
        break;
    case RH_FIELD_LIFETIME:
        named = name_number(text, rh_lifetime_name, RH_PIN_LIFETIMES);
        break;
    }
    memcpy(at, &named, sizeof named);
}

static size_t
count_rows(sqlite3 *database, int64_t run, const rh_arena_list *list)
{
    char sql[SQL_BYTES];
    sqlite3_stmt *statement;
    size_t count = 0;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE run=?", list->table);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        return 0;
    sqlite3_bind_int64(statement, 1, run);
    if (sqlite3_step(statement) == SQLITE_ROW)
        count = (size_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return count;
}

static size_t
recall_list(sqlite3 *database, int64_t run, const rh_arena_list *list, char *rows, size_t room)
{
    char sql[SQL_BYTES];
    sqlite3_stmt *statement;
    int length = snprintf(sql, sizeof sql, "SELECT ");
    for (size_t i = 0; i < list->field_count; i++)
        length += snprintf(sql + length, sizeof sql - (size_t)length, "%s\"%s\"", i ? ", " : "",
                           list->fields[i].name);
    snprintf(sql + length, sizeof sql - (size_t)length, " FROM %s WHERE run=? ORDER BY rowid",
             list->table);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        return 0;
    sqlite3_bind_int64(statement, 1, run);
    size_t count = 0;
    for (; count < room && sqlite3_step(statement) == SQLITE_ROW; count++) {
        char *row = rows + count * list->row_bytes;
        memset(row, 0, list->row_bytes);
        for (size_t f = 0; f < list->field_count; f++)
            read_field(statement, (int)f, &list->fields[f], row + list->fields[f].offset);
    }
    sqlite3_finalize(statement);
    return count;
}

void
rh_arena_recall(sqlite3 *database, int64_t run, rh_arena_report *report, rh_arena_room *room,
                void *ctx)
{
    *report = (rh_arena_report){0};
    for (size_t i = 0; i < RH_ARENA_LIST_COUNT; i++) {
        const rh_arena_list *list = &rh_arena_lists[i];
        size_t count = count_rows(database, run, list);
        char *rows = count ? room(ctx, count * list->row_bytes) : NULL;
        if (rows)
            count = recall_list(database, run, list, rows, count);
        memcpy((char *)report + list->list_offset, &rows, sizeof rows);
        memcpy((char *)report + list->count_offset, &count, sizeof count);
    }
}
