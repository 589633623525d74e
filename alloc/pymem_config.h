/* Which allocators the process's domains have: by a name of PYTHONMALLOC, as CPython's
 * pre-initialisation does it.
 *
 * libpymem.so reads the environment when it is loaded, which stands for that moment: PYTHONMALLOC,
 * PYTHONDEVMODE, PYTHONMALLOCSTATS, PYTHONTRACEMALLOC, and two of our own, REHEAP_PYTHON_VERSION
 * ("3.13"; the version whose names, defaults and pymalloc it has, 3.11 when unset) and
 * REHEAP_PYTHON_BUILD (words of `debug`, `free-threaded`, `without-pymalloc`, `without-mimalloc`,
 * `hugepages`, separated by commas). A program that links //alloc:pymem_api itself calls
 * rh_pymem_configure_by_environment, or chooses with rh_pymem_configure, or leaves it: until then
 * the defaults of a 3.11 serve.
 *
 * Like PyPreConfig.allocator, a name replaces all three allocators, whatever they were; without a
 * name, what the program has set stays. Choose before the first allocation: a block that one
 * allocator gave is not for another to free.
 */
#ifndef REHEAP_ALLOC_PYMEM_CONFIG_H
#define REHEAP_ALLOC_PYMEM_CONFIG_H

#include <stdbool.h>

#include "alloc/pymem.h"
#include "alloc/pythonmalloc.h"
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gives the domains what PYTHONMALLOC=`name` means to the CPython of this version and build (NULL:
 * 3.11; as it comes). `name` NULL or "": the build's defaults, for those domains alone that nobody
 * has set yet. RH_USAGE for a name, version or build there is not, and for a second version after
 * memory was allocated; RH_CANNOT_RUN where mimalloc is wanted and not installed; RH_SYSTEM when
 * there is no memory. Then nothing has changed. */
rh_status rh_pymem_configure(const char *name, const char *version, const rh_python_build *build,
                             rh_error *error);

/* The same by the environment, statistics included. The message of a failure is what CPython prints
 * at its start, where CPython has one. */
rh_status rh_pymem_configure_by_environment(rh_error *error);

/* PYTHON_PYMALLOC_HUGEPAGES: whether the arenas of a build with huge pages, configured afterwards,
 * shall lie on such. */
void rh_pymem_use_huge_pages(bool wanted);

/* The name of what the domains have now: "malloc", "pymalloc", "mimalloc", the same with "_debug"
 * when all three are under the debug hooks, NULL for anything else. */
const char *rh_pymem_current_name(void);

/* PYTHONMALLOCSTATS: prints the statistics to stderr before each new arena, and at the end of the
 * process. Both print nothing while OBJ is served by something else. */
void rh_pymem_print_stats_at_arenas(bool wanted);
void rh_pymem_print_stats_at_exit(bool wanted);

#ifdef __cplusplus
}
#endif

#endif
