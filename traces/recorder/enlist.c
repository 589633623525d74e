#define _GNU_SOURCE
#include "traces/recorder/enlist.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 100 };

/* How the collector is reached, from the environment. */
static struct {
    int collector, session;
    unsigned long long name, key, network;
    int32_t process_id;
} way;

/* The value of the entry, if it is the variable's. */
static char *
value_of(char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

/* By its path, if this process has the collector's view of /proc and may look. Then that view also
 * has this process's number, whatever namespace it is in. */
static int
open_path(int descriptor, int32_t *process_id)
{
    char path[64], self[16];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", way.collector, descriptor);
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return -1;
    ssize_t length = readlink("/proc/self", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    *process_id = (int32_t)atoi(self);
    return file;
}

/* Connected, so that nobody else's answer comes in; a name for the answer is made by the system. */
static int
call_collector(void)
{
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    sa_family_t here = AF_UNIX;
    int length =
        snprintf(there.sun_path + 1, sizeof there.sun_path - 1, RH_SOCKET_FORMAT, way.name);
    int line = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (line < 0)
        return -1;
    if (bind(line, (const struct sockaddr *)&here, sizeof here) == 0 &&
        connect(line, (const struct sockaddr *)&there, bytes) == 0)
        return line;
    close(line);
    return -1;
}

static int
take_answer(int line, int32_t *process_id)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } extra;
    struct iovec data = {process_id, sizeof *process_id};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &extra, .msg_controllen = sizeof extra};
    ssize_t got = recvmsg(line, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (got != sizeof *process_id || !head || head->cmsg_type != SCM_RIGHTS)
        return -1;
    int file;
    memcpy(&file, CMSG_DATA(head), sizeof file);
    return file;
}

/* The collector may be stopped, or busy: it is waited for as long as it has its socket. */
static int
ask_collector(int descriptor, int32_t *process_id)
{
    const rh_plea plea = {way.key, descriptor};
    int line = call_collector(), file = -1;
    if (line >= 0 && send(line, &plea, sizeof plea, MSG_NOSIGNAL) == sizeof plea) {
        struct pollfd answer = {line, POLLIN, 0};
        int came;
        while ((came = poll(&answer, 1, PATIENCE_MS)) == 0 || (came < 0 && errno == EINTR)) {
            int again = call_collector();
            if (again < 0)
                break;
            close(again);
        }
        if (came > 0)
            file = take_answer(line, process_id);
    }
    if (line >= 0)
        close(line);
    return file;
}

int
rh_recorder_fetch(int descriptor, int32_t *process_id)
{
    int file = open_path(descriptor, process_id);
    return file >= 0 ? file : ask_collector(descriptor, process_id);
}

const rh_session *
rh_recorder_session(void)
{
    const char *text = NULL;
    for (char **entry = environ; entry && *entry && !text; entry++)
        text = value_of(*entry, RH_SESSION_VARIABLE);
    return text ? rh_recorder_session_at(text) : NULL;
}

const rh_session *
rh_recorder_session_at(const char *text)
{
    if (sscanf(text, "/proc/%d/fd/%d:%llx:%llx:%llx", &way.collector, &way.session, &way.name,
               &way.key, &way.network) != 5)
        return NULL;
    int file = rh_recorder_fetch(way.session, &way.process_id);
    struct stat status;
    if (file < 0) {
        /* In the collector's network it would have been found if it were alive. */
        if (stat("/proc/self/ns/net", &status) != 0 || status.st_ino != way.network)
            rh_recorder_say("the process that collects the recording cannot be reached from this "
                            "namespace; the program goes on unrecorded");
        return NULL;
    }
    rh_session *session = MAP_FAILED;
    if (fstat(file, &status) == 0 && status.st_size >= (off_t)sizeof *session)
        session = mmap(NULL, sizeof *session, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (session == MAP_FAILED || session->magic != RH_SESSION_MAGIC)
        return NULL;
    return session;
}

bool
rh_recorder_is_root(const rh_session *session)
{
    return session->root == way.process_id;
}

/* Takes the library out of the list, with one of the separators beside it. */
static void
take_out(char *list, const char *library)
{
    char *found = strstr(list, library);
    if (!found)
        return;
    char *rest = found + strlen(library);
    if (*rest)
        rest++;
    else if (found > list)
        found--;
    memmove(found, rest, strlen(rest) + 1);
}

/* In place, and not by unsetenv() and its like: shells have functions of these names, which know
 * nothing yet. */
void
rh_recorder_leave_environment(const rh_session *session)
{
    char **kept = environ;
    for (char **entry = environ; *entry; entry++) {
        char *list = value_of(*entry, "LD_PRELOAD");
        if (list)
            take_out(list, session->library);
        if (!value_of(*entry, RH_SESSION_VARIABLE) && !(list && !*list))
            *kept++ = *entry;
    }
    *kept = NULL;
}

void
rh_recorder_read_command(rh_channel_facts *facts)
{
    ssize_t length = readlink("/proc/self/exe", facts->program, sizeof facts->program - 1);
    facts->program[length > 0 ? length : 0] = '\0';
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    length = read(file, facts->command, sizeof facts->command);
    facts->command_bytes = length > 0 ? (uint32_t)length : 0;
    close(file);
}
