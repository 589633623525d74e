#define _GNU_SOURCE
#include "traces/recorder/enlist.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

const rh_session *
rh_recorder_session(void)
{
    const char *path = getenv(RH_SESSION_VARIABLE);
    if (!path)
        return NULL;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return NULL;
    rh_session *session = mmap(NULL, sizeof *session, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (session == MAP_FAILED || session->magic != RH_SESSION_MAGIC)
        return NULL;
    return session;
}

void
rh_recorder_leave_environment(const rh_session *session)
{
    unsetenv(RH_SESSION_VARIABLE);
    if (session->had_preload)
        setenv("LD_PRELOAD", session->old_preload, 1);
    else
        unsetenv("LD_PRELOAD");
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
