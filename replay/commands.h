/* The commands of replay/: entries of the front door's table. */
#ifndef REHEAP_REPLAY_COMMANDS_H
#define REHEAP_REPLAY_COMMANDS_H

#include "base/command.h"

#endif
