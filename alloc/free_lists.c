#include "alloc/free_lists.h"

#include <string.h>

#include "base/size.h"

/* Where limits changed: 3.7, 3.9, 3.10, 3.11, 3.13, 3.14, 3.15. */
enum { ERAS = 7 };

static const unsigned era_begins[ERAS] = {7, 9, 10, 11, 13, 14, 15};

static const uint16_t limits[RH_FREE_KIND_COUNT][ERAS] = {
    /*                         3.7   3.9  3.10  3.11  3.13  3.14  3.15 */
    [RH_FREE_TUPLE] = {2000, 2000, 2000, 2000, 2000, 2000, 2000},
    [RH_FREE_LIST] = {80, 80, 80, 80, 80, 80, 80},
    [RH_FREE_DICT] = {80, 80, 80, 80, 80, 80, 80},
    [RH_FREE_DICT_KEYS] = {80, 80, 80, 80, 80, 80, 80},
    [RH_FREE_FLOAT] = {100, 100, 100, 100, 100, 100, 100},
    [RH_FREE_FRAME] = {200, 200, 200, 0, 0, 0, 0},
    [RH_FREE_METHOD] = {256, 0, 0, 0, 0, 20, 20},
    [RH_FREE_C_FUNCTION] = {256, 0, 0, 0, 0, 16, 16},
    [RH_FREE_C_METHOD] = {0, 0, 0, 0, 0, 16, 16},
    [RH_FREE_CONTEXT] = {255, 255, 255, 255, 255, 255, 255},
    [RH_FREE_ASYNC_VALUE] = {80, 80, 80, 80, 80, 80, 80},
    [RH_FREE_ASYNC_SEND] = {80, 80, 80, 80, 80, 80, 80},
    [RH_FREE_SLICE] = {1, 1, 1, 1, 1, 1, 1},
    [RH_FREE_MEMORY_ERROR] = {16, 16, 16, 16, 16, 16, 16},
    [RH_FREE_STACK_CHUNK] = {0, 0, 0, 0, 4, 4, 4},
    [RH_FREE_LIST_ITERATOR] = {0, 0, 0, 0, 0, 10, 10},
    [RH_FREE_TUPLE_ITERATOR] = {0, 0, 0, 0, 0, 10, 10},
    [RH_FREE_INT] = {0, 0, 0, 0, 0, 100, 100},
    [RH_FREE_RANGE] = {0, 0, 0, 0, 0, 6, 6},
    [RH_FREE_RANGE_ITERATOR] = {0, 0, 0, 0, 0, 6, 6},
    [RH_FREE_UNICODE_WRITER] = {0, 0, 0, 0, 0, 1, 1},
    [RH_FREE_FUTURE_ITERATOR] = {255, 255, 255, 255, 255, 255, 255},
    [RH_FREE_COMPLEX] = {0, 0, 0, 0, 0, 0, 100},
    [RH_FREE_BYTES_WRITER] = {0, 0, 0, 0, 0, 0, 1},
};

static unsigned
known_minor(unsigned minor)
{
    return minor < RH_FREE_OLDEST   ? RH_FREE_OLDEST
           : minor > RH_FREE_NEWEST ? RH_FREE_NEWEST
                                    : minor;
}

static unsigned
era_of(unsigned minor)
{
    unsigned era = 0;
    while (era + 1 < ERAS && era_begins[era + 1] <= minor)
        era++;
    return era;
}

uint32_t
rh_free_limit(unsigned minor, rh_free_kind kind)
{
    return limits[kind][era_of(known_minor(minor))];
}

unsigned
rh_free_tuple_lengths(unsigned minor)
{
    return minor <= 10 ? RH_FREE_TUPLE_LENGTHS - 1 : RH_FREE_TUPLE_LENGTHS;
}

/* ---- the lists ---- */

/* Tuples' lists come first, the shortest first; then a list for each other kind. */
static size_t
place_of(rh_free_kind kind, size_t length)
{
    return kind == RH_FREE_TUPLE ? length - 1 : RH_FREE_TUPLE_LENGTHS + (size_t)kind - 1;
}

void
rh_free_lists_init(rh_free_lists *lists, unsigned minor, bool without)
{
    *lists = (rh_free_lists){.minor = known_minor(minor)};
    if (without)
        return;
    for (unsigned length = 1; length <= rh_free_tuple_lengths(lists->minor); length++)
        lists->list[place_of(RH_FREE_TUPLE, length)].limit = rh_free_limit(minor, RH_FREE_TUPLE);
    for (rh_free_kind kind = RH_FREE_TUPLE + 1; kind < RH_FREE_KIND_COUNT; kind++)
        lists->list[place_of(kind, 0)].limit = rh_free_limit(minor, kind);
}

rh_free_list *
rh_free_list_of(rh_free_lists *lists, rh_free_kind kind, size_t length)
{
    if (kind == RH_FREE_TUPLE && (length == 0 || length > RH_FREE_TUPLE_LENGTHS))
        return NULL;
    rh_free_list *list = &lists->list[place_of(kind, length)];
    return list->limit ? list : NULL;
}

void *
rh_free_list_take(rh_free_list *list)
{
    void *block = list->first;
    if (!block) {
        list->misses++;
        return NULL;
    }
    list->hits++;
    list->count--;
    memcpy(&list->first, block, sizeof list->first);
    return block;
}

bool
rh_free_list_give(rh_free_list *list, void *block)
{
    if (list->count >= list->limit) {
        list->rejected++;
        return false;
    }
    memcpy(block, &list->first, sizeof list->first);
    list->first = block;
    list->count++;
    return true;
}

void
rh_free_lists_drain(rh_free_lists *lists, void (*release)(void *ctx, void *block), void *ctx)
{
    for (size_t i = 0; i < RH_FREE_LIST_COUNT; i++) {
        rh_free_list *list = &lists->list[i];
        while (list->first) {
            void *block = list->first;
            memcpy(&list->first, block, sizeof list->first);
            list->count--;
            release(ctx, block);
        }
    }
}

void
rh_free_lists_disable(rh_free_lists *lists, void (*release)(void *ctx, void *block), void *ctx)
{
    lists->disabled = true;
    rh_free_lists_drain(lists, release, ctx);
    for (size_t i = 0; i < RH_FREE_LIST_COUNT; i++)
        lists->list[i].limit = 0;
}

static rh_status
check_list(const rh_free_list *list, size_t place, rh_error *error)
{
    if (list->count > list->limit)
        return rh_fail(error, RH_DIFFERENT, "free list %zu keeps %u blocks, over its limit of %u",
                       place, list->count, list->limit);
    uint32_t found = 0;
    const void *block = list->first;
    while (block && found <= list->count) {
        memcpy(&block, block, sizeof block);
        found++;
    }
    if (block || found != list->count)
        return rh_fail(error, RH_DIFFERENT, "free list %zu links %s blocks than the %u it counts",
                       place, block ? "more" : "fewer", list->count);
    return RH_OK;
}

rh_status
rh_free_lists_check(const rh_free_lists *lists, rh_error *error)
{
    for (size_t i = 0; i < RH_FREE_LIST_COUNT; i++) {
        rh_status status = check_list(&lists->list[i], i, error);
        if (status)
            return status;
    }
    return RH_OK;
}

/* ---- CPython's text ---- */

/* The kinds that are printed, in their order; tuples follow them. */
static const struct printed {
    rh_free_kind kind;
    const char *name;
    unsigned first, last; /* versions that print it */
    uint16_t bytes[ERAS]; /* of an object, without its gc header */
} printed[] = {
    {RH_FREE_C_FUNCTION, "PyCFunctionObject", 7, 8, {48}},
    {RH_FREE_DICT, "PyDictObject", 7, 15, {48, 48, 48, 48, 48, 48, 48}},
    {RH_FREE_DICT_KEYS, "PyDictKeysObject", 13, 15, {0, 0, 0, 0, 32, 32, 32}},
    {RH_FREE_FLOAT, "PyFloatObject", 7, 15, {24, 24, 24, 24, 24, 24, 24}},
    {RH_FREE_FRAME, "PyFrameObject", 7, 10, {368, 368, 360}},
    {RH_FREE_LIST, "PyListObject", 7, 15, {40, 40, 40, 40, 40, 40, 40}},
    {RH_FREE_METHOD, "PyMethodObject", 7, 8, {40}},
};

enum { PRINTED = sizeof printed / sizeof *printed, LABEL_WIDTH = 48, NUMBER_WIDTH = 21 };

/* Types that hold a vector call grew by a word in 3.8. */
static size_t
bytes_of(const struct printed *row, unsigned minor)
{
    size_t bytes = row->bytes[era_of(minor)];
    bool grew = row->kind == RH_FREE_C_FUNCTION || row->kind == RH_FREE_METHOD;
    return grew && minor == 8 ? bytes + sizeof(void *) : bytes;
}

/* Head, items; since 3.14 a word for the hash; in 3.15 the gc header is counted, too. */
static size_t
tuple_bytes(unsigned minor, size_t length)
{
    size_t words = 3 + length + (minor >= 14) + (minor >= 15 ? 2 : 0);
    return words * sizeof(void *);
}

size_t
rh_free_printed_bytes(unsigned minor, rh_free_kind kind, unsigned length)
{
    minor = known_minor(minor);
    if (kind == RH_FREE_TUPLE)
        return length >= 1 && length <= rh_free_tuple_lengths(minor) ? tuple_bytes(minor, length)
                                                                     : RH_FREE_UNLISTED_BYTES;
    for (size_t i = 0; i < PRINTED; i++)
        if (printed[i].kind == kind && printed[i].first <= minor && minor <= printed[i].last)
            return bytes_of(&printed[i], minor);
    return RH_FREE_UNLISTED_BYTES;
}

/* `name` is that of one object. */
static void
print_line(const rh_free_list *list, const char *name, size_t bytes, FILE *out)
{
    char label[96], grouped[RH_SIZE_TEXT];
    snprintf(label, sizeof label, "%u %ss * %zu bytes each", list->count, name, bytes);
    fprintf(out, "%*s =%*s\n", LABEL_WIDTH, label, NUMBER_WIDTH,
            rh_count_grouped((uint64_t)list->count * bytes, grouped, sizeof grouped));
}

void
rh_free_lists_print(const rh_free_lists *lists, FILE *out)
{
    unsigned minor = lists->minor;
    char name[64];
    for (size_t i = 0; i < PRINTED; i++) {
        if (minor < printed[i].first || minor > printed[i].last)
            continue;
        snprintf(name, sizeof name, "free %s", printed[i].name);
        print_line(&lists->list[place_of(printed[i].kind, 0)], name, bytes_of(&printed[i], minor),
                   out);
    }
    for (unsigned length = 1; length <= rh_free_tuple_lengths(minor); length++) {
        snprintf(name, sizeof name, "free %u-sized PyTupleObject", length);
        print_line(&lists->list[place_of(RH_FREE_TUPLE, length)], name, tuple_bytes(minor, length),
                   out);
    }
}
