#include "replay/figures.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ALIKE_MOST = 99, CLEAN_BYTES = RH_FIGURE_NAME - 4 }; /* room for _99 behind it */

static bool
is_taken(const rh_figures *figures, const char *name)
{
    for (uint32_t i = 0; i < figures->count; i++)
        if (strcmp(figures->figure[i].name, name) == 0)
            return true;
    return false;
}

static void
clean_name(const char *name, char clean[CLEAN_BYTES])
{
    size_t length = 0;
    for (; name[length] && length < CLEAN_BYTES - 1; length++) {
        unsigned char letter = (unsigned char)name[length];
        clean[length] = letter < 128 && isalnum(letter) ? (char)tolower(letter) : '_';
    }
    clean[length] = '\0';
}

void
rh_figures_take(void *ctx, const char *name, uint64_t value)
{
    rh_figures *figures = ctx;
    char clean[CLEAN_BYTES], whole[RH_FIGURE_NAME];
    if (!name || !*name || figures->count == RH_FIGURES_MAX)
        return;
    clean_name(name, clean);
    snprintf(whole, sizeof whole, "%s", clean);
    for (unsigned alike = 2; is_taken(figures, whole); alike++) {
        if (alike > ALIKE_MOST)
            return;
        snprintf(whole, sizeof whole, "%s_%u", clean, alike % (ALIKE_MOST + 1));
    }
    memcpy(figures->figure[figures->count].name, whole, sizeof whole);
    figures->figure[figures->count++].value = value;
}
