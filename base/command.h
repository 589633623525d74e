/* A command of the front door: each folder exports one per command, and reheap.c holds the table.
 */
#ifndef REHEAP_BASE_COMMAND_H
#define REHEAP_BASE_COMMAND_H

typedef struct rh_command {
    const char *name;
    const char *summary; /* one line for the list */
    /* argv[0] is "reheap NAME". Returns the exit code (an rh_status). Parses its options with argp.
     */
    int (*run)(int argc, char **argv);
} rh_command;

#endif
