/* Allocates, and prints what is traced; `report`: where, by the C stack, as text. */
#include <stdio.h>
#include <string.h>

#include "alloc/pymem.h"
#include "alloc/pymem_trace.h"

int
main(int argc, char **argv)
{
    size_t traced, peak;
    void *kept[3] = {PyMem_RawMalloc(1000), PyMem_Malloc(20), PyObject_Malloc(3000)};
    PyMem_Free(PyMem_Malloc(500));
    rh_pymem_trace_get_traced(&traced, &peak);
    printf("%d %zu %zu %zu\n", rh_pymem_trace_is_tracing(), rh_pymem_trace_frame_limit(), traced,
           peak);
    if (argc == 2 && strcmp(argv[1], "report") == 0)
        rh_pymem_trace_print(stdout);
    PyMem_RawFree(kept[0]);
    PyMem_Free(kept[1]);
    PyObject_Free(kept[2]);
    return 0;
}
