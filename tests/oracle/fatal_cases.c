#include "tests/oracle/fatal_cases.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { LARGE = 4000, PLAIN = 40, ZEROS = 4096 };

static const size_t sizes[] = {0, 1, 7, 8, 9, 15, 16, 17, 24, 100, 488, 489, 512, LARGE};

/* Before the block: size, letter, padding. After its end: padding. */
static const int offsets[] = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7};
static const unsigned char letters[] = {'r', 'm', 'o', 'x', 0, 0xff};

static const struct {
    enum fatal_kind kind;
    size_t size;
} others[] = {
    {FATAL_ALL_AFTER, PLAIN},
    {FATAL_ALL_AFTER, 0},
    {FATAL_FREED_TWICE, PLAIN},
    {FATAL_FREED_TWICE, LARGE},
    {FATAL_FREED_TWICE, 0},
    {FATAL_FREED_TWICE_APART, PLAIN},
    {FATAL_FREED_TWICE_APART, LARGE},
    {FATAL_UNDECORATED, PLAIN},
    {FATAL_UNDECORATED, LARGE},
    {FATAL_INSIDE, PLAIN},
    {FATAL_INSIDE, LARGE},
    {FATAL_ZEROS, PLAIN},
};

/* Each family of cases, counted through: returns the rest of the index. */
static bool
wrong_domain(size_t *index, struct fatal_case *fatal)
{
    static const size_t few[] = {PLAIN, LARGE, 0};
    if (*index >= 9 * COUNT(few)) {
        *index -= 9 * COUNT(few);
        return false;
    }
    *fatal = (struct fatal_case){.kind = FATAL_WRONG_DOMAIN,
                                 .domain = (PyMemAllocatorDomain)(*index % 3),
                                 .taker = (PyMemAllocatorDomain)(*index / 3 % 3),
                                 .size = few[*index / 9]};
    if (fatal->domain == fatal->taker) /* no error: another one in its place */
        *fatal = (struct fatal_case){.kind = FATAL_OVERWRITTEN,
                                     .domain = fatal->domain,
                                     .taker = fatal->taker,
                                     .size = fatal->size,
                                     .offset = 1,
                                     .value = 'a'};
    return true;
}

static bool
overwritten(size_t *index, struct fatal_case *fatal)
{
    size_t cases = COUNT(sizes) * COUNT(offsets);
    if (*index >= cases) {
        *index -= cases;
        return false;
    }
    PyMemAllocatorDomain domain = (PyMemAllocatorDomain)(*index % 3);
    *fatal = (struct fatal_case){.kind = FATAL_OVERWRITTEN,
                                 .domain = domain,
                                 .taker = domain,
                                 .size = sizes[*index / COUNT(offsets)],
                                 .offset = offsets[*index % COUNT(offsets)],
                                 .value = (unsigned char)(*index * 37)};
    return true;
}

static bool
wrong_letter(size_t *index, struct fatal_case *fatal)
{
    if (*index >= 3 * COUNT(letters)) {
        *index -= 3 * COUNT(letters);
        return false;
    }
    PyMemAllocatorDomain domain = (PyMemAllocatorDomain)(*index % 3);
    unsigned char letter = letters[*index / 3];
    *fatal = (struct fatal_case){.kind = FATAL_OVERWRITTEN,
                                 .domain = domain,
                                 .taker = domain,
                                 .size = PLAIN,
                                 .offset = -8,
                                 .value = letter == (unsigned char)"rmo"[domain] ? 'q' : letter};
    return true;
}

static bool
another(size_t *index, struct fatal_case *fatal)
{
    if (*index >= 3 * COUNT(others)) {
        *index -= 3 * COUNT(others);
        return false;
    }
    PyMemAllocatorDomain domain = (PyMemAllocatorDomain)(*index % 3);
    *fatal = (struct fatal_case){.kind = others[*index / 3].kind,
                                 .domain = domain,
                                 .taker = domain,
                                 .size = others[*index / 3].size};
    return true;
}

/* The lowest bytes of the size: a block that seems shorter or longer than it is. */
static bool
wrong_size(size_t *index, struct fatal_case *fatal)
{
    static const struct {
        int offset;
        unsigned char value;
    } wrong[] = {{-9, PLAIN - 1}, {-9, PLAIN + 1}, {-9, 0}, {-9, PLAIN + 7}, {-16, 0x7f}, {-12, 1}};
    if (*index >= 3 * COUNT(wrong)) {
        *index -= 3 * COUNT(wrong);
        return false;
    }
    PyMemAllocatorDomain domain = (PyMemAllocatorDomain)(*index % 3);
    *fatal = (struct fatal_case){.kind = FATAL_OVERWRITTEN,
                                 .domain = domain,
                                 .taker = domain,
                                 .size = PLAIN,
                                 .offset = wrong[*index / 3].offset,
                                 .value = wrong[*index / 3].value};
    return true;
}

bool
fatal_case_get(size_t index, struct fatal_case *fatal)
{
    bool resized = index % 2;
    index /= 2;
    if (!wrong_domain(&index, fatal) && !overwritten(&index, fatal) &&
        !wrong_letter(&index, fatal) && !wrong_size(&index, fatal) && !another(&index, fatal))
        return false;
    fatal->resized = resized;
    return true;
}

bool
fatal_case_has_rubbish(const struct fatal_case *fatal)
{
    switch (fatal->kind) {
    case FATAL_FREED_TWICE:
    case FATAL_FREED_TWICE_APART:
    case FATAL_UNDECORATED:
        return true;
    case FATAL_OVERWRITTEN: /* what lies behind the end that the size tells */
        return fatal->offset < -8;
    default:
        return false;
    }
}

void
fatal_case_describe(const struct fatal_case *fatal, char *text, size_t capacity)
{
    static const char *const domains[] = {"raw", "mem", "obj"};
    static const char *const kinds[] = {
        [FATAL_WRONG_DOMAIN] = "freed by another domain",
        [FATAL_OVERWRITTEN] = "a byte overwritten",
        [FATAL_ALL_AFTER] = "overwritten behind the end",
        [FATAL_FREED_TWICE] = "freed twice",
        [FATAL_FREED_TWICE_APART] = "freed twice, later",
        [FATAL_UNDECORATED] = "older than the hooks",
        [FATAL_INSIDE] = "freed in its middle",
        [FATAL_ZEROS] = "zeros freed",
    };
    snprintf(text, capacity, "%s, %zu bytes of %s, %s by %s, offset %d, value 0x%02x",
             kinds[fatal->kind], fatal->size, domains[fatal->domain],
             fatal->resized ? "realloc" : "free", domains[fatal->taker], fatal->offset,
             fatal->value);
}

static void
overwrite(const struct fatal_case *fatal, unsigned char *block)
{
    if (fatal->kind == FATAL_ALL_AFTER)
        memset(block + fatal->size, 'A', 8);
    else if (fatal->offset < 0)
        block[fatal->offset] = fatal->value;
    else
        block[fatal->size + (size_t)fatal->offset] = fatal->value;
}

static void
take(const struct fatal_case *fatal, struct session *session, unsigned char *block)
{
    const struct domain_functions *taker = &session->api.domain[fatal->taker];
    if (fatal->resized)
        taker->realloc(block, fatal->size + 1);
    else
        taker->free(block);
}

void
fatal_case_run(const struct fatal_case *fatal, struct session *session)
{
    static _Alignas(16) unsigned char zeros[ZEROS];
    const struct domain_functions *giver = &session->api.domain[fatal->domain];
    unsigned char *early = giver->malloc(fatal->size);
    session->api.setup_debug_hooks();
    unsigned char *block = giver->malloc(fatal->size);
    for (size_t i = 0; i < fatal->size; i++)
        block[i] = (unsigned char)(i * 7);
    switch (fatal->kind) {
    case FATAL_OVERWRITTEN:
    case FATAL_ALL_AFTER:
        overwrite(fatal, block);
        break;
    case FATAL_FREED_TWICE:
        giver->free(block);
        break;
    case FATAL_FREED_TWICE_APART:
        giver->free(block);
        giver->free(giver->malloc(fatal->size * 2));
        break;
    case FATAL_UNDECORATED:
        memset(early, 'e', fatal->size);
        block = early;
        break;
    case FATAL_INSIDE:
        block += 16;
        break;
    case FATAL_ZEROS:
        block = zeros + ZEROS / 2;
        break;
    default:
        break;
    }
    take(fatal, session, block);
}
