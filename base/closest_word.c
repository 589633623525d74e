/* Damerau and Levenshtein's distance, by the usual table of prefixes, three rows of it. */
#include "base/closest_word.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 63 };

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t
rh_word_distance(const char *from, const char *to)
{
    size_t from_length = strlen(from), to_length = strlen(to);
    if (from_length > LONGEST || to_length > LONGEST)
        return from_length > to_length ? from_length : to_length;
    size_t rows[3][LONGEST + 1] = {{0}};
    for (size_t j = 0; j <= to_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= from_length; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above_that = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= to_length; j++) {
            size_t changed = above[j - 1] + (from[i - 1] != to[j - 1]);
            row[j] = smaller(changed, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                row[j] = smaller(row[j], above_that[j - 2] + 1);
        }
    }
    return rows[from_length % 3][to_length];
}

void
rh_word_offer(const char *typed, const char *candidate, const char **best)
{
    size_t distance = rh_word_distance(typed, candidate);
    if (distance * 3 > strlen(candidate))
        return;
    if (!*best || distance < rh_word_distance(typed, *best))
        *best = candidate;
}

void
rh_word_list_offer(rh_word_list *words, const char *word)
{
    size_t room = sizeof words->list - words->length;
    int wanted =
        snprintf(words->list + words->length, room, "%s%s", words->length ? ", " : "", word);
    if (wanted > 0)
        words->length += (size_t)wanted < room ? (size_t)wanted : room - 1;
    rh_word_offer(words->typed, word, &words->meant);
}

char *
rh_word_list_hint(const rh_word_list *words, const char *noun, char *text, size_t capacity)
{
    if (words->meant)
        snprintf(text, capacity, "; did you mean '%s'? %s: %s", words->meant, noun, words->list);
    else
        snprintf(text, capacity, "; %s: %s", noun, words->list);
    return text;
}
