/* Uses blocks that another library made before main. */
#include <string.h>

#include "alloc/pymem.h"

extern void *early_blocks[3];

int
main(void)
{
    early_blocks[0] = PyMem_RawRealloc(early_blocks[0], 300);
    early_blocks[1] = PyMem_Realloc(early_blocks[1], 300);
    early_blocks[2] = PyObject_Realloc(early_blocks[2], 300);
    for (int i = 0; i < 3; i++) {
        if (!early_blocks[i])
            return 1;
        memset(early_blocks[i], i, 300);
    }
    return 0;
}
