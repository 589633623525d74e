#include "traces/collection.h"

#include <stdarg.h>
#include <stdio.h>

void
rh_collection_tell(const rh_collection *c, const char *format, ...)
{
    char text[5000];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (c->options->tell)
        c->options->tell(text);
}

rh_status
rh_collection_keep_error(rh_collection *c, const rh_error *error)
{
    if (c->error.status == RH_OK)
        c->error = *error;
    return error->status;
}
