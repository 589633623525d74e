/* The process that runs one allocator: started afresh for each run, with the allocator's library
 * preloaded where it needs that, and fed with compiled batches by its parent (channel.h). */
#ifndef REHEAP_REPLAY_CHILD_H
#define REHEAP_REPLAY_CHILD_H

#include "base/command.h"

/* The command a parent starts itself with: "replay-child FILE-DESCRIPTOR MEMBER". A program that
 * runs experiments must answer to it: the front door's table does, a test's main asks
 * rh_child_asked. */
#define RH_CHILD_COMMAND "replay-child"
extern const rh_command rh_cmd_replay_child;

/* Runs the command and ends the process when argv asks for it; else returns. First thing in main.
 */
void rh_child_asked(int argc, char **argv);

#endif
