/* Announces two phases; a name of its own counts the calls in each. Runs the same without a
 * recorder. */
#include <stdio.h>
#include <stdlib.h>

#include "traces/recorder/reheap_mark.h"

static void
allocate(unsigned count)
{
    void *volatile blocks[1000];
    for (unsigned i = 0; i < count; i++)
        blocks[i] = malloc(16 + i);
    for (unsigned i = 0; i < count; i++)
        free(blocks[i]);
}

int
main(void)
{
    reheap_mark("first");
    allocate(100);
    reheap_mark("second, it's `longer`");
    allocate(1000);
    reheap_mark("rest");
    puts(reheap_mark ? "recorded" : "not recorded");
    return 0;
}
