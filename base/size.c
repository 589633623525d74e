#include "base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char suffixes[] = "KMGT";

/* `step`: what one suffix is to the one before it. */
static bool
parse(const char *text, uint64_t step, uint64_t *value)
{
    if (*text < '0' || *text > '9')
        return false;
    uint64_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (*text != '\0') {
        char letter = *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text;
        const char *suffix = strchr(suffixes, letter);
        if (!suffix || text[1] != '\0')
            return false;
        for (const char *at = suffixes; at <= suffix; at++) {
            if (number > UINT64_MAX / step)
                return false;
            number *= step;
        }
    }
    *value = number;
    return true;
}

bool
rh_size_parse(const char *text, uint64_t *value)
{
    return parse(text, 1024, value);
}

bool
rh_count_parse(const char *text, uint64_t *value)
{
    return parse(text, 1000, value);
}

char *
rh_size_exact(uint64_t bytes, char *buffer, size_t capacity)
{
    unsigned step = 0;
    while (step < 4 && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        step++;
    }
    char suffix[2] = {step ? suffixes[step - 1] : '\0', '\0'};
    snprintf(buffer, capacity, "%" PRIu64 "%s", bytes, suffix);
    return buffer;
}

/* That leave three digits. */
static int
decimals_of(double scaled)
{
    return scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
}

char *
rh_size_human(uint64_t bytes, char *buffer, size_t capacity)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1000) {
        snprintf(buffer, capacity, "%" PRIu64 " B", bytes);
        return buffer;
    }
    double scaled = (double)bytes;
    unsigned unit = 0;
    while (scaled >= 999.5) {
        scaled /= 1024;
        unit++;
    }
    snprintf(buffer, capacity, "%.*f %s", decimals_of(scaled), scaled, units[unit]);
    return buffer;
}

char *
rh_time_human(uint64_t ns, char *buffer, size_t capacity)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    if (ns < 1000) {
        snprintf(buffer, capacity, "%" PRIu64 " ns", ns);
        return buffer;
    }
    double scaled = (double)ns;
    unsigned unit = 0;
    while (scaled >= 999.5 && unit < 3) {
        scaled /= 1000;
        unit++;
    }
    snprintf(buffer, capacity, "%.*f %s", decimals_of(scaled), scaled, units[unit]);
    return buffer;
}

char *
rh_count_grouped(uint64_t count, char *buffer, size_t capacity)
{
    char digits[RH_SIZE_TEXT];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    size_t used = 0;
    for (int i = 0; i < length && used + 2 < capacity; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buffer[used++] = ',';
        buffer[used++] = digits[i];
    }
    if (capacity > 0)
        buffer[used] = '\0';
    return buffer;
}

bool
rh_time_parse(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    const char *unit = text + strspn(text, "0123456789.");
    char *end;
    double number = strtod(text, &end);
    if (end != unit || unit == text)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) != 0 || number * units[i].ns > 1e18)
            continue;
        *ns = (uint64_t)(number * units[i].ns);
        return true;
    }
    return false;
}
