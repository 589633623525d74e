/* Runs the model of the debug hooks until something is wrong: exit status 1 then, 0 when all is
 * right. Linked with a copy of the hooks that has a rule broken (sabotage.bzl). A hook that ends
 * the process because of its own mistake has been found out, too. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/model/debug_model.h"

enum { CALLS = 60000, SEEDS = 4 };

static void
found_out(int signal)
{
    (void)signal;
    _exit(1);
}

int
main(void)
{
    signal(SIGABRT, found_out);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const char *wrong = debug_model_run(seed, CALLS, DEBUG_BREAKS_NOTHING);
        if (wrong) {
            printf("%s\n", wrong);
            return 1;
        }
    }
    return 0;
}
