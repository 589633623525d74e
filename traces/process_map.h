/* What another process has mapped, and where functions of its libraries lie. */
#ifndef REHEAP_TRACES_PROCESS_MAP_H
#define REHEAP_TRACES_PROCESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

typedef struct rh_mapping {
    uint64_t start, end, offset;
    bool executable;
    char *path; /* of the file, or a name in brackets; "" when it has none */
} rh_mapping;

typedef struct rh_process_map {
    pid_t process;
    rh_mapping *list;
    size_t count;
    int problem; /* the errno of reading it; 0: none */
} rh_process_map;

/* Reads /proc/PID/maps. RH_CANNOT_RUN: there is no such process, or it may not be looked into. */
rh_status rh_process_map_read(pid_t process, rh_process_map *map, rh_error *error);
void rh_process_map_release(rh_process_map *map);

/* The mapping that an address lies in; NULL: none. */
const rh_mapping *rh_process_map_at(const rh_process_map *map, uint64_t address);

/* The first mapping of a file whose name, without its folders, begins with `name`, as the dynamic
 * loader's and the C library's do; NULL: none. */
const rh_mapping *rh_process_map_file(const rh_process_map *map, const char *name);

/* Where the dynamic symbol `name` that this file defines lies in the process; 0: it does not, or
 * the file cannot be read. */
uint64_t rh_process_map_symbol(const rh_process_map *map, const rh_mapping *file, const char *name);

#endif
