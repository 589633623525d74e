#define _GNU_SOURCE
#include "traces/reception.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "traces/recorder/channel.h"

void
rh_reception_open(rh_reception *reception)
{
    *reception = (rh_reception){.socket = -1};
    uint64_t words[2];
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    const int yes = 1;
    if (getrandom(words, sizeof words, 0) != sizeof words)
        return;
    reception->name = words[0];
    reception->key = words[1];
    struct stat status;
    reception->network = stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
    int length = snprintf(here.sun_path + 1, sizeof here.sun_path - 1, RH_SOCKET_FORMAT,
                          (unsigned long long)reception->name);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    int opened = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (opened < 0)
        return;
    if (setsockopt(opened, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0 ||
        bind(opened, (const struct sockaddr *)&here, bytes) != 0)
        close(opened);
    else
        reception->socket = opened;
}

/* One question: who asks, from which address. False when there is none. */
static bool
receive(const rh_reception *reception, rh_plea *plea, int32_t *process_id, struct sockaddr_un *from,
        socklen_t *from_bytes)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } extra;
    struct iovec data = {plea, sizeof *plea};
    struct msghdr message = {.msg_name = from,
                             .msg_namelen = sizeof *from,
                             .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &extra,
                             .msg_controllen = sizeof extra};
    *plea = (rh_plea){.descriptor = -1};
    *process_id = 0;
    if (recvmsg(reception->socket, &message, 0) < 0)
        return false;
    *from_bytes = message.msg_namelen;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_type == SCM_CREDENTIALS) {
        struct ucred who;
        memcpy(&who, CMSG_DATA(head), sizeof who);
        *process_id = who.pid;
    }
    return true;
}

/* `descriptor` -1: an answer that says no. */
static void
answer(const rh_reception *reception, int descriptor, int32_t process_id,
       const struct sockaddr_un *to, socklen_t to_bytes)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } extra = {.bytes = {0}};
    struct iovec data = {&process_id, sizeof process_id};
    struct sockaddr_un address = *to;
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = to_bytes, .msg_iov = &data, .msg_iovlen = 1};
    if (descriptor >= 0) {
        extra.head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&extra.head), &descriptor, sizeof descriptor);
        message.msg_control = &extra;
        message.msg_controllen = sizeof extra;
    }
    sendmsg(reception->socket, &message, MSG_NOSIGNAL);
}

void
rh_reception_serve(const rh_reception *reception,
                   bool (*wanted)(const void *context, int descriptor), const void *context)
{
    rh_plea plea;
    int32_t process_id;
    struct sockaddr_un from;
    socklen_t from_bytes;
    while (reception->socket >= 0 && receive(reception, &plea, &process_id, &from, &from_bytes)) {
        bool granted = plea.key == reception->key && process_id > 0 && plea.descriptor >= 0 &&
                       wanted(context, plea.descriptor);
        answer(reception, granted ? plea.descriptor : -1, process_id, &from, from_bytes);
    }
}

void
rh_reception_close(rh_reception *reception)
{
    if (reception->socket >= 0)
        close(reception->socket);
    reception->socket = -1;
}
