/* Prints what the process's memory is configured as, after its first lines before main.
 * usage: show [live]    live: allocates enough for two arenas and keeps it, for the statistics */
#include <stdio.h>
#include <string.h>

#include "alloc/pymem.h"
#include "alloc/pymem_config.h"

static void
fill(void)
{
    static void *kept[2500];
    for (int i = 0; i < 2500; i++)
        kept[i] = PyObject_Malloc(480);
    printf("%d\n", kept[2499] != NULL);
}

int
main(int argc, char **argv)
{
    const char *name = rh_pymem_current_name();
    puts(name ? name : "none");
    PyMem_RawFree(PyMem_RawMalloc(1));
    PyMem_Free(PyMem_Malloc(1));
    PyObject_Free(PyObject_Malloc(1));
    if (argc == 2 && strcmp(argv[1], "live") == 0)
        fill();
    return 0;
}
