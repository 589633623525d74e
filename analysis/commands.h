/* The commands of analysis/: entries of the front door's table. */
#ifndef REHEAP_ANALYSIS_COMMANDS_H
#define REHEAP_ANALYSIS_COMMANDS_H

#include "base/command.h"

#endif
