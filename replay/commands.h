/* The commands of replay/: entries of the front door's table. */
#ifndef REHEAP_REPLAY_COMMANDS_H
#define REHEAP_REPLAY_COMMANDS_H

#include "base/command.h"

extern const rh_command rh_cmd_replay;
extern const rh_command rh_cmd_arenas;
extern const rh_command rh_cmd_verify;
extern const rh_command rh_cmd_replay_child; /* for reheap's own use: has no summary */

#endif
