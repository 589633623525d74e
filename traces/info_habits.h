/* The part of `reheap info` about lifetimes, resizes, threads and phases. */
#ifndef REHEAP_TRACES_INFO_HABITS_H
#define REHEAP_TRACES_INFO_HABITS_H

#include <jansson.h>

#include "traces/habits.h"

/* On standard output. */
void rh_info_print_habits(const rh_habits *habits);

/* As members of `object`. */
void rh_info_set_habits(json_t *object, const rh_habits *habits);

#endif
