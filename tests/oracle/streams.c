/* streams DRIVER OURS SCRIPT...: each script on each real libpython and on ours, in a process
 * of its own; what the two print must be the same, line for line. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/oracle/pythons.h"

enum { SEEDS = 2, CONTEXT = 12 };

struct output {
    pid_t child;
    FILE *lines;
    char *line;
    size_t capacity;
    bool ended;
};

static bool
start(struct output *output, char *const arguments[], const char *version)
{
    int ends[2];
    memset(output, 0, sizeof *output);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    output->child = fork();
    if (output->child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        setenv("REHEAP_PYTHON_VERSION", version, 1);
        execv(arguments[0], arguments);
        perror(arguments[0]);
        _exit(127);
    }
    close(ends[1]);
    output->lines = fdopen(ends[0], "r");
    return output->child > 0 && output->lines;
}

static void
next_line(struct output *output)
{
    if (getline(&output->line, &output->capacity, output->lines) < 0)
        output->ended = true;
}

/* Its status: whether it ran to its end. */
static bool
finish(struct output *output, const char *whose)
{
    int status = 0;
    fclose(output->lines);
    free(output->line);
    if (waitpid(output->child, &status, 0) != output->child)
        return false;
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGPIPE)
        fprintf(stderr, "%s died of signal %d\n", whose, WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The lines before, oldest first. */
struct context {
    char line[CONTEXT][256];
    size_t count;
};

static void
report(const struct context *context, const struct output *real, const struct output *ours)
{
    size_t first = context->count > CONTEXT ? context->count - CONTEXT : 0;
    for (size_t i = first; i < context->count; i++)
        fprintf(stderr, "    %s%s", context->line[i % CONTEXT],
                strchr(context->line[i % CONTEXT], '\n') ? "" : "\n");
    fprintf(stderr, "real: %sours: %s", real->ended ? "the end\n" : real->line,
            ours->ended ? "the end\n" : ours->line);
}

/* The number of equal lines; *same false when they part. */
static size_t
compare(struct output *real, struct output *ours, bool *same)
{
    static struct context context;
    context.count = 0;
    for (;;) {
        next_line(real);
        next_line(ours);
        *same = real->ended == ours->ended && (real->ended || strcmp(real->line, ours->line) == 0);
        if (!*same)
            report(&context, real, ours);
        if (!*same || real->ended)
            return context.count;
        snprintf(context.line[context.count++ % CONTEXT], sizeof context.line[0], "%s", real->line);
    }
}

static bool
run_script(const char *driver, const char *our_library, const struct real_library *library,
           const char *script, const char *seed)
{
    char *const real_arguments[] = {(char *)driver, (char *)library->path, (char *)script,
                                    (char *)seed, NULL};
    char *const our_arguments[] = {(char *)driver, (char *)our_library, (char *)script,
                                   (char *)seed, NULL};
    struct output real, ours;
    bool same = false;
    if (!start(&real, real_arguments, library->version) ||
        !start(&ours, our_arguments, library->version)) {
        perror("cannot start the driver");
        exit(2);
    }
    size_t lines = compare(&real, &ours, &same);
    same &= (int)finish(&real, "the real one") & (int)finish(&ours, "ours");
    printf("%s, seed %s, %s: %zu lines, %s\n", script, seed, library->path, lines,
           same ? "the same" : "NOT THE SAME");
    fflush(stdout);
    return same && lines > 0;
}

int
main(int argc, char **argv)
{
    static struct real_library libraries[REAL_LIBRARIES];
    if (argc < 4) {
        fprintf(stderr, "usage: %s DRIVER OURS SCRIPT...\n", argv[0]);
        return 2;
    }
    size_t count = find_real_libraries(libraries);
    unsigned different = 0;
    for (int script = 3; script < argc; script++)
        for (size_t i = 0; i < count; i++)
            for (unsigned seed = 1; seed <= SEEDS; seed++) {
                char number[16];
                snprintf(number, sizeof number, "%u", seed);
                different += !run_script(argv[1], argv[2], &libraries[i], argv[script], number);
            }
    return different != 0;
}
