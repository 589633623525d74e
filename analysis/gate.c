#include "analysis/gate.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "base/size.h"

static bool
ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* What a number is, by its name: units are the ends of names (docs/metrics.md). */
static rh_quantity_kind
kind_of(const char *name)
{
    if (ends_with(name, "_ns") || ends_with(name, "ns_per_event"))
        return RH_QUANTITY_NS;
    if (ends_with(name, "_bytes"))
        return RH_QUANTITY_BYTES;
    return strncmp(name, "fragmentation_", strlen("fragmentation_")) == 0 ? RH_QUANTITY_EXCESS
                                                                          : RH_QUANTITY_COUNT;
}

static const char *
skip_blanks(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

/* "+3%", "-0.5%": a change. "200M", "12.5", "25%": a value. */
static bool
parse_limit(const char *word, rh_gate *gate)
{
    uint64_t size;
    gate->relative = *word == '+' || *word == '-';
    if (!gate->relative && rh_size_parse(word, &size)) {
        gate->limit = (double)size;
        return true;
    }
    if (!isdigit((unsigned char)word[gate->relative]))
        return false;
    char *end;
    gate->limit = strtod(word, &end);
    bool percent = *end == '%';
    if (percent)
        gate->limit /= 100;
    if (gate->relative && (!percent || gate->limit <= -1))
        return false;
    return isfinite(gate->limit) && end[percent] == '\0' &&
           (!percent || gate->relative || gate->kind == RH_QUANTITY_EXCESS);
}

rh_status
rh_gate_parse(const char *text, rh_gate *gate, rh_error *error)
{
    *gate = (rh_gate){.text = text};
    const char *at = skip_blanks(text);
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
    char word[64];
    bool good = length > 0 && length < sizeof gate->name;
    if (good) {
        memcpy(gate->name, at, length);
        at = skip_blanks(at + length);
        gate->kind = kind_of(gate->name);
        gate->above = *at == '>';
        good = *at == '>' || *at == '<';
    }
    if (good) {
        at = skip_blanks(at + 1);
        length = strcspn(at, " \t\n");
        good = length < sizeof word && *skip_blanks(at + length) == '\0';
    }
    if (good) {
        memcpy(word, at, length);
        word[length] = '\0';
        good = parse_limit(word, gate);
    }
    if (good)
        return RH_OK;
    return rh_fail(
        error, RH_USAGE,
        "'%.100s' is no condition: it is NUMBER > LIMIT or NUMBER < LIMIT, the limit a change "
        "(+3%%, -1.5%%) or a value (200M, 12.5), as in 'peak_mapped_bytes > +3%%'",
        text);
}

static bool
beyond(const rh_gate *gate, double value)
{
    return gate->above ? value > gate->limit : value < gate->limit;
}

/* How many repetitions more would put the interval on one side of the limit, were the value right.
 */
static unsigned
runs_to_clear(const rh_gate *gate, const rh_gated *gated, size_t runs)
{
    double reach = (gated->high - gated->low) / 2, off = fabs(gated->value - gate->limit);
    double more = ceil((double)runs * (reach / off) * (reach / off)) - (double)runs;
    return !(more < RH_MORE_RUNS_MOST) ? RH_MORE_RUNS_MOST : more < 1 ? 1 : (unsigned)more;
}

static size_t
runs_of(const rh_subject *subject, const char *metric)
{
    rh_values values = rh_subject_values(subject, metric);
    size_t count = values.count;
    rh_values_release(&values);
    return count;
}

/* No number because the runs failed, or where there was one before: that must not pass a gate. */
static bool
lost(const rh_gate *gate, const rh_subject *subject, const rh_subject *before)
{
    return subject->failed == subject->run_count ||
           (before && isfinite(rh_subject_median(before, gate->name)) &&
            !isfinite(rh_subject_median(subject, gate->name)) && subject->failed > 0);
}

rh_gated
rh_gate_judge(const rh_gate *gate, const rh_subject *subject, const rh_subject *before,
              rh_relation relation)
{
    rh_gated gated = {.outcome = RH_GATE_UNKNOWN, .value = NAN, .low = NAN, .high = NAN};
    rh_quantity quantity = {gate->name, gate->name, gate->kind};
    if (gate->relative && before) {
        rh_ratio ratio = rh_subject_ratio(subject, before, &quantity, relation);
        gated.value = ratio.value - 1;
        gated.low = ratio.low - 1;
        gated.high = ratio.high - 1;
    } else if (!gate->relative) {
        gated.value = rh_subject_median(subject, gate->name);
    }
    if (isnan(gated.value)) {
        if (lost(gate, subject, before))
            gated.outcome = RH_GATE_FAILS;
        return gated;
    }
    gated.outcome = beyond(gate, gated.value) ? RH_GATE_FAILS : RH_GATE_HOLDS;
    if (gated.outcome == RH_GATE_FAILS && isfinite(gated.low) &&
        !beyond(gate, gate->above ? gated.low : gated.high)) {
        gated.outcome = RH_GATE_UNCERTAIN;
        gated.more_runs = runs_to_clear(gate, &gated, runs_of(subject, gate->name));
    }
    return gated;
}

char *
rh_gate_value_text(const rh_gate *gate, double value, char *text, size_t capacity)
{
    rh_quantity quantity = {gate->name, gate->name, gate->kind};
    if (gate->relative && isfinite(value))
        snprintf(text, capacity, "%+.2f %%", value * 100);
    else
        rh_quantity_text(&quantity, value, text, capacity);
    return text;
}
