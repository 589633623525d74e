/* Finding the file of a shared library without loading it. */
#ifndef REHEAP_ALLOC_LIBRARY_FILE_H
#define REHEAP_ALLOC_LIBRARY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Looks for `name` ("libjemalloc.so.2") in LD_LIBRARY_PATH, the system's library folders and
 * LLVM's own ones. False when it is in none. */
bool rh_library_find(const char *name, char *path, size_t capacity);

/* RH_CANNOT_RUN, with the reason, when `path` is not a readable shared library for this machine. */
rh_status rh_library_check(const char *path, rh_error *error);

/* A hash of the file's bytes, in hexadecimal: tells two builds of one library apart. False when the
 * file cannot be read. */
#define RH_LIBRARY_HASH_TEXT 17
bool rh_library_hash(const char *path, char text[RH_LIBRARY_HASH_TEXT]);

#endif
