/* "Did you mean": the word of a list that a mistyped one is nearest to. */
#ifndef REHEAP_ALLOC_CLOSEST_WORD_H
#define REHEAP_ALLOC_CLOSEST_WORD_H

#include <stddef.h>

/* Slips (a letter changed, lost, added, or two exchanged) that turn `from` into `to`; words of more
 * than 63 letters count as all different. */
size_t rh_word_distance(const char *from, const char *to);

/* Keeps in *best the nearer of itself (NULL at first) and `candidate`, where near enough to be
 * meant: at most a third of the letters are slips. Call it for each word of the list. */
void rh_word_offer(const char *typed, const char *candidate, const char **best);

#endif
