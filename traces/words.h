/* Words and numbers of a line of text. */
#ifndef REHEAP_TRACES_WORDS_H
#define REHEAP_TRACES_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* The next word, or NULL; *cursor moves behind it. Words are separated by blanks, which are written
 * over. */
char *rh_word_next(char **cursor);

/* A whole number below 2^64 that fills the word: decimal, or hexadecimal (with 0x or without).
 * False, leaving *number alone, for anything else, NULL included. */
bool rh_word_decimal(const char *word, uint64_t *number);
bool rh_word_hexadecimal(const char *word, uint64_t *number);

#endif
