/* Threads that do little but allocate, to be recorded: threads_program THREADS CALLS.
 *
 * Each keeps a thousand blocks, replaces one drawn at random with every step, and writes into what
 * it gets. One step in sixteen it leaves the old block with a neighbour, which frees it: so blocks
 * die in other threads than they were born in, as where work is handed on. CALLS is what each of
 * them does, give or take; all begin together.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD = 1000, MAILBOXES = 64, MOST_THREADS = 256 };

/* What others left for one thread to free. */
typedef struct neighbour {
    _Alignas(64) _Atomic(void *) left[MAILBOXES];
} neighbour;

static neighbour neighbours[MOST_THREADS];
static unsigned threads = 4;
static long calls = 1000000;
static pthread_barrier_t start;

static uint32_t
draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static void
hand_on(unsigned to, uint32_t number, void *block)
{
    free(atomic_exchange(&neighbours[to].left[number % MAILBOXES], block));
}

static void *
run(void *argument)
{
    const unsigned self = (unsigned)(uintptr_t)argument;
    uint64_t state = self + 1;
    void *held[HELD] = {NULL};
    pthread_barrier_wait(&start);
    for (long i = 0; i < calls / 2; i++) {
        const uint32_t drawn = draw(&state), place = drawn % HELD;
        const size_t size = 16 + drawn / HELD % 31 * 16;
        if (i % 16 == 0)
            hand_on((self + 1) % threads, drawn, held[place]);
        else
            free(held[place]);
        held[place] = malloc(size);
        if (!held[place])
            abort();
        memset(held[place], 1, size < 64 ? size : 64);
    }
    for (unsigned i = 0; i < HELD; i++)
        free(held[i]);
    for (unsigned i = 0; i < MAILBOXES; i++)
        free(atomic_exchange(&neighbours[self].left[i], NULL));
    return NULL;
}

int
main(int argc, char **argv)
{
    pthread_t running[MOST_THREADS];
    if (argc > 1)
        threads = (unsigned)atoi(argv[1]);
    if (argc > 2)
        calls = atol(argv[2]);
    if (threads < 1 || threads > MOST_THREADS)
        return 2;
    pthread_barrier_init(&start, NULL, threads);
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&running[i], NULL, run, (void *)(uintptr_t)i) != 0)
            return 1;
    for (unsigned i = 0; i < threads; i++)
        pthread_join(running[i], NULL);
    puts("done");
    return 0;
}
