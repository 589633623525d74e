#include "traces/live_list.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 1024 };

bool
rh_live_list_init(rh_live_list *list)
{
    *list = (rh_live_list){.link = NULL};
    if (!rh_live_list_reserve(list, FIRST_CAPACITY)) {
        rh_live_list_release(list);
        return false;
    }
    rh_live_list_clear(list);
    return true;
}

void
rh_live_list_release(rh_live_list *list)
{
    free(list->link);
    free(list->node);
    *list = (rh_live_list){.link = NULL};
}

void
rh_live_list_clear(rh_live_list *list)
{
    list->link[0] = (rh_live_link){0, 0};
    list->node[0] = (rh_live_node){.birth = RH_LIVE_NONE};
    list->used = 1;
    list->free = list->gap = 0;
    list->blocks = list->bytes = list->births = 0;
}

bool
rh_live_list_reserve(rh_live_list *list, uint32_t more)
{
    uint64_t needed = (uint64_t)list->used + more;
    if (needed <= list->capacity)
        return true;
    if (needed > UINT32_MAX)
        return false;
    uint64_t capacity = (uint64_t)list->capacity * 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity > UINT32_MAX)
        capacity = UINT32_MAX;
    rh_live_link *link = realloc(list->link, capacity * sizeof *link);
    if (link)
        list->link = link;
    rh_live_node *node = realloc(list->node, capacity * sizeof *node);
    if (node)
        list->node = node;
    if (!link || !node)
        return false;
    list->capacity = (uint32_t)capacity;
    return true;
}
