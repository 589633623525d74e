#define _GNU_SOURCE
#include "traces/event_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "traces/event_names.h"
#include "traces/trace_json.h"
#include "traces/words.h"

static bool
is_call(const rh_event *event)
{
    return event->operation <= RH_ALIGNED;
}

/* ---- printing ---- */

static void
print_numbers(const rh_event *event, FILE *out)
{
    switch (event->operation) {
    case RH_CALLOC:
        fprintf(out, " %" PRIu64 " %" PRIu64, event->count, event->element);
        break;
    case RH_ALIGNED:
        fprintf(out, " %" PRIu64 " %" PRIu64, event->size, UINT64_C(1) << event->alignment_log2);
        break;
    case RH_FREE:
        break;
    default:
        fprintf(out, " %" PRIu64, event->size);
        break;
    }
}

static bool
print_quoted(const char *text, FILE *out)
{
    json_t *string = rh_trace_json_string(text);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    if (quoted)
        fprintf(out, " %s", quoted);
    free(quoted);
    json_decref(string);
    return quoted != NULL;
}

bool
rh_event_text_print(const rh_trace_info *info, const rh_event *event, FILE *out)
{
    bool good = true;
    if (info->timestamps != RH_TIMES_NONE)
        fprintf(out, "@%" PRIu64 " ", event->time_ns);
    if (event->thread)
        fprintf(out, "t%" PRIu32 " ", event->thread);
    if (info->domains && is_call(event))
        fprintf(out, "%s ", rh_event_domain_names[event->domain]);
    fputs(rh_event_operation_names[event->operation], out);
    if (event->operation == RH_MARK || event->operation == RH_CHECKPOINT)
        good = print_quoted(event->text, out);
    else
        print_numbers(event, out);
    if (event->slot != RH_NO_SLOT)
        fprintf(out, " #%" PRIu32, event->slot);
    if (event->address)
        fprintf(out, " 0x%" PRIx64, event->address);
    for (unsigned i = 0; i < RH_EVENT_FILE_FLAGS; i++)
        if (event->flags & rh_event_flag_names[i].flag)
            fprintf(out, " %s", rh_event_flag_names[i].name);
    putc('\n', out);
    return good;
}

/* ---- reading ---- */

static const char *
read_numbers(char **cursor, rh_event *event)
{
    uint64_t first = 0, second = 0;
    if (event->operation == RH_FREE)
        return NULL;
    if (!rh_word_decimal(rh_word_next(cursor), &first))
        return "the size is not a number";
    event->size = first;
    if (event->operation != RH_CALLOC && event->operation != RH_ALIGNED)
        return NULL;
    if (!rh_word_decimal(rh_word_next(cursor), &second))
        return "the second number is missing";
    if (event->operation == RH_ALIGNED) {
        if (second == 0 || (second & (second - 1)))
            return "the alignment is no power of two";
        event->alignment_log2 = (uint8_t)__builtin_ctzll(second);
        return NULL;
    }
    event->count = first;
    event->element = second;
    if (__builtin_mul_overflow(first, second, &event->size))
        return "a calloc of more bytes than there are";
    return NULL;
}

/* What may stand behind the numbers. */
static const char *
read_word(const char *word, rh_event *event)
{
    uint64_t number = 0;
    if (*word == '#') {
        if (!rh_word_decimal(word + 1, &number) || number >= RH_NO_SLOT)
            return "the slot is not a number";
        event->slot = (uint32_t)number;
        return NULL;
    }
    if (*word == '0') {
        if (!rh_word_hexadecimal(word, &event->address) || event->address >> 48)
            return "the address is not a hexadecimal number below 2^48";
        return NULL;
    }
    for (unsigned i = 0; i < RH_EVENT_FILE_FLAGS; i++) {
        if (strcmp(word, rh_event_flag_names[i].name) == 0) {
            event->flags |= (uint8_t)rh_event_flag_names[i].flag;
            return NULL;
        }
    }
    return "a word is neither #SLOT, nor an address, nor a flag";
}

static const char *
read_quoted(const char *quoted, rh_event *event, char **text)
{
    json_t *string = json_loads(quoted, JSON_DECODE_ANY, NULL);
    if (json_is_string(string))
        *text = strdup(json_string_value(string));
    json_decref(string);
    event->text = *text;
    event->size = *text ? strlen(*text) : 0;
    return *text ? NULL : "the text is not a JSON string";
}

/* Time, thread, domain: what stands before the operation, which is returned. */
static char *
read_front(char **cursor, rh_event *event, const char **problem)
{
    for (char *word; (word = rh_word_next(cursor));) {
        uint64_t number = 0;
        unsigned domain = 0;
        while (domain < RH_EVENT_DOMAINS && strcmp(word, rh_event_domain_names[domain]) != 0)
            domain++;
        if (domain < RH_EVENT_DOMAINS) {
            event->domain = (uint8_t)domain;
        } else if (*word == '@') {
            if (!rh_word_decimal(word + 1, &event->time_ns))
                *problem = "the time is not a number";
        } else if (*word == 't' && rh_word_decimal(word + 1, &number)) {
            if (number >= UINT32_MAX)
                *problem = "there are not so many threads";
            event->thread = (uint32_t)number;
        } else {
            return word;
        }
    }
    return NULL;
}

const char *
rh_event_text_read(const rh_trace_info *info, char *line, rh_event *event, char **text)
{
    const char *problem = NULL;
    char *cursor = line;
    (void)info;
    *text = NULL;
    *event = (rh_event){.slot = RH_NO_SLOT};
    const char *name = read_front(&cursor, event, &problem);
    if (problem)
        return problem;
    unsigned operation = 0;
    while (name && operation < RH_OPERATIONS &&
           strcmp(name, rh_event_operation_names[operation]) != 0)
        operation++;
    if (!name || operation == RH_OPERATIONS)
        return "it has no operation (malloc, calloc, realloc, free, aligned ...)";
    event->operation = (uint8_t)operation;
    if (operation == RH_MARK || operation == RH_CHECKPOINT)
        return read_quoted(cursor, event, text);
    problem = read_numbers(&cursor, event);
    for (char *word; !problem && (word = rh_word_next(&cursor));)
        problem = read_word(word, event);
    return problem;
}
