/* The collector's socket, for recorded processes that cannot open its descriptors as files below
 * /proc: those in another process namespace, of another user, or without /proc. Each asks with a
 * datagram and gets the descriptor in another; with it comes its own number as this process sees
 * it, which it may not know. */
#ifndef REHEAP_TRACES_RECEPTION_H
#define REHEAP_TRACES_RECEPTION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rh_reception {
    int socket; /* -1: there is none, and nobody will find one */
    uint64_t name, key;
    uint64_t network; /* number of the network namespace in which it can be found */
} rh_reception;

/* Opens the socket under a name, and with a key, that nobody guesses. Where the system has no such
 * sockets, recording does without. */
void rh_reception_open(rh_reception *reception);

/* Answers all who ask; `wanted` tells whether a descriptor may be had. Does not wait. */
void rh_reception_serve(const rh_reception *reception,
                        bool (*wanted)(const void *context, int descriptor), const void *context);

void rh_reception_close(rh_reception *reception);

#endif
