/* The commands of analysis/: entries of the front door's table. */
#ifndef REHEAP_ANALYSIS_COMMANDS_H
#define REHEAP_ANALYSIS_COMMANDS_H

#include "base/command.h"

extern const rh_command rh_cmd_demo;
extern const rh_command rh_cmd_compare;
extern const rh_command rh_cmd_fidelity;
extern const rh_command rh_cmd_plot;
extern const rh_command rh_cmd_tune;

#endif
