/* The library for recordings of an interpreter alone: into every image on the way (a shell script's
 * shell, env, and at last the interpreter) it is loaded, and in the first that is a CPython it puts
 * the hooks in before the interpreter has made its first call; the others pass by. The environment
 * is then put back as it was, so that neither the program nor its children see the recorder (unless
 * the children are wanted too).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "traces/recorder/attach.h"
#include "traces/recorder/channel.h"
#include "traces/recorder/enlist.h"
#include "traces/recorder/exec_hooks.h"
#include "traces/recorder/late.h"
#include "traces/recorder/producer.h"
#include "traces/recorder/reheap_mark.h"

void
rh_recorder_in_child(void)
{
    rh_attach_in_child();
}

static void
enlist(const rh_session *session, int argc, char **argv)
{
    if (rh_producer_open(session, RH_CAPTURE_PYTHON))
        rh_attach_begin(session, RH_CAPTURE_PYTHON, argc, argv);
    else
        rh_recorder_say("nothing takes the recording any more; the program goes on unrecorded");
    if (!session->children)
        rh_recorder_leave_environment(session);
}

__attribute__((constructor)) static void
rh_recorder_start(int argc, char **argv)
{
    int saved = errno;
    const rh_session *session = rh_recorder_session();
    if (session && !session->children && !rh_recorder_is_root(session)) {
        rh_recorder_leave_environment(session);
    } else if (session) {
        rh_recorder_follow(session, false);
        if (rh_attach_finds_python())
            enlist(session, argc, argv);
    }
    errno = saved;
}

__attribute__((destructor)) static void
rh_recorder_end(void)
{
    rh_attach_end();
}

/* See reheap_mark.h. */
__attribute__((visibility("default"))) void(reheap_mark)(const char *text)
{
    enum { LONGEST_MARK = 4000 };
    if (text && rh_attach_done()) /* else there is no channel */
        rh_put_mark(text, strnlen(text, LONGEST_MARK));
}

int
rh_recorder_attach(const char *place)
{
    if (rh_attach_done())
        return RH_LATE_AGAIN;
    const rh_session *session = rh_recorder_session_at(place);
    return session ? rh_attach_late(session) : RH_LATE_NO_SESSION;
}

int
rh_recorder_attach_now(void)
{
    return rh_attach_late_now();
}
