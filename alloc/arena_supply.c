#define _GNU_SOURCE
#include "alloc/arena_supply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc/arena_malloc.h"

/* What separates the maps of all versions' arenas: an arena moved by a multiple of it needs as many
 * nodes as before. */
#define PLACES_STEP (UINT64_C(1) << 38)

/* ---- recorded places ---- */

static rh_status
read_place(rh_arena_recorded *recorded, const char *path, unsigned number, char *line,
           size_t arena_bytes, rh_error *error)
{
    line[strcspn(line, "\r\n")] = '\0';
    rh_recorded_arena arena = {.size = arena_bytes};
    char *end = line;
    size_t length = strlen(line);
    if (length >= strlen("failed") && strcmp(line + length - strlen("failed"), "failed") == 0) {
        arena.failed = true;
    } else {
        errno = 0;
        arena.address = strtoull(line, &end, 16);
        if (end == line || *end || errno || line[0] == '-')
            return rh_fail(error, RH_BAD_INPUT,
                           "%s: line %u is neither a hexadecimal address nor 'failed': '%.40s'",
                           path, number, line);
    }
    if (recorded->queued == RH_ARENA_PLACES_MAX)
        return rh_fail(error, RH_BAD_INPUT, "%s: more than %d arenas", path, RH_ARENA_PLACES_MAX);
    if (!rh_arena_recorded_expect(recorded, &arena))
        return rh_fail(error, RH_SYSTEM, "no memory for the arenas of %s", path);
    return RH_OK;
}

static rh_status
read_places(rh_arena_recorded *recorded, const char *path, size_t arena_bytes, rh_error *error)
{
    /* A pipe would be waited for. */
    struct stat status_of_file;
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0 && fstat(descriptor, &status_of_file) == 0 &&
        !S_ISREG(status_of_file.st_mode)) {
        close(descriptor);
        return rh_fail(error, RH_BAD_INPUT, "%s: places are in a file, and this is none", path);
    }
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "r");
    if (!file)
        return rh_fail_errno(error, RH_BAD_INPUT, errno, "%s: cannot open the file of places",
                             path);
    char line[128];
    rh_status status = RH_OK;
    for (unsigned number = 1; status == RH_OK && fgets(line, sizeof line, file); number++)
        status = read_place(recorded, path, number, line, arena_bytes, error);
    if (status == RH_OK && ferror(file))
        status = rh_fail(error, RH_SYSTEM, "%s: cannot read the file of places", path);
    fclose(file);
    if (status == RH_OK && rh_arena_recorded_reserve(recorded, PLACES_STEP, error) != RH_OK)
        status = error ? rh_error_prefix(error, "%s", path) : RH_BAD_INPUT;
    return status;
}

static rh_status
open_places(rh_arena_supply *supply, const char *places, size_t arena_bytes, rh_error *error)
{
    rh_arena_recorded *recorded = malloc(sizeof *recorded);
    if (!recorded)
        return rh_fail(error, RH_SYSTEM, "no memory for the arenas of %s", places);
    rh_arena_recorded_init(recorded, true);
    supply->recorded = recorded;
    supply->source = rh_arena_recorded_source(recorded);
    return read_places(recorded, places, arena_bytes, error);
}

/* ---- the supply ---- */

rh_status
rh_arena_supply_init(rh_arena_supply *supply, rh_arena_source_kind kind, size_t arena_bytes,
                     size_t cache, const char *places, rh_error *error)
{
    rh_status status = RH_OK;
    *supply = (rh_arena_supply){.source = rh_arena_malloc_source};
    rh_arena_ground_init(&supply->ground, arena_bytes, kind == RH_SOURCE_VIRTUAL);
    if (kind == RH_SOURCE_HUGE) {
        rh_arena_huge_init(&supply->huge);
        supply->source = rh_arena_huge_source(&supply->huge);
    } else if (kind == RH_SOURCE_RECORDED) {
        status = open_places(supply, places, arena_bytes, error);
    } else if (kind != RH_SOURCE_MALLOC) {
        supply->source = rh_arena_ground_source(&supply->ground);
    }
    PyObjectArenaAllocator under = supply->source;
    rh_arena_cache_init(&supply->cache, &under, arena_bytes, cache);
    if (cache)
        supply->source = rh_arena_cache_source(&supply->cache);
    if (status != RH_OK)
        rh_arena_supply_release(supply);
    return status;
}

void
rh_arena_supply_release(rh_arena_supply *supply)
{
    rh_arena_cache_release(&supply->cache);
    rh_arena_ground_release(&supply->ground);
    if (supply->recorded)
        rh_arena_recorded_release(supply->recorded);
    free(supply->recorded);
    supply->recorded = NULL;
}

static bool
uses_ground(const rh_arena_supply *supply)
{
    return supply->cache.under.ctx == &supply->ground;
}

uintptr_t
rh_arena_supply_window(rh_arena_supply *supply, size_t *bytes)
{
    *bytes = 0;
    return uses_ground(supply) ? rh_arena_ground_first_window(&supply->ground, bytes) : 0;
}

void
rh_arena_supply_trim(rh_arena_supply *supply)
{
    rh_arena_cache_trim(&supply->cache);
}

uintptr_t
rh_arena_supply_unused(const rh_arena_supply *supply, size_t i)
{
    const rh_arena_cache *cache = &supply->cache;
    if (i < cache->count)
        return rh_arena_cache_at(cache, i);
    i -= cache->count;
    return i < supply->ground.vacant_count ? supply->ground.vacant[i] : 0;
}

uint64_t
rh_arena_supply_kept_bytes(const rh_arena_supply *supply)
{
    return rh_arena_cache_kept_bytes(&supply->cache);
}

uint64_t
rh_arena_supply_table_bytes(const rh_arena_supply *supply)
{
    uint64_t bytes =
        rh_arena_ground_bytes(&supply->ground) + rh_arena_cache_table_bytes(&supply->cache);
    if (supply->recorded)
        bytes += sizeof *supply->recorded + rh_arena_recorded_bytes(supply->recorded);
    return bytes;
}
