/* driver LIBRARY SCRIPT SEED [OPERATIONS]: runs the script on the library and prints what it did.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/oracle/fatal_cases.h"
#include "tests/oracle/scripts.h"
#include "tests/oracle/session.h"

enum { USAGE = 2 };

static struct session session;

static const struct script *
find_script(const char *name)
{
    for (const struct script *script = scripts; script->name; script++)
        if (strcmp(script->name, name) == 0)
            return script;
    return NULL;
}

static int
run_fatal_case(const char *library, const char *number)
{
    struct fatal_case fatal;
    if (!fatal_case_get(strtoull(number, NULL, 10), &fatal) || !session_open(&session, library, 1))
        return USAGE;
    fatal_case_run(&fatal, &session);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[2], "fatal") == 0)
        return run_fatal_case(argv[1], argv[3]);
    const struct script *script = argc == 4 || argc == 5 ? find_script(argv[2]) : NULL;
    if (!script) {
        fprintf(stderr, "usage: %s LIBRARY SCRIPT SEED [OPERATIONS]; scripts:", argv[0]);
        for (script = scripts; script->name; script++)
            fprintf(stderr, " %s", script->name);
        fputc('\n', stderr);
        return USAGE;
    }
    static char buffer[1 << 16];
    bool dumps = strcmp(script->name, "dumps") == 0;
    setvbuf(stdout, buffer, dumps ? _IOLBF : _IOFBF, sizeof buffer);
    session.out = stdout;
    if (dumps &&
        (setenv("PYTHONMALLOCSTATS", "1", 1) != 0 || dup2(STDOUT_FILENO, STDERR_FILENO) < 0))
        return USAGE;
    if (!session_open(&session, argv[1], strtoull(argv[3], NULL, 10)))
        return USAGE;
    script->run(&session, argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : script->operations);
    /* Ours prints its statistics at exit as well, libpython when an interpreter ends. */
    _exit(fflush(stdout) != 0);
}
