/* The kernel is asked to read: it answers with an error where this process would get a signal.
 * Where reading one's own memory through it is forbidden (some containers), the bytes are written
 * into a pipe instead, which fails in the same way. */
#define _GNU_SOURCE
#include "alloc/readable.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

static bool
copy_through_pipe(void *to, const void *from, size_t bytes)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    bool copied =
        write(ends[1], from, bytes) == (ssize_t)bytes && read(ends[0], to, bytes) == (ssize_t)bytes;
    close(ends[0]);
    close(ends[1]);
    return copied;
}

bool
rh_readable_copy(void *to, const void *from, size_t bytes)
{
    if (bytes == 0)
        return true;
    int saved = errno;
    struct iovec here = {to, bytes}, there = {(void *)(size_t)from, bytes};
    ssize_t copied = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    bool whole = copied == (ssize_t)bytes;
    if (copied < 0 && errno != EFAULT)
        whole = copy_through_pipe(to, from, bytes);
    errno = saved;
    return whole;
}
