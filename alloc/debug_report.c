/* What the debug hooks print before the end. Every byte is read through rh_readable_copy: what
 * stands around a damaged block may be nowhere. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/debug_hooks.h"
#include "alloc/readable.h"
#include "base/size.h"

enum {
    SHOWN = 8, /* data bytes printed at either end */
    LONGEST_MESSAGE = 100
};

static FILE *
report_of(const rh_debug_settings *settings)
{
    return settings->report ? settings->report : stderr;
}

static size_t
word_of(const unsigned char *bytes)
{
    size_t word = 0;
    for (size_t i = 0; i < RH_DEBUG_WORD; i++)
        word = word << 8 | bytes[i];
    return word;
}

static bool
all_are(const unsigned char *bytes, size_t count, unsigned char value)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

/* A line for one byte of a pad; `sign` and `number` tell its place. */
static void
print_pad_byte(FILE *out, const char *from, int number, unsigned char byte, unsigned char expected)
{
    fprintf(out, "        at %s%d: 0x%02x%s\n", from, number, byte,
            byte == expected ? "" : " *** OUCH");
}

static void
print_leading_pad(FILE *out, const unsigned char *pad, unsigned char expected)
{
    int count = RH_DEBUG_WORD - 1;
    fprintf(out, "    The %d pad bytes at p-%d are ", count, count);
    if (all_are(pad, RH_DEBUG_WORD - 1, expected)) {
        fputs("FORBIDDENBYTE, as expected.\n", out);
        return;
    }
    fprintf(out, "not all FORBIDDENBYTE (0x%02x):\n", expected);
    for (int i = count; i >= 1; i--)
        print_pad_byte(out, "p-", i, pad[count - i], expected);
    fputs("    Because memory is corrupted at the start, the count of bytes requested\n"
          "       may be bogus, and checking the trailing pad bytes may segfault.\n",
          out);
}

/* False: there is nothing to read at the tail. */
static bool
print_trailing_pad(FILE *out, const unsigned char *tail, unsigned char expected)
{
    unsigned char pad[RH_DEBUG_WORD];
    int count = RH_DEBUG_WORD;
    fprintf(out, "    The %d pad bytes at tail=%p are ", count, (const void *)tail);
    if (!rh_readable_copy(pad, tail, sizeof pad)) {
        fputs("not readable:\n"
              "        the count of bytes requested cannot be believed.\n",
              out);
        return false;
    }
    if (all_are(pad, sizeof pad, expected)) {
        fputs("FORBIDDENBYTE, as expected.\n", out);
        return true;
    }
    fprintf(out, "not all FORBIDDENBYTE (0x%02x):\n", expected);
    for (int i = 0; i < count; i++)
        print_pad_byte(out, "tail+", i, pad[i], expected);
    return true;
}

static void
print_serial(FILE *out, const unsigned char *tail)
{
    unsigned char number[RH_DEBUG_WORD];
    if (rh_readable_copy(number, tail + RH_DEBUG_WORD, sizeof number))
        fprintf(out, "    The block was made by call #%zu to debug malloc/realloc.\n",
                word_of(number));
}

static void
print_bytes(FILE *out, const unsigned char *from, size_t count)
{
    unsigned char bytes[SHOWN];
    if (!rh_readable_copy(bytes, from, count)) {
        fputs(" not readable", out);
        return;
    }
    for (size_t i = 0; i < count; i++)
        fprintf(out, " %02x", bytes[i]);
}

static void
print_data(FILE *out, const unsigned char *p, size_t size)
{
    if (size == 0)
        return;
    fputs("    Data at p:", out);
    print_bytes(out, p, size < SHOWN ? size : SHOWN);
    if (size > SHOWN) {
        size_t left = size - SHOWN;
        if (left > SHOWN)
            fputs(" ...", out);
        left = left < SHOWN ? left : SHOWN;
        print_bytes(out, p + size - left, left);
    }
    fputc('\n', out);
}

static void
print_trace(const rh_debug_settings *settings, FILE *out, const void *p)
{
    rh_debug_traced traced = RH_DEBUG_TRACING_OFF;
    if (settings->print_trace)
        traced = settings->print_trace(
            settings->trace_ctx, p, "Memory block allocated at (most recent call first):\n", out);
    if (traced == RH_DEBUG_TRACING_OFF)
        fputs("Enable tracemalloc to get the memory block allocation traceback\n", out);
    if (traced != RH_DEBUG_UNTRACED)
        fputc('\n', out);
}

/* Everything up to the blank line before the traceback. */
static void
print_block(const rh_debug_settings *settings, FILE *out, const unsigned char *p)
{
    unsigned char head[RH_DEBUG_LEAD];
    fprintf(out, "Debug memory block at address p=%p:", (const void *)p);
    if (!rh_readable_copy(head, p - RH_DEBUG_LEAD, sizeof head)) {
        fprintf(out,
                " API unknown\n"
                "    The %d bytes before p are not readable:\n"
                "        the block was freed and its memory given back, or there never was one.\n",
                (int)RH_DEBUG_LEAD);
        fputc('\n', out);
        return;
    }
    size_t size = word_of(head);
    const unsigned char *tail = p + size;
    fprintf(out, " API '%c'\n", head[RH_DEBUG_WORD]);
    fprintf(out, "    %zu bytes originally requested\n", size);
    print_leading_pad(out, head + RH_DEBUG_WORD + 1, settings->fill.forbidden);
    if (print_trailing_pad(out, tail, settings->fill.forbidden)) {
        if (settings->serial)
            print_serial(out, tail);
        if (tail > p) /* a size that wraps around has no data */
            print_data(out, p, size);
        else if (size)
            fputs("    Data at p:\n", out);
    }
    fputc('\n', out);
}

/* ---- statistics ---- */

bool
rh_debug_print_numbered(const rh_debug_settings *settings, bool (*print)(void *ctx, FILE *out),
                        void *ctx, FILE *out)
{
    if (!settings->serial)
        return print(ctx, out);
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        return false;
    bool printed = print(ctx, stream);
    fclose(stream);
    const char *arenas = text ? strstr(text, "# arenas allocated total") : NULL;
    size_t before = arenas ? (size_t)(arenas - text) : 0;
    if (arenas) {
        char number[RH_SIZE_TEXT];
        fwrite(text, 1, before, out);
        fprintf(out, "%-35s=%21s\n", "# times object malloc called",
                rh_count_grouped(atomic_load(&settings->serials), number, sizeof number));
    }
    fwrite(text + before, 1, bytes - before, out);
    free(text);
    return printed;
}

/* ---- the end ---- */

/* "Fatal Python error: FUNCTION: " */
static void
print_verdict(const rh_debug_settings *settings, const char *function, FILE *out)
{
    fputs("Fatal Python error: ", out);
    if (settings->words == RH_DEBUG_WORDS_3_9)
        fprintf(out, "%s: ", function);
}

static void
print_state(const rh_debug_settings *settings, FILE *out)
{
    if (settings->words != RH_DEBUG_WORDS_3_7) {
        const char *state =
            settings->runtime_state ? settings->runtime_state(settings->state_ctx) : "unknown";
        fprintf(out, "Python runtime state: %s\n", state);
    }
    fputc('\n', out);
}

static _Noreturn void
end(const rh_debug_settings *settings, FILE *out)
{
    fflush(out);
    if (settings->end)
        settings->end(settings->end_ctx);
    abort();
}

void
rh_debug_report(const rh_debug_settings *settings, const void *p, const char *function,
                const char *format, ...)
{
    FILE *out = report_of(settings);
    print_block(settings, out, p);
    print_trace(settings, out, p);
    print_verdict(settings, function, out);
    va_list arguments;
    va_start(arguments, format);
    if (settings->words == RH_DEBUG_WORDS_3_9) {
        vfprintf(out, format, arguments);
    } else { /* a string of at most so many bytes, which a letter of 0 ends */
        char message[LONGEST_MESSAGE];
        vsnprintf(message, sizeof message, format, arguments);
        fputs(message, out);
    }
    va_end(arguments);
    fputc('\n', out);
    print_state(settings, out);
    end(settings, out);
}

void
rh_debug_fatal(const rh_debug_settings *settings, const char *function, const char *message)
{
    FILE *out = report_of(settings);
    print_verdict(settings, function, out);
    fprintf(out, "%s\n", message);
    print_state(settings, out);
    end(settings, out);
}
