#include "traces/live_list.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 1024, STOCK = 1024 };

static bool
make_room(rh_live_list *list, uint64_t needed)
{
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
    uint32_t *vacant = realloc(list->vacant, capacity * sizeof *vacant);
    if (vacant)
        list->vacant = vacant;
    if (!link || !node || !vacant)
        return false;
    list->capacity = (uint32_t)capacity;
    return true;
}

bool
rh_live_list_init(rh_live_list *list)
{
    *list = (rh_live_list){.link = NULL};
    if (!make_room(list, FIRST_CAPACITY)) {
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
    free(list->vacant);
    *list = (rh_live_list){.link = NULL};
}

void
rh_live_list_clear(rh_live_list *list)
{
    list->link[0] = (rh_live_link){0, 0};
    list->node[0] = (rh_live_node){.birth = RH_LIVE_NONE};
    list->used = list->stocked = 1;
    list->vacancies = list->gap = 0;
    list->blocks = list->bytes = list->births = 0;
}

/* Fresh slots go below those given back, the lowest on top: they are taken in order, when no other
 * is left. */
bool
rh_live_list_reserve(rh_live_list *list, uint32_t more)
{
    if (more <= list->vacancies)
        return true;
    uint32_t fresh = more - list->vacancies;
    if (!make_room(list, (uint64_t)list->stocked + fresh))
        return false;
    if (fresh < STOCK)
        fresh = list->capacity - list->stocked < STOCK ? list->capacity - list->stocked : STOCK;
    memmove(list->vacant + fresh, list->vacant, list->vacancies * sizeof *list->vacant);
    for (uint32_t i = 0; i < fresh; i++) {
        list->vacant[i] = list->stocked + fresh - 1 - i;
        list->node[list->stocked + i].birth = RH_LIVE_FRESH;
    }
    list->stocked += fresh;
    list->vacancies += fresh;
    return true;
}
