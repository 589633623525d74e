#define _GNU_SOURCE
#include "traces/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/writer.h"

rh_status
rh_place_name(rh_place *place, const char *path, rh_error *error)
{
    struct stat there;
    *place = (rh_place){.held = -1};
    bool direct = stat(path, &there) == 0 && !S_ISREG(there.st_mode);
    bool link = !direct && lstat(path, &there) == 0 && S_ISLNK(there.st_mode);
    char *real = link ? realpath(path, NULL) : NULL;
    bool fits = snprintf(place->path, sizeof place->path, "%s", real ? real : path) <
                (int)sizeof place->path;
    free(real);
    if (!fits)
        return rh_fail(error, RH_USAGE, "%s: the path is too long", path);
    snprintf(place->partial, sizeof place->partial, "%s%s", place->path, direct ? "" : ".partial");
    return rh_writer_may_replace(place->path, error);
}

rh_status
rh_place_hold(rh_place *place, rh_error *error)
{
    struct stat status;
    place->made = access(place->partial, F_OK) != 0;
    place->held = open(place->partial, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666);
    if (place->held < 0 && errno == ENXIO)
        return rh_fail(error, RH_SYSTEM,
                       "%s: it is a pipe that nothing reads; start its reader first, or choose "
                       "another place",
                       place->path);
    if (place->held < 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot write it; choose another place",
                             place->partial);
    if (fstat(place->held, &status) == 0 && S_ISREG(status.st_mode) &&
        flock(place->held, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return rh_fail(error, RH_SYSTEM,
                       "%s: another recording is being written into it; choose another place",
                       place->path);
    return RH_OK;
}

bool
rh_place_is_pipe(const rh_place *place)
{
    return strcmp(place->path, place->partial) == 0;
}

rh_status
rh_place_complete(rh_place *place, const char *name, rh_error *error)
{
    if (rh_place_is_pipe(place))
        return RH_OK;
    if (name)
        snprintf(place->path, sizeof place->path, "%s", name);
    if (rename(place->partial, place->path) != 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "%s: cannot give the recording this name",
                             place->path);
    return RH_OK;
}

bool
rh_place_has_part(const rh_place *place)
{
    struct stat status;
    return !rh_place_is_pipe(place) && stat(place->partial, &status) == 0;
}

void
rh_place_release(rh_place *place)
{
    struct stat held, named;
    if (place->held < 0)
        return;
    if (place->made && fstat(place->held, &held) == 0 && S_ISREG(held.st_mode) &&
        held.st_size == 0 && stat(place->partial, &named) == 0 && named.st_dev == held.st_dev &&
        named.st_ino == held.st_ino)
        unlink(place->partial);
    close(place->held);
    place->held = -1;
}
