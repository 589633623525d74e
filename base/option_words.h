/* The words of a call, read inside an argp parser: each is what it may be, or the call ends with
 * argp's error that says what is allowed. */
#ifndef REHEAP_BASE_OPTION_WORDS_H
#define REHEAP_BASE_OPTION_WORDS_H

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

/* The place of `word` in `names`, which end with NULL. `what` it is one of, for the error. */
int rh_option_choice(struct argp_state *state, const char *what, const char *word,
                     const char *const *names);

/* A number from `least` to `most`, with K, M, G as sizes have. `what`: the option. */
uint64_t rh_option_number(struct argp_state *state, const char *what, const char *word,
                          uint64_t least, uint64_t most);

/* Adds `word`, which is kept and not copied, to a list with room for `most`; one that is said twice
 * is meant once. */
void rh_option_add(struct argp_state *state, const char **words, size_t most, size_t *count,
                   const char *word);

/* The whole call on one line, for a provenance; from malloc. */
char *rh_option_line(int argc, char **argv);

#endif
