#define _GNU_SOURCE
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/host.h"

#define REDRAW_NS 100000000u

void
rh_progress_begin(rh_progress *progress, const char *what, const char *unit, uint64_t total)
{
    *progress = (rh_progress){.what = what,
                              .unit = unit,
                              .total = total,
                              .start_ns = rh_host_now_ns(),
                              .terminal = isatty(STDERR_FILENO) == 1};
}

static void
draw(const rh_progress *progress, uint64_t done, uint64_t elapsed_ns)
{
    enum { BAR = 24 };
    double seconds = (double)elapsed_ns / 1e9;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    char bar[BAR + 1] = "";
    fprintf(stderr, "\r\033[K%s ", progress->what);
    if (progress->total) {
        double part = (double)done / (double)progress->total;
        part = part > 1 ? 1 : part;
        int full = (int)(part * BAR);
        for (int i = 0; i < BAR; i++)
            bar[i] = i < full ? '#' : '.';
        bar[BAR] = '\0';
        fprintf(stderr, "[%s] %3.0f %%", bar, part * 100);
        if (rate > 0 && done < progress->total)
            fprintf(stderr, ", %.0f s left", (double)(progress->total - done) / rate);
    } else {
        fprintf(stderr, "%" PRIu64 " %s", done, progress->unit);
    }
    if (rate >= 1e6)
        fprintf(stderr, ", %.1f million %s/s", rate / 1e6, progress->unit);
    else if (rate >= 10)
        fprintf(stderr, ", %.0f %s/s", rate, progress->unit);
    fflush(stderr);
}

void
rh_progress_update(rh_progress *progress, uint64_t done)
{
    if (!progress->terminal)
        return;
    uint64_t now = rh_host_now_ns();
    if (now - progress->shown_ns < REDRAW_NS)
        return;
    progress->shown_ns = now;
    draw(progress, done, now - progress->start_ns);
}

void
rh_progress_end(rh_progress *progress)
{
    if (progress->terminal && progress->shown_ns)
        fputs("\r\033[K", stderr);
}

/* What already stands at `path` decides: a device or pipe (/dev/null) is written to as it is, since
 * a rename would put a file in its place; a link leads to the file that is to be replaced. */
static rh_status
find_target(rh_output_file *file, const char *path, bool *direct, rh_error *error)
{
    *direct = false;
    if (strlen(path) >= sizeof file->path)
        return rh_fail(error, RH_USAGE, "%s: the path is too long", path);
    snprintf(file->path, sizeof file->path, "%s", path);
    struct stat there;
    if (stat(path, &there) != 0)
        return RH_OK;
    if (S_ISDIR(there.st_mode))
        return rh_fail_errno(error, RH_SYSTEM, EISDIR, "%s: cannot write it", path);
    *direct = !S_ISREG(there.st_mode);
    char *real = *direct ? NULL : realpath(path, NULL);
    if (real && strlen(real) < sizeof file->path)
        strcpy(file->path, real);
    free(real);
    return RH_OK;
}

rh_status
rh_output_open(rh_output_file *file, const char *path, rh_error *error)
{
    file->stream = NULL;
    file->temporary[0] = '\0';
    if (!*path)
        return rh_fail(error, RH_USAGE, "the name of the file to write is empty");
    bool standard = strcmp(path, "-") == 0, direct = standard;
    rh_status status = standard ? RH_OK : find_target(file, path, &direct, error);
    if (status != RH_OK)
        return status;
    int descriptor;
    if (standard) {
        strcpy(file->path, "standard output");
        descriptor = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    } else if (direct) {
        descriptor = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        snprintf(file->temporary, sizeof file->temporary, "%s.XXXXXX", file->path);
        descriptor = mkostemp(file->temporary, O_CLOEXEC);
    }
    if (descriptor < 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot create it", path);
    if (!direct) {
        mode_t mask = umask(0);
        umask(mask);
        fchmod(descriptor, 0666 & ~mask);
    }
    file->stream = fdopen(descriptor, "w");
    if (!file->stream) {
        int problem = errno;
        close(descriptor);
        if (!direct)
            unlink(file->temporary);
        return rh_fail_errno(error, RH_SYSTEM, problem, "%s: cannot open it for writing", path);
    }
    return RH_OK;
}

rh_status
rh_output_commit(rh_output_file *file, rh_error *error)
{
    bool direct = file->temporary[0] == '\0';
    /* Devices and pipes have nothing to sync, and say so. */
    bool written = fflush(file->stream) == 0 && !ferror(file->stream) &&
                   (fsync(fileno(file->stream)) == 0 || direct);
    int problem = errno;
    if (fclose(file->stream) != 0 && written) {
        problem = errno;
        written = false;
    }
    file->stream = NULL;
    if (written && !direct && rename(file->temporary, file->path) != 0) {
        problem = errno;
        written = false;
    }
    if (written)
        return RH_OK;
    if (!direct)
        unlink(file->temporary);
    return rh_fail_errno(error, RH_SYSTEM, problem, "%s: cannot write it%s", file->path,
                         direct ? "" : "; nothing was left");
}

void
rh_output_abandon(rh_output_file *file)
{
    if (!file->stream)
        return;
    fclose(file->stream);
    file->stream = NULL;
    if (file->temporary[0])
        unlink(file->temporary);
}

bool
rh_output_same_file(const char *one, const char *other)
{
    struct stat first, second;
    return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

rh_there
rh_output_there(const char *path, const void *magic, size_t magic_bytes)
{
    char start[64];
    struct stat there;
    if (stat(path, &there) != 0 || !S_ISREG(there.st_mode) || there.st_size == 0)
        return RH_THERE_NOTHING;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, start, magic_bytes);
    if (file >= 0)
        close(file);
    return got > 0 && memcmp(start, magic, (size_t)got) == 0 ? RH_THERE_OURS : RH_THERE_OTHER;
}

void
rh_output_plain(const char *text, FILE *out)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '\n')
            fputs("\\n", out);
        else if (byte < 0x20 || byte == 0x7F)
            fprintf(out, "\\x%02x", byte);
        else
            fputc(byte, out);
    }
}

struct rh_table {
    unsigned columns;
    size_t cells, capacity;
    char **cell;
};

rh_table *
rh_table_new(unsigned columns)
{
    rh_table *table = calloc(1, sizeof *table);
    if (!table)
        abort();
    table->columns = columns;
    return table;
}

void
rh_table_cell(rh_table *table, const char *format, ...)
{
    if (table->cells == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 64;
        table->cell = realloc(table->cell, table->capacity * sizeof *table->cell);
        if (!table->cell)
            abort();
    }
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&table->cell[table->cells], format, arguments) < 0)
        abort();
    va_end(arguments);
    table->cells++;
}

/* Columns on a terminal: bytes of UTF-8 that continue a character take no place. */
static size_t
width(const char *text)
{
    size_t columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xC0) != 0x80;
    return columns;
}

static bool
is_number(const char *text)
{
    return (*text >= '0' && *text <= '9') ||
           ((*text == '-' || *text == '+' || *text == '<') && text[1]);
}

void
rh_table_print(const rh_table *table, FILE *out)
{
    for (size_t start = 0; start < table->cells; start += table->columns) {
        size_t gap = 0; /* written only when text follows: lines do not end in spaces */
        for (unsigned column = 0; column < table->columns && start + column < table->cells;
             column++) {
            size_t widest = 0;
            bool numbers = false;
            for (size_t i = column; i < table->cells; i += table->columns) {
                size_t this = width(table->cell[i]);
                widest = this > widest ? this : widest;
                numbers |= i >= table->columns && is_number(table->cell[i]);
            }
            const char *text = table->cell[start + column];
            size_t pad = widest - width(text);
            gap += numbers ? pad : 0;
            if (*text) {
                fprintf(out, "%*s%s", (int)gap, "", text);
                gap = 0;
            }
            gap += (numbers ? 0 : pad) + 2;
        }
        fputc('\n', out);
    }
}

void
rh_table_free(rh_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->cells; i++)
        free(table->cell[i]);
    free(table->cell);
    free(table);
}

static volatile sig_atomic_t interrupted;

static void
on_signal(int signal_number)
{
    if (interrupted)
        _exit(128 + signal_number);
    interrupted = 1;
}

void
rh_interrupt_watch(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    /* A limit on the size of files is then an error of the write, which is told and tidied up. */
    signal(SIGXFSZ, SIG_IGN);
}

bool
rh_interrupted(void)
{
    return interrupted != 0;
}
