/* The front door: a table of commands, nothing else. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "alloc/commands.h"
#include "analysis/commands.h"
#include "base/command.h"
#include "base/error.h"
#include "base/program_build.h"
#include "replay/commands.h"
#include "traces/commands.h"

/* In the order of the help, which leaves out what has no summary. */
/* clang-format off */
static const rh_command *const commands[] = {
    &rh_cmd_demo,
    &rh_cmd_record,
    &rh_cmd_import,
    &rh_cmd_export,
    &rh_cmd_info,
    &rh_cmd_dump,
    &rh_cmd_check,
    &rh_cmd_cut,
    &rh_cmd_filter,
    &rh_cmd_merge,
    &rh_cmd_diff,
    &rh_cmd_generate,
    &rh_cmd_replay,
    &rh_cmd_arenas,
    &rh_cmd_verify,
    &rh_cmd_allocators,
    &rh_cmd_compare,
    &rh_cmd_fidelity,
    &rh_cmd_plot,
    &rh_cmd_tune,
    &rh_cmd_replay_child,
    NULL,
};
/* clang-format on */

static void
print_help(FILE *out)
{
    fprintf(
        out,
        "Usage: reheap COMMAND [OPTION...] [ARGUMENT...]\n"
        "Records what a program asked of its allocator, replays it against many, and shows where\n"
        "the memory and the time went.\n\nCommands:\n");
    for (size_t i = 0; commands[i]; i++)
        if (commands[i]->summary)
            fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n`reheap COMMAND --help` tells more of each, with an example.\n");
}

static void
print_version(void)
{
    char build[RH_PROGRAM_BUILD_TEXT];
    printf("reheap %s\nbuild %s\ncompiled by %s%s\n", RH_PROGRAM_VERSION, rh_program_build(build),
           rh_program_compiler(), rh_program_is_checked() ? ", with assertions" : "");
}

/* A full disk behind stdout is found out when the last words go there; a success that nobody can
 * read is none. */
static int
end(const char *name, int status)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || status != RH_OK)
        return status;
    fprintf(stderr, "reheap %s: cannot write the results to standard output: %s\n", name,
            strerror(errno));
    return RH_SYSTEM;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return RH_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return end("--help", RH_OK);
    }
    if (strcmp(name, "--version") == 0) {
        print_version();
        return end("--version", RH_OK);
    }
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(name, commands[i]->name) == 0) {
            char program[64];
            snprintf(program, sizeof program, "reheap %s", name);
            argv[1] = program;
            return end(name, commands[i]->run(argc - 1, argv + 1));
        }
    }
    fprintf(stderr, "reheap: there is no command '%s'; `reheap --help` lists them\n", name);
    return RH_USAGE;
}
