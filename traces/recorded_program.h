/* One recording: opened when its process has attached, drained with every turn, and finished with
 * the process, the program that it was, or a limit; or given up. */
#ifndef REHEAP_TRACES_RECORDED_PROGRAM_H
#define REHEAP_TRACES_RECORDED_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "traces/collection.h"

/* Opens files for all that have attached. */
void rh_recorded_open_attached(rh_collection *c);

/* Takes what is there, and finishes what has ended; adds to *events. */
void rh_recorded_serve(rh_collection *c, rh_recorded_program *s, uint64_t *events);

/* Takes all that has been done so far. */
void rh_recorded_take_all(rh_collection *c, rh_recorded_program *s);

/* It is being recorded. */
bool rh_recorded_is_open(const rh_recorded_program *s);

/* From here on what goes into the file is a question: of limits, and of pauses. */
rh_status rh_recorded_use_intake(const rh_collection *c, rh_recorded_program *s, rh_error *error);

/* Nothing more is taken from the process; it goes on by itself. */
void rh_recorded_give_up(rh_collection *c, rh_recorded_program *s, const rh_error *error);

/* Lets go of what a source held; what it recorded stays told. */
void rh_recorded_retire(rh_recorded_program *s);

#endif
