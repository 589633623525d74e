#define _GNU_SOURCE
#include "base/option_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

int
rh_option_choice(struct argp_state *state, const char *what, const char *word,
                 const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(word, names[i]) == 0)
            return i;
    char allowed[128] = "";
    for (int i = 0; names[i]; i++) {
        size_t used = strlen(allowed);
        snprintf(allowed + used, sizeof allowed - used, "%s%s", i ? ", " : "", names[i]);
    }
    argp_error(state, "there is no %s '%s'; there are %s", what, word, allowed);
    return 0;
}

uint64_t
rh_option_number(struct argp_state *state, const char *what, const char *word, uint64_t least,
                 uint64_t most)
{
    uint64_t value = 0;
    if (!rh_count_parse(word, &value) || value < least || value > most)
        argp_error(state, "%s is a number from %llu to %llu, not '%s'", what,
                   (unsigned long long)least, (unsigned long long)most, word);
    return value;
}

void
rh_option_add(struct argp_state *state, const char **words, size_t most, size_t *count,
              const char *word)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(words[i], word) == 0)
            return;
    if (*count == most)
        argp_error(state, "more than %zu at once: use several calls", most);
    words[(*count)++] = word;
}

char *
rh_option_line(int argc, char **argv)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    for (int i = 0; out && i < argc; i++)
        fprintf(out, "%s%s", i ? " " : "", argv[i]);
    if (!out || fclose(out) != 0)
        abort();
    return text;
}
