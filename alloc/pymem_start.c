/* libpymem.so alone: when it is loaded it reads the environment, as CPython does when it
 * pre-initialises, and like CPython ends the process when that asks for what there is not. */
#include <stdio.h>
#include <stdlib.h>

#include "alloc/pymem_config.h"

__attribute__((constructor)) static void
start(void)
{
    rh_error error;
    if (rh_pymem_configure_by_environment(&error) == RH_OK)
        return;
    fprintf(stderr, "%s\n", error.message);
    exit(1);
}
