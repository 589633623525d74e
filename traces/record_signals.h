/* The signals that the collector hears while it records. */
#ifndef REHEAP_TRACES_RECORD_SIGNALS_H
#define REHEAP_TRACES_RECORD_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

enum { RH_RECORD_SIGNALS = 8 };

typedef struct rh_record_signals {
    struct sigaction before[RH_RECORD_SIGNALS];
} rh_record_signals;

typedef enum rh_record_wish { RH_WISH_NONE, RH_WISH_RECORD, RH_WISH_PAUSE } rh_record_wish;

/* Hears them from now on; puts back what was there before. SIGUSR1 and SIGUSR2 are put back only in
 * a child: they are ignored afterwards, since one that comes too late is not to end this process.
 */
void rh_record_signals_watch(rh_record_signals *signals);
void rh_record_signals_unwatch(const rh_record_signals *signals, bool in_child);

/* The last signal that asked this process to end, once; 0: none came. One that came from the
 * terminal has reached the program already, and is told only if `from_terminal` is set. */
int rh_record_signals_end(bool from_terminal);

/* What SIGUSR1 (record) or SIGUSR2 (pause) asked for last, once. */
rh_record_wish rh_record_signals_wish(void);

#endif
