/* The commands of alloc/: entries of the front door's table. */
#ifndef REHEAP_ALLOC_COMMANDS_H
#define REHEAP_ALLOC_COMMANDS_H

#include "base/command.h"

extern const rh_command rh_cmd_allocators;

#endif
