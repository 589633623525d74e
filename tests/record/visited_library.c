/* Opened by visited_program after the recorder has come. */
#include <stdlib.h>

void visited_library(void);

void
visited_library(void)
{
    void *volatile block = malloc(4321);
    free(block);
}
