#define _GNU_SOURCE
#include "traces/record_signals.h"

#include <stddef.h>

/* The last two are only kept from ending the recording: a file that may not grow and a pipe that
 * nobody reads are errors like others. */
static const int watched[RH_RECORD_SIGNALS] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                               SIGUSR1, SIGUSR2, SIGXFSZ, SIGPIPE};

static volatile sig_atomic_t asked_to_end, terminal_asked, wish;

static void
note(int number, siginfo_t *information, void *context)
{
    (void)context;
    if (number == SIGXFSZ || number == SIGPIPE)
        return;
    if (number == SIGUSR1 || number == SIGUSR2)
        wish = number == SIGUSR1 ? RH_WISH_RECORD : RH_WISH_PAUSE;
    else if (information->si_code == SI_KERNEL)
        terminal_asked = number;
    else
        asked_to_end = number;
}

void
rh_record_signals_watch(rh_record_signals *signals)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
    /* One after the other; else the handler of the later signal would run first. */
    sigfillset(&action.sa_mask);
    asked_to_end = terminal_asked = wish = 0;
    for (unsigned i = 0; i < RH_RECORD_SIGNALS; i++)
        sigaction(watched[i], &action, &signals->before[i]);
}

void
rh_record_signals_unwatch(const rh_record_signals *signals, bool in_child)
{
    for (unsigned i = 0; i < RH_RECORD_SIGNALS; i++) {
        bool ours = watched[i] == SIGUSR1 || watched[i] == SIGUSR2;
        if (ours && !in_child)
            signal(watched[i], SIG_IGN);
        else
            sigaction(watched[i], &signals->before[i], NULL);
    }
}

int
rh_record_signals_end(bool from_terminal)
{
    int number = asked_to_end;
    asked_to_end = 0;
    if (number == 0 && from_terminal) {
        number = terminal_asked;
        terminal_asked = 0;
    }
    return number;
}

rh_record_wish
rh_record_signals_wish(void)
{
    rh_record_wish now = (rh_record_wish)wish;
    wish = RH_WISH_NONE;
    return now;
}
