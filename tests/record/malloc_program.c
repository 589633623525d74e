/* A program whose threads allocate in every way there is and hand blocks to one another, for
 * recordings of the C library's functions: malloc_program WAY [THREADS [CALLS]].
 *
 * - work: does it and ends
 * - kill, abort, segv, overflow: ends in that way, in the midst of it
 * - fork: does half of it, forks a child that does some too, and does the rest
 * - exec: does it, then becomes the program `true`
 * - altstack: overflows its stack, and a handler on another stack allocates before it ends with 3
 * - handler: does it while a timer's handler allocates, too
 * - spawn: starts `true` in each way there is, between two halves
 * - daemon: leaves a process behind that does it, in a session of its own
 * - patient FILE: does little until FILE is there, then does it, and says "finished"
 * - relay: starts THREADS threads one after the other, each of which calls the C library once more
 *   when its own destructors have run
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HELD = 300, SHARED = 64 };

static long calls;
static const char *way;
static _Atomic(void *) shared[SHARED];
static _Atomic long done, handlers;

static void *volatile early;

__attribute__((constructor(101))) static void
before_main(void)
{
    early = malloc(100);
}

static unsigned
draw(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void *
allocate(unsigned *state, void *old)
{
    void *block = NULL;
    size_t size = draw(state) % 50 ? draw(state) % 600 : draw(state) % 300000;
    switch (draw(state) % 9) {
    case 0:
        free(old);
        return calloc(1 + draw(state) % 10, size / 8);
    case 1:
        return realloc(old, size + 1);
    case 2:
        free(old);
        return posix_memalign(&block, (size_t)32 << draw(state) % 5, size) ? NULL : block;
    case 3:
        free(old);
        return aligned_alloc(64, size);
    case 4:
        return reallocarray(old, 3, size + 1);
    default:
        free(old);
        return malloc(size);
    }
}

static int
overflow(int depth)
{
    volatile char room[4096];
    room[0] = (char)depth;
    return overflow(depth + 1) + room[0];
}

static void
end_on_other_stack(int number)
{
    (void)number;
    for (size_t i = 1; i <= 10; i++)
        free(malloc(i * 100));
    _exit(3);
}

static void
overflow_with_handler(void)
{
    static char room[1 << 16];
    const stack_t other = {.ss_sp = room, .ss_size = sizeof room};
    const struct sigaction action = {.sa_handler = end_on_other_stack, .sa_flags = SA_ONSTACK};
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &action, NULL);
    overflow(1);
}

static void
end_badly(void)
{
    if (strcmp(way, "altstack") == 0)
        overflow_with_handler();
    if (strcmp(way, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(way, "abort") == 0)
        abort();
    if (strcmp(way, "segv") == 0)
        raise(SIGSEGV);
    if (strcmp(way, "overflow") == 0)
        overflow(1);
}

static void
some(long count, unsigned *state)
{
    void *held[HELD] = {NULL};
    for (long i = 0; i < count; i++) {
        unsigned at = draw(state) % HELD;
        held[at] = allocate(state, held[at]);
        if (draw(state) % 16 == 0)
            held[at] = atomic_exchange(&shared[draw(state) % SHARED], held[at]);
        if (atomic_fetch_add(&done, 1) == calls / 2)
            end_badly();
    }
    for (int i = 0; i < HELD; i++)
        free(held[i]);
}

static void *
thread(void *number)
{
    unsigned state = (unsigned)(uintptr_t)number * 7919 + 1;
    some(calls, &state);
    return NULL;
}

static void
on_timer(int number)
{
    (void)number;
    atomic_fetch_add(&handlers, 1);
    void *block = malloc(40);
    free(calloc(3, 50));
    free(block);
}

static void
start_timer(void)
{
    const struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 100}, {0, 100}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static void
stop_timer(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
}

static void
spawn_some(void)
{
    char *words[] = {"true", NULL};
    pid_t process;
    if (posix_spawnp(&process, words[0], NULL, NULL, words, environ) == 0)
        waitpid(process, NULL, 0);
    if ((process = vfork()) == 0) {
        execvp(words[0], words);
        _exit(1);
    }
    waitpid(process, NULL, 0);
    if (system("true; true") != 0)
        abort();
}

/* Returns in the process that was left behind. */
static void
become_daemon(void)
{
    if (fork() > 0)
        _exit(0);
    setsid();
    if (fork() > 0)
        _exit(0);
}

static void *
relay(void *number)
{
    free(malloc(100));
    return strerror(9999) ? number : NULL; /* its text is the thread's, freed behind all else */
}

int
main(int count, char **words)
{
    way = count > 1 ? words[1] : "work";
    int threads = count > 2 ? atoi(words[2]) : 1;
    calls = count > 3 ? atol(words[3]) : 100000;
    pthread_t *list = malloc((size_t)threads * sizeof *list);
    unsigned state = 99;
    if (!malloc(SIZE_MAX / 4) && strcmp(way, "fork") == 0) {
        some(calls / 2, &state);
        if (fork() == 0) {
            some(1000, &state);
            _exit(0);
        }
        wait(NULL);
    }
    if (strcmp(way, "spawn") == 0) {
        some(calls / 2, &state);
        spawn_some();
    }
    if (strcmp(way, "daemon") == 0)
        become_daemon();
    while (strcmp(way, "patient") == 0 && count > 4 && access(words[4], F_OK) != 0)
        some(1000, &state);
    if (strcmp(way, "handler") == 0)
        start_timer();
    bool one_by_one = strcmp(way, "relay") == 0;
    for (int i = 0; i < threads && one_by_one; i++) {
        pthread_create(&list[i], NULL, relay, NULL);
        pthread_join(list[i], NULL);
    }
    for (int i = 0; i < threads && !one_by_one; i++)
        pthread_create(&list[i], NULL, thread, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < threads && !one_by_one; i++)
        pthread_join(list[i], NULL);
    stop_timer();
    if (strcmp(way, "patient") == 0)
        puts("finished");
    if (strcmp(way, "handler") == 0)
        printf("handlers %ld\n", handlers);
    free(list);
    free(early);
    if (strcmp(way, "exec") == 0)
        execlp("true", "true", (char *)NULL);
    return 0;
}
