#include "traces/generate/alias.h"

#include <stdlib.h>

/* Two stacks in one array: columns with too little grow from the left, those with too much from the
 * right. Each poor one is filled up by a rich one, which may become poor. */
static void
share_out(rh_alias *alias, double *height, uint32_t *stack)
{
    uint32_t poor = 0, rich = alias->count;
    for (uint32_t i = 0; i < alias->count; i++)
        if (height[i] < 1)
            stack[poor++] = i;
        else
            stack[--rich] = i;
    while (poor > 0 && rich < alias->count) {
        uint32_t low = stack[--poor], high = stack[rich];
        alias->column[low].share = (uint32_t)(height[low] * (double)UINT32_MAX);
        alias->column[low].other = high;
        height[high] -= 1 - height[low];
        if (height[high] < 1) {
            rich++;
            stack[poor++] = high;
        }
    }
}

bool
rh_alias_init(rh_alias *alias, const double *weights, uint32_t count)
{
    double sum = 0;
    double *height = malloc(count * sizeof *height);
    uint32_t *stack = malloc(count * sizeof *stack);
    alias->column = malloc(count * sizeof *alias->column);
    alias->count = count;
    bool good = height && stack && alias->column;
    for (uint32_t i = 0; good && i < count; i++)
        sum += weights[i];
    for (uint32_t i = 0; good && i < count; i++) {
        height[i] = weights[i] / sum * count;
        alias->column[i] = (rh_alias_column){UINT32_MAX, i};
    }
    if (good)
        share_out(alias, height, stack);
    free(height);
    free(stack);
    return good;
}

void
rh_alias_release(rh_alias *alias)
{
    free(alias->column);
    alias->column = NULL;
}
