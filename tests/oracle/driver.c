/* driver LIBRARY SCRIPT SEED [OPERATIONS]: runs the script on the library and prints what it did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int
main(int argc, char **argv)
{
    const struct script *script = argc == 4 || argc == 5 ? find_script(argv[2]) : NULL;
    if (!script) {
        fprintf(stderr, "usage: %s LIBRARY SCRIPT SEED [OPERATIONS]; scripts:", argv[0]);
        for (script = scripts; script->name; script++)
            fprintf(stderr, " %s", script->name);
        fputc('\n', stderr);
        return USAGE;
    }
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    session.out = stdout;
    if (!session_open(&session, argv[1], strtoull(argv[3], NULL, 10)))
        return USAGE;
    script->run(&session, argc == 5 ? (unsigned)strtoul(argv[4], NULL, 10) : script->operations);
    return fclose(stdout) != 0;
}
