#include "traces/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { PIECE_BYTES = 1 << 17, MAGIC_BYTES = 4 };
static const unsigned char zstd_magic[MAGIC_BYTES] = {0x28, 0xB5, 0x2F, 0xFD};

struct rh_lines {
    char name[4096];
    FILE *file;
    ZSTD_DStream *stream; /* NULL: plain */
    unsigned char *packed;
    ZSTD_inBuffer input;
    bool frame_open; /* a frame has begun and not ended */
    char *text;      /* [at, end) is still to be given out */
    size_t at, end, room;
    bool ended;
    uint64_t number, consumed;
};

rh_status
rh_lines_open(const char *path, rh_lines **result, rh_error *error)
{
    rh_lines *lines = calloc(1, sizeof *lines);
    if (!lines)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    bool standard = strcmp(path, "-") == 0;
    snprintf(lines->name, sizeof lines->name, "%s", standard ? "standard input" : path);
    lines->file = standard ? stdin : fopen(path, "rbe");
    lines->packed = malloc(PIECE_BYTES);
    lines->room = 2 * PIECE_BYTES;
    lines->text = malloc(lines->room);
    rh_status status = RH_OK;
    if (!lines->file)
        status = rh_fail_errno(error, errno == ENOENT ? RH_BAD_INPUT : RH_SYSTEM, errno,
                               "%s: cannot read it", path);
    else if (!lines->packed || !lines->text)
        status = rh_fail(error, RH_SYSTEM, "out of memory");
    if (status == RH_OK) {
        lines->input =
            (ZSTD_inBuffer){lines->packed, fread(lines->packed, 1, MAGIC_BYTES, lines->file), 0};
        bool packed =
            lines->input.size == MAGIC_BYTES && memcmp(lines->packed, zstd_magic, MAGIC_BYTES) == 0;
        lines->consumed = lines->input.size;
        if (packed)
            lines->stream = ZSTD_createDStream();
        if (packed && !lines->stream)
            status = rh_fail(error, RH_SYSTEM, "out of memory");
    }
    if (status != RH_OK) {
        rh_lines_close(lines);
        return status;
    }
    *result = lines;
    return RH_OK;
}

void
rh_lines_close(rh_lines *lines)
{
    if (!lines)
        return;
    if (lines->file && lines->file != stdin)
        fclose(lines->file);
    ZSTD_freeDStream(lines->stream);
    free(lines->packed);
    free(lines->text);
    free(lines);
}

uint64_t
rh_lines_number(const rh_lines *lines)
{
    return lines->number;
}

uint64_t
rh_lines_consumed(const rh_lines *lines)
{
    return lines->consumed;
}

/* More bytes of the file, where none are left. */
static rh_status
read_piece(rh_lines *lines, rh_error *error)
{
    if (lines->input.pos < lines->input.size)
        return RH_OK;
    lines->input.size = fread(lines->packed, 1, PIECE_BYTES, lines->file);
    lines->input.pos = 0;
    lines->consumed += lines->input.size;
    if (ferror(lines->file))
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot read it", lines->name);
    return RH_OK;
}

/* More text behind `end`; `ended` is set when there is none. */
static rh_status
fill(rh_lines *lines, rh_error *error)
{
    rh_status status = read_piece(lines, error);
    if (status != RH_OK)
        return status;
    ZSTD_inBuffer *input = &lines->input;
    if (input->size == 0) {
        lines->ended = true;
        if (lines->frame_open)
            return rh_fail(error, RH_BAD_INPUT,
                           "%s: its compressed data ends in the middle; it was cut short",
                           lines->name);
        return RH_OK;
    }
    if (!lines->stream) {
        size_t bytes = input->size - input->pos;
        size_t free_bytes = lines->room - lines->end;
        bytes = bytes < free_bytes ? bytes : free_bytes;
        memcpy(lines->text + lines->end, lines->packed + input->pos, bytes);
        input->pos += bytes;
        lines->end += bytes;
        return RH_OK;
    }
    ZSTD_outBuffer output = {lines->text, lines->room, lines->end};
    size_t more = ZSTD_decompressStream(lines->stream, &output, input);
    if (ZSTD_isError(more))
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: its compressed data is damaged (behind line %llu): %s", lines->name,
                       (unsigned long long)lines->number, ZSTD_getErrorName(more));
    lines->frame_open = more != 0;
    lines->end = output.pos;
    return RH_OK;
}

/* Room behind `end`, by moving what is left to the front, or by growing. */
static rh_status
make_room(rh_lines *lines, rh_error *error)
{
    if (lines->end < lines->room)
        return RH_OK;
    if (lines->at > 0) {
        memmove(lines->text, lines->text + lines->at, lines->end - lines->at);
        lines->end -= lines->at;
        lines->at = 0;
        return RH_OK;
    }
    if (lines->room >= RH_LINE_BYTES_MAX)
        return rh_fail(error, RH_BAD_INPUT,
                       "%s: line %llu is longer than %zu bytes; is this a text file?", lines->name,
                       (unsigned long long)lines->number + 1, RH_LINE_BYTES_MAX);
    char *grown = realloc(lines->text, lines->room * 2);
    if (!grown)
        return rh_fail(error, RH_SYSTEM, "out of memory");
    lines->text = grown;
    lines->room *= 2;
    return RH_OK;
}

static rh_status
give_line(rh_lines *lines, size_t length, size_t skip, char **line, rh_error *error)
{
    char *text = lines->text + lines->at;
    lines->at += length + skip;
    lines->number++;
    if (memchr(text, '\0', length))
        return rh_fail(error, RH_BAD_INPUT, "%s: line %llu has a NUL in it; is this a text file?",
                       lines->name, (unsigned long long)lines->number);
    if (length > 0 && text[length - 1] == '\r')
        length--;
    text[length] = '\0';
    *line = text;
    return RH_OK;
}

rh_status
rh_lines_next(rh_lines *lines, char **line, rh_error *error)
{
    *line = NULL;
    for (size_t searched = 0;;) {
        char *from = lines->text + lines->at + searched;
        char *newline = memchr(from, '\n', lines->end - lines->at - searched);
        if (newline)
            return give_line(lines, (size_t)(newline - lines->text) - lines->at, 1, line, error);
        searched = lines->end - lines->at;
        rh_status status = make_room(lines, error); /* one byte too, for the end of the last line */
        if (status == RH_OK && lines->ended)
            return searched ? give_line(lines, searched, 0, line, error) : RH_OK;
        if (status == RH_OK)
            status = fill(lines, error);
        if (status != RH_OK)
            return status;
    }
}
