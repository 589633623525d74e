#include "traces/info_format.h"

#include <stddef.h>

#include "traces/trace_info.h"

double
rh_info_percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

const char *
rh_info_bar(double share)
{
    static const char full[] = "##############################";
    size_t length = sizeof full - 1;
    size_t shown = (size_t)(share / 100 * (double)length + 0.5);
    return full + (length - (shown < length ? shown : length));
}

void
rh_info_set_count(json_t *object, const char *name, uint64_t count)
{
    json_object_set_new(object, name,
                        count == RH_TOTAL_UNKNOWN ? json_null() : json_integer((json_int_t)count));
}
