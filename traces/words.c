#include "traces/words.h"

#include <string.h>

char *
rh_word_next(char **cursor)
{
    char *word = *cursor + strspn(*cursor, " \t");
    size_t length = strcspn(word, " \t");
    if (length == 0)
        return NULL;
    *cursor = word + length;
    if (**cursor)
        *(*cursor)++ = '\0';
    return word;
}

static bool
whole_number(const char *word, unsigned base, uint64_t *number)
{
    uint64_t value = 0;
    if (!word || !*word)
        return false;
    for (; *word; word++) {
        unsigned digit = base;
        if (*word >= '0' && *word <= '9')
            digit = (unsigned)(*word - '0');
        else if ((*word | 32) >= 'a' && (*word | 32) <= 'f')
            digit = (unsigned)((*word | 32) - 'a') + 10;
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *number = value;
    return true;
}

bool
rh_word_decimal(const char *word, uint64_t *number)
{
    return whole_number(word, 10, number);
}

bool
rh_word_hexadecimal(const char *word, uint64_t *number)
{
    if (word && word[0] == '0' && (word[1] | 32) == 'x')
        word += 2;
    return whole_number(word, 16, number);
}
