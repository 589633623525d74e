/* fatal DRIVER OURS: each error on the real libpython and on ours, in a process of its own. What
 * they write to stderr must be the same but for addresses of the C library, and both must end by
 * SIGABRT. Where the real one falls over its own report (it believes a size that is rubbish), ours
 * must write a report to its end and abort. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/oracle/fatal_cases.h"
#include "tests/oracle/pythons.h"

enum { TEXT_BYTES = 1 << 16 };

struct ending {
    char text[TEXT_BYTES];
    size_t length;
    int signal; /* 0: it did not die of one */
};

static bool
run(const char *driver, const char *library, size_t number, const char *version,
    struct ending *ending)
{
    int ends[2];
    char index[24];
    snprintf(index, sizeof index, "%zu", number);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        setenv("REHEAP_PYTHON_VERSION", version, 1);
        execl(driver, driver, library, "fatal", index, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ending->length = 0;
    ssize_t got;
    while ((got = read(ends[0], ending->text + ending->length,
                       sizeof ending->text - 1 - ending->length)) > 0)
        ending->length += (size_t)got;
    ending->text[ending->length] = '\0';
    close(ends[0]);
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    ending->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    return true;
}

/* Addresses of the C library and of the program become x's: they differ in every process. */
static void
mask_addresses(struct ending *ending)
{
    for (char *at = ending->text; at + 4 < ending->text + ending->length; at++) {
        char *end;
        if (at[0] != '=' || at[1] != '0' || at[2] != 'x')
            continue;
        uintptr_t address = strtoull(at + 1, &end, 16);
        if (!hand_owns((void *)address)) {
            size_t left = (size_t)(ending->text + ending->length - end);
            at[3] = 'x';
            memmove(at + 4, end, left + 1);
            ending->length = (size_t)(at + 4 - ending->text) + left;
        }
    }
}

static bool
has(const struct ending *ending, const char *text)
{
    return memmem(ending->text, ending->length, text, strlen(text)) != NULL;
}

/* A report that was written to its end. */
static bool
is_complete(const struct ending *ending)
{
    return has(ending, "Debug memory block at address p=") &&
           (has(ending, "Fatal Python error: _PyMem_DebugRaw") ||
            has(ending, "Fatal Python error: bad ")) && /* until 3.8 */
           ending->text[ending->length - 1] == '\n';
}

static bool
is_same(const struct ending *real, const struct ending *ours)
{
    return real->length == ours->length && memcmp(real->text, ours->text, real->length) == 0;
}

static void
show(const char *whose, const struct ending *ending)
{
    printf("--- %s, signal %d\n", whose, ending->signal);
    fwrite(ending->text, 1, ending->length, stdout);
}

static unsigned
compare(const char *driver, const char *our_library, const struct real_library *library)
{
    static struct ending real, ours;
    struct fatal_case fatal;
    unsigned wrong = 0, same = 0, crashes = 0, rubbish = 0;
    for (size_t i = 0; fatal_case_get(i, &fatal); i++) {
        char name[160];
        fatal_case_describe(&fatal, name, sizeof name);
        if (!run(driver, library->path, i, library->version, &real) ||
            !run(driver, our_library, i, library->version, &ours)) {
            perror(driver);
            exit(2);
        }
        mask_addresses(&real);
        mask_addresses(&ours);
        bool good = ours.signal == SIGABRT;
        if (real.signal == SIGABRT && is_same(&real, &ours))
            same++;
        else if (real.signal == SIGSEGV || real.signal == SIGBUS)
            crashes += good &= is_complete(&ours);
        else if (fatal_case_has_rubbish(&fatal))
            rubbish += good &= is_complete(&ours);
        else
            good = false;
        if (good)
            continue;
        wrong++;
        printf("case %zu: %s\n", i, name);
        show("real", &real);
        show("ours", &ours);
    }
    printf("%s: %u reports the same, %u where the real one crashes, %u with rubbish in them, %u "
           "WRONG\n",
           library->path, same, crashes, rubbish, wrong);
    return wrong + (same == 0);
}

int
main(int argc, char **argv)
{
    static struct real_library libraries[REAL_LIBRARIES];
    if (argc != 3) {
        fprintf(stderr, "usage: %s DRIVER OURS\n", argv[0]);
        return 2;
    }
    size_t count = find_real_libraries(libraries);
    unsigned wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += compare(argv[1], argv[2], &libraries[i]);
    return wrong != 0;
}
