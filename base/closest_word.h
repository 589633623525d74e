/* "Did you mean": the word of a list that a mistyped one is nearest to. */
#ifndef REHEAP_BASE_CLOSEST_WORD_H
#define REHEAP_BASE_CLOSEST_WORD_H

#include <stddef.h>

/* Slips (a letter changed, lost, added, or two exchanged) that turn `from` into `to`; words of more
 * than 63 letters count as all different. */
size_t rh_word_distance(const char *from, const char *to);

/* Keeps in *best the nearer of itself (NULL at first) and `candidate`, where near enough to be
 * meant: at most a third of the letters are slips. Call it for each word of the list. */
void rh_word_offer(const char *typed, const char *candidate, const char **best);

/* The words of a list, offered one at a time: what a message says of them when none was typed.
 * Zeroed at first, but for `typed`. */
typedef struct rh_word_list {
    const char *typed, *meant;
    char list[640];
    size_t length;
} rh_word_list;

#define RH_WORD_HINT 800 /* room for a hint */

void rh_word_list_offer(rh_word_list *words, const char *word);

/* "; did you mean 'x'? NOUN: a, b, c". Returns `text`. */
char *rh_word_list_hint(const rh_word_list *words, const char *noun, char *text, size_t capacity);

#endif
