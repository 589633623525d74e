/* What each recording's file is called, and which are kept: of a process that was several programs,
 * of children, and of what a shell has started. */
#ifndef REHEAP_TRACES_RECORDING_NAMES_H
#define REHEAP_TRACES_RECORDING_NAMES_H

#include <stddef.h>

#include "traces/collection.h"

/* Where the source's recording goes, into `path`. */
void rh_names_choose(const rh_collection *c, const rh_recorded_program *s, char *path, size_t room);

/* Programs that this one's process has been before. */
unsigned rh_names_images_before(const rh_collection *c, const rh_recorded_program *s);

/* Removes its file. */
void rh_names_drop(rh_recorded_program *s);

/* Of the interpreters that a shell has started, the one with the most events stays. */
void rh_names_keep_larger(rh_collection *c, rh_recorded_program *s);

/* At the end: what a shell has started gets the name that was asked for. */
void rh_names_give_found(rh_collection *c);

#endif
