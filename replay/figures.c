#include "replay/figures.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ALIKE_MOST = 99 };

static bool
is_taken(const rh_figures *figures, const char *name)
{
    for (uint32_t i = 0; i < figures->count; i++)
        if (strcmp(figures->figure[i].name, name) == 0)
            return true;
    return false;
}

/* Leaves room for a number behind it. */
static void
clean_name(const char *name, char clean[RH_FIGURE_NAME - 4])
{
    size_t length = 0;
    for (; name[length] && length < RH_FIGURE_NAME - 5; length++) {
        unsigned char letter = (unsigned char)name[length];
        clean[length] = letter < 128 && isalnum(letter) ? (char)tolower(letter) : '_';
    }
    clean[length] = '\0';
}

void
rh_figures_take(void *ctx, const char *name, uint64_t value)
{
    rh_figures *figures = ctx;
    char clean[RH_FIGURE_NAME - 4], whole[RH_FIGURE_NAME];
    if (!name || !*name || figures->count == RH_FIGURES_MAX)
        return;
    clean_name(name, clean);
    snprintf(whole, sizeof whole, "%s", clean);
    for (int alike = 2; is_taken(figures, whole); alike++) {
        if (alike > ALIKE_MOST)
            return;
        snprintf(whole, sizeof whole, "%s_%d", clean, alike);
    }
    memcpy(figures->figure[figures->count].name, whole, sizeof whole);
    figures->figure[figures->count++].value = value;
}
