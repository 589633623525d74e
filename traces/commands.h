/* The commands of traces/: entries of the front door's table. */
#ifndef REHEAP_TRACES_COMMANDS_H
#define REHEAP_TRACES_COMMANDS_H

#include "base/command.h"

extern const rh_command rh_cmd_record;
extern const rh_command rh_cmd_import;
extern const rh_command rh_cmd_export;
extern const rh_command rh_cmd_info;
extern const rh_command rh_cmd_dump;
extern const rh_command rh_cmd_check;
extern const rh_command rh_cmd_cut;
extern const rh_command rh_cmd_filter;
extern const rh_command rh_cmd_merge;
extern const rh_command rh_cmd_diff;
extern const rh_command rh_cmd_generate;

#endif
