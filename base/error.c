#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void
set(rh_error *error, rh_status status, const char *format, va_list arguments)
{
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
}

rh_status
rh_fail(rh_error *error, rh_status status, const char *format, ...)
{
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        set(error, status, format, arguments);
        va_end(arguments);
    }
    return status;
}

rh_status
rh_fail_errno(rh_error *error, rh_status status, int errno_value, const char *format, ...)
{
    if (error) {
        va_list arguments;
        va_start(arguments, format);
        set(error, status, format, arguments);
        va_end(arguments);
        size_t used = strlen(error->message);
        snprintf(error->message + used, sizeof error->message - used, ": %s",
                 strerror(errno_value));
    }
    return status;
}

rh_status
rh_error_prefix(rh_error *error, const char *format, ...)
{
    if (!error)
        return RH_SYSTEM;
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    va_list arguments;
    va_start(arguments, format);
    set(error, error->status, format, arguments);
    va_end(arguments);
    size_t used = strlen(error->message);
    snprintf(error->message + used, sizeof error->message - used, ": %s", message);
    return error->status;
}
