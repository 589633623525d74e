#define _GNU_SOURCE
#include "traces/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void
rh_launch_raise_file_limit(struct rlimit *before)
{
    struct rlimit wanted;
    if (getrlimit(RLIMIT_NOFILE, before) != 0)
        *before = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    wanted = (struct rlimit){before->rlim_max, before->rlim_max};
    setrlimit(RLIMIT_NOFILE, &wanted);
}

static bool
set_environment(const rh_session *session)
{
    const char *old = getenv("LD_PRELOAD");
    char *preload;
    if (asprintf(&preload, "%s%s%s", session->library, old && *old ? ":" : "", old ? old : "") < 0)
        return false;
    bool set = setenv("LD_PRELOAD", preload, 1) == 0 &&
               setenv(RH_SESSION_VARIABLE, session->place, 1) == 0;
    free(preload);
    return set;
}

/* In the new process: never returns. */
static void
become_program(rh_session *session, char **command, int problem_pipe)
{
    session->root = getpid();
    if (set_environment(session))
        execvp(command[0], command);
    int problem = errno;
    ssize_t ignored = write(problem_pipe, &problem, sizeof problem);
    (void)ignored;
    _exit(127);
}

rh_status
rh_launch(rh_session *session, char **command, const rh_record_signals *before,
          const struct rlimit *file_limit, pid_t *program, rh_error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "cannot make a pipe");
    rh_status status = RH_OK;
    *program = fork();
    if (*program == 0) {
        rh_record_signals_unwatch(before, true);
        setrlimit(RLIMIT_NOFILE, file_limit);
        become_program(session, command, ends[1]);
    }
    if (*program < 0)
        status = rh_fail_errno(error, RH_SYSTEM, errno, "cannot start a process");
    close(ends[1]);
    int problem = 0;
    if (status == RH_OK && read(ends[0], &problem, sizeof problem) == sizeof problem) {
        waitpid(*program, NULL, 0);
        status = rh_fail_errno(error, RH_CANNOT_RUN, problem, "%s: cannot run it", command[0]);
    }
    close(ends[0]);
    return status;
}
