#define _GNU_SOURCE
#include "analysis/gnuplot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/output.h"

extern char **environ;

bool
rh_gnuplot_installed(void)
{
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : "/usr/bin:/bin"), *rest = copy, *folder;
    bool found = false;
    while (copy && !found && (folder = strsep(&rest, ":"))) {
        char *candidate;
        if (asprintf(&candidate, "%s/gnuplot", *folder ? folder : ".") < 0)
            abort();
        found = access(candidate, X_OK) == 0;
        free(candidate);
    }
    free(copy);
    return found;
}

static rh_status
write_file(const char *folder, const char *name, const char *ending, const char *text, size_t bytes,
           rh_error *error)
{
    char *path;
    if (asprintf(&path, "%s/%s%s", folder, name, ending) < 0)
        abort();
    rh_output_file file;
    rh_status status = rh_output_open(&file, path, error);
    if (status == RH_OK) {
        fwrite(text, 1, bytes, file.stream);
        status = rh_output_commit(&file, error);
    }
    free(path);
    return status;
}

static void
write_html_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else
            fputc(*text, out);
    }
}

static rh_status
write_page(const rh_figures *figures, const char *folder, const char *title, rh_error *error)
{
    char *text;
    size_t bytes;
    FILE *page = open_memstream(&text, &bytes);
    if (!page)
        abort();
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>", page);
    write_html_text(page, title);
    fputs("</title>\n<style>body{font-family:sans-serif;max-width:1120px;margin:2em auto;"
          "padding:0 1em}img{max-width:100%}figure{margin:3em 0}</style>\n<h1>",
          page);
    write_html_text(page, title);
    fputs("</h1>\n", page);
    for (size_t i = 0; i < figures->count; i++) {
        const rh_figure *figure = &figures->figure[i];
        fprintf(page, "<figure id=\"%s\">\n<a href=\"%s.svg\"><img src=\"%s.png\" alt=\"",
                figure->name, figure->name, figure->name);
        write_html_text(page, figure->caption);
        fputs("\"></a>\n<figcaption>", page);
        write_html_text(page, figure->caption);
        fprintf(page,
                ". <a href=\"%s.svg\">svg</a> <a href=\"%s.gp\">script</a> "
                "<a href=\"%s.tsv\">data</a></figcaption>\n</figure>\n",
                figure->name, figure->name, figure->name);
    }
    fputs("</html>\n", page);
    fclose(page);
    rh_status status = write_file(folder, "figures", ".html", text, bytes, error);
    free(text);
    return status;
}

static rh_status
write_texts(const rh_figures *figures, const char *folder, const char *title, rh_error *error)
{
    rh_status status = RH_OK;
    for (size_t i = 0; status == RH_OK && i < figures->count; i++) {
        const rh_figure *figure = &figures->figure[i];
        status = write_file(folder, figure->name, ".gp", figure->script_text, figure->script_bytes,
                            error);
        if (status == RH_OK)
            status = write_file(folder, figure->name, ".tsv", figure->data_text, figure->data_bytes,
                                error);
    }
    return status == RH_OK ? write_page(figures, folder, title, error) : status;
}

/* What gnuplot complained of, in one line. */
static void
read_complaint(int descriptor, char *text, size_t capacity)
{
    ssize_t length = pread(descriptor, text, capacity - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ')
            *c = ' ';
    }
}

/* Runs gnuplot on one script, in its folder, without the user's own start-up file. */
static rh_status
draw_one(const char *folder, const char *script, rh_error *error)
{
    int complaints = memfd_create("gnuplot", MFD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, complaints, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO);
    char *arguments[] = {"gnuplot", "-d", (char *)script, NULL};
    pid_t child;
    int problem = posix_spawnp(&child, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    rh_status status = RH_OK;
    int state = 0;
    if (problem != 0) {
        status = rh_fail_errno(error, RH_CANNOT_RUN, problem, "cannot start gnuplot");
    } else {
        while (waitpid(child, &state, 0) < 0 && errno == EINTR)
            continue;
        if (rh_interrupted()) {
            status = rh_fail(error, RH_INTERRUPTED, "interrupted; no figure was left");
        } else if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) {
            char complaint[600];
            read_complaint(complaints, complaint, sizeof complaint);
            status = rh_fail(error, RH_CANNOT_RUN, "gnuplot failed on %s: %s", script, complaint);
        }
    }
    close(complaints);
    return status;
}

/* Whether a file ends as it should: gnuplot does not notice a full disk. */
static bool
ends_with(const char *folder, const char *name, const char *ending, const char *tail, size_t bytes)
{
    char *path, last[16];
    if (asprintf(&path, "%s/%s%s", folder, name, ending) < 0)
        abort();
    FILE *file = fopen(path, "re");
    bool whole = file && fseek(file, -(long)bytes, SEEK_END) == 0 &&
                 fread(last, 1, bytes, file) == bytes && memcmp(last, tail, bytes) == 0;
    if (file)
        fclose(file);
    free(path);
    return whole;
}

static rh_status
check_pictures(const char *folder, const char *name, rh_error *error)
{
    static const char svg_tail[] = "</svg>\n\n", png_tail[] = "IEND\xAE\x42\x60\x82";
    bool svg = ends_with(folder, name, ".svg", svg_tail, sizeof svg_tail - 1) ||
               ends_with(folder, name, ".svg", svg_tail, sizeof svg_tail - 2);
    if (svg && ends_with(folder, name, ".png", png_tail, sizeof png_tail - 1))
        return RH_OK;
    return rh_fail(error, RH_SYSTEM,
                   "gnuplot left %s.%s incomplete: is the disk full? No figure was kept", name,
                   svg ? "png" : "svg");
}

static rh_status
draw_all(const rh_figures *figures, const char *folder, rh_error *error)
{
    rh_progress progress;
    rh_progress_begin(&progress, "drawing", "figures", figures->count);
    rh_status status = RH_OK;
    for (size_t i = 0; status == RH_OK && i < figures->count; i++) {
        char *script;
        if (asprintf(&script, "%s.gp", figures->figure[i].name) < 0)
            abort();
        status = draw_one(folder, script, error);
        free(script);
        if (status == RH_OK)
            status = check_pictures(folder, figures->figure[i].name, error);
        if (status == RH_OK && rh_interrupted())
            status = rh_fail(error, RH_INTERRUPTED, "interrupted; no figure was left");
        rh_progress_update(&progress, i + 1);
    }
    rh_progress_end(&progress);
    return status;
}

/* Calls `act` on every file of a flat folder. */
static rh_status
each_file(const char *folder,
          rh_status (*act)(const char *from, const char *name, const char *to, rh_error *error),
          const char *to, rh_error *error)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot read it", folder);
    rh_status status = RH_OK;
    for (struct dirent *entry; status == RH_OK && (entry = readdir(entries));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = act(folder, entry->d_name, to, error);
    }
    closedir(entries);
    return status;
}

static rh_status
remove_one(const char *from, const char *name, const char *to, rh_error *error)
{
    (void)to, (void)error;
    char *path;
    if (asprintf(&path, "%s/%s", from, name) < 0)
        abort();
    unlink(path);
    free(path);
    return RH_OK;
}

static rh_status
move_one(const char *from, const char *name, const char *to, rh_error *error)
{
    char *old, *new;
    if (asprintf(&old, "%s/%s", from, name) < 0 || asprintf(&new, "%s/%s", to, name) < 0)
        abort();
    rh_status status = RH_OK;
    if (rename(old, new) != 0)
        status = rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot put it there", new);
    free(old);
    free(new);
    return status;
}

/* The finished folder takes its name, or its files move into the one that is there. */
static rh_status
publish(const char *made, const char *directory, rh_error *error)
{
    struct stat there;
    if (stat(directory, &there) != 0) {
        if (rename(made, directory) == 0)
            return RH_OK;
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot create it", directory);
    }
    rh_status status = each_file(made, move_one, directory, error);
    if (status == RH_OK)
        rmdir(made);
    return status;
}

/* A folder beside the final one, so that a rename suffices; or in it, when it is there. */
static rh_status
make_folder(const char *directory, char **made, rh_error *error)
{
    struct stat there;
    bool exists = stat(directory, &there) == 0;
    if (exists && !S_ISDIR(there.st_mode))
        return rh_fail(error, RH_SYSTEM, "%s: it is not a folder; name another with -o", directory);
    size_t length = strlen(directory);
    while (length > 1 && directory[length - 1] == '/')
        length--;
    if (asprintf(made, "%.*s%s", (int)length, directory, exists ? "/.drawing.XXXXXX" : ".XXXXXX") <
        0)
        abort();
    if (!mkdtemp(*made)) {
        int problem = errno;
        free(*made);
        *made = NULL;
        return rh_fail_errno(error, RH_SYSTEM, problem, "%s: cannot write there", directory);
    }
    mode_t mask = umask(0);
    umask(mask);
    chmod(*made, 0777 & ~mask);
    return RH_OK;
}

rh_status
rh_figures_draw(const rh_figures *figures, const char *directory, const char *title,
                rh_error *error)
{
    char *made;
    rh_status status = make_folder(directory, &made, error);
    if (status != RH_OK)
        return status;
    bool tool = rh_gnuplot_installed();
    status = write_texts(figures, made, title, error);
    if (status == RH_OK && tool)
        status = draw_all(figures, made, error);
    if (status == RH_OK)
        status = publish(made, directory, error);
    if (status == RH_OK && !tool)
        status = rh_fail(error, RH_CANNOT_RUN,
                         "gnuplot is not installed: install the Debian package gnuplot-nox and run "
                         "this again. Scripts and tables are in %s, to be drawn by hand",
                         directory);
    if (status != RH_OK) {
        each_file(made, remove_one, NULL, NULL);
        rmdir(made);
    }
    free(made);
    return status;
}
