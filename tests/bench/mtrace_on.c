/* Preloaded behind the C library's libc_malloc_debug.so: turns mtrace on, which a program otherwise
 * has to do itself, and leaves it on to the end. */
#include <mcheck.h>

__attribute__((constructor)) static void
begin(void)
{
    mtrace();
}
