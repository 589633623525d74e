/* Which libraries an executable was linked to, by its own account. */
#ifndef REHEAP_TRACES_ELF_NEEDS_H
#define REHEAP_TRACES_ELF_NEEDS_H

#include <stdbool.h>

/* The executable at `path` asks the loader for a library whose name begins with `prefix`. False
 * also for what is no 64-bit executable, or a damaged one: the system will say so. */
bool rh_elf_needs(const char *path, const char *prefix);

#endif
