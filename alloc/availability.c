#include "alloc/availability.h"

#include <string.h>

#include "alloc/library_file.h"

void
rh_availability_of(const rh_allocator *allocator, rh_availability *availability)
{
    static const rh_spec_part standard;
    char path[4096];
    *availability = (rh_availability){.installed = true};
    if (allocator->library) {
        if (allocator->library[0])
            availability->installed = rh_library_find(allocator->library, path, sizeof path);
        return;
    }
    if (allocator->version)
        allocator->version(&standard, availability->version, sizeof availability->version);
    if (strcmp(availability->version, "unknown") == 0) {
        availability->version[0] = '\0';
        availability->installed = false;
    }
}
