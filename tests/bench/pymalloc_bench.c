/* How fast is our pymalloc beside the one of the real libpython3.11? Prints, for each load, the
 * time of an operation and its ratio to libpython's, when the blocks are not touched, when the
 * first byte of each is written as the block is got, and when it is also read before the block is
 * freed. There are two of ours: libpymem.so, whose headers lie beside the pools, and the heap of a
 * spec, whose headers lie in them as CPython's do.
 *
 * All are called through the PyMemAllocatorEx of the object domain, with the same operations, drawn
 * before each round: a script played twice would be learnt by the processor. Each runs in a process
 * of its own (pymalloc_side.h), on one processor, in turns of some milliseconds, the first of each
 * round alternating; the ratio of a load is the median of its rounds' ratios, for the machine's
 * speed changes from one second to the next, and much less from one round's half to the other.
 * After some rounds the processes are replaced by new ones, whose libraries lie elsewhere.
 * Functions that do nothing take their turns too, and tell what the loop and the calls alone take.
 *
 * All arenas are laid out by the same rule (libpython's through PyObject_SetArenaAllocator), so
 * that every block has to lie at the same offset in each: after each round the places of all live
 * blocks are compared. --own-arenas leaves libpython its own arenas, and compares nothing.
 *
 *   fixed    blocks of one size: 100 asked for, the 100 given back in the same order; the last
 *            of them empties its pool
 *   single   one block asked for and given back, again and again: its pool changes hands each time
 *   beside   the same beside a block that stays: its pool does not
 *   random   a working set of 16 to 512 bytes: a block drawn at random is freed and another of
 *            random size takes its place
 */
#define _GNU_SOURCE
#include <argp.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/pymalloc_side.h"

#define LIBPYTHON  "libpython3.11.so.1.0"
#define LIBPYMEM   "alloc/libpymem.so"
#define HEAP       "pymalloc,large=libc"
#define BATCH      100
#define ROUND_NS   5e6 /* how long one allocator runs at a stretch */
#define WARM_UP    100000
#define ROUNDS_MAX 1001

enum { CPYTHON, BESIDE, INBAND, NOTHING, SIDES };

typedef struct worker {
    pid_t pid;
    int orders, answers;
} worker;

typedef struct bench {
    unsigned rounds, processes;
    const char *only, *library, *heap, *serve;
    bool own_arenas;
    worker workers[SIDES];
    uint64_t seed, compared, different;
} bench;

/* ---- the processes ---- */

static void
give_up(const char *what)
{
    perror(what);
    exit(5);
}

static void
serve_as(const char *what, bool own_arenas, unsigned padding)
{
    static char text[5000];
    memset(text, 'x', padding); /* moves the stack */
    setenv("PADDING", text, 1);
    char *const argv[] = {"pymalloc", "--serve", (char *)(uintptr_t)what,
                          own_arenas ? "--own-arenas" : NULL, NULL};
    execv("/proc/self/exe", argv);
    give_up("/proc/self/exe");
}

static void
start(bench *b, int who, unsigned padding)
{
    char heap[200];
    snprintf(heap, sizeof heap, "=%s", b->heap);
    const char *const what[SIDES] = {LIBPYTHON, b->library, heap, ""};
    int orders[2], answers[2];
    if (pipe2(orders, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
        give_up("pipe");
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork");
    if (pid == 0) {
        dup2(orders[0], STDIN_FILENO);
        dup2(answers[1], STDOUT_FILENO);
        serve_as(what[who], b->own_arenas, padding);
    }
    close(orders[0]);
    close(answers[1]);
    b->workers[who] = (worker){pid, orders[1], answers[0]};
}

static void
stop(worker *it)
{
    close(it->orders);
    close(it->answers);
    waitpid(it->pid, NULL, 0);
}

static side_answer
ask(const worker *it, const side_order *order)
{
    side_answer answer;
    if (write(it->orders, order, sizeof *order) != sizeof *order ||
        read(it->answers, &answer, sizeof answer) != sizeof answer) {
        fprintf(stderr, "an allocator's process ended\n");
        exit(4);
    }
    return answer;
}

/* ---- statistics ---- */

static int
ascending(const void *first, const void *second)
{
    double a = *(const double *)first, b = *(const double *)second;
    return (a > b) - (a < b);
}

/* The median, and bounds of its interval of 95 %: order statistics, which suppose nothing of the
 * distribution. */
typedef struct middle {
    double low, median, high;
} middle;

static middle
middle_of(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, ascending);
    double reach = .98 * sqrt(count);
    int low = (int)floor(count / 2. - reach);
    low = low < 0 ? 0 : low;
    return (middle){values[low], values[count / 2], values[count - 1 - (unsigned)low]};
}

/* What an allocator took for an operation, and that beside libpython's time. */
typedef struct result {
    double ns;
    middle ratio;
} result;

static result
result_of(const double *times, const double *cpython, unsigned rounds)
{
    static double sorted[ROUNDS_MAX];
    result it;
    for (unsigned i = 0; i < rounds; i++)
        sorted[i] = times[i] / cpython[i];
    it.ratio = middle_of(sorted, rounds);
    memcpy(sorted, times, rounds * sizeof *sorted);
    it.ns = middle_of(sorted, rounds).median;
    return it;
}

/* ---- one load ---- */

/* Runs each side once and sets how many operations make a round. */
static void
warm_up(bench *b, side_order *order)
{
    double slowest = 0;
    order->operations = WARM_UP;
    order->seed = b->seed++;
    for (int who = 0; who < SIDES; who++) {
        double ns = ask(&b->workers[who], order).ns;
        slowest = ns > slowest ? ns : slowest;
    }
    order->operations = (uint64_t)(ROUND_NS / slowest) + 1;
    if (order->load.live && order->operations > SIDE_OPERATIONS)
        order->operations = SIDE_OPERATIONS;
}

static void
compare(bench *b, const side_answer answers[SIDES])
{
    for (int who = BESIDE; !b->own_arenas && who <= INBAND; who++) {
        b->compared += answers[who].blocks;
        if (answers[who].places != answers[CPYTHON].places)
            b->different++;
    }
}

static void
play_rounds(bench *b, side_order order, unsigned first, unsigned end,
            double times[SIDES][ROUNDS_MAX])
{
    warm_up(b, &order);
    for (unsigned round = first; round < end; round++) {
        side_answer answers[SIDES];
        order.seed = b->seed++;
        order.ends = round + 1 == end;
        for (unsigned i = 0; i < SIDES; i++) {
            unsigned who = (i + round) % SIDES;
            answers[who] = ask(&b->workers[who], &order);
            times[who][round] = answers[who].ns;
        }
        compare(b, answers);
    }
}

static void
measure_touch(bench *b, const side_load *what, int touch, result results[SIDES])
{
    static double times[SIDES][ROUNDS_MAX];
    for (unsigned set = 0; set < b->processes; set++) {
        unsigned first = b->rounds * set / b->processes, end = b->rounds * (set + 1) / b->processes;
        for (int who = 0; who < SIDES; who++)
            start(b, who, (unsigned)(b->seed * 1237 % 4096));
        play_rounds(b,
                    (side_order){.load = *what, .touch = touch, .place = (int)(set % SIDE_PLACES)},
                    first, end, times);
        for (int who = 0; who < SIDES; who++)
            stop(&b->workers[who]);
    }
    for (int who = 0; who < SIDES; who++)
        results[who] = result_of(times[who], times[CPYTHON], b->rounds);
}

/* Measures a load under the name that `format` makes of `number`, if that is asked for. */
static __attribute__((format(printf, 3, 0))) void
measure(bench *b, side_load what, const char *format, uint32_t number)
{
    static const char *const names[SIDES] = {"", "beside", "in-band", "nothing"};
    result results[TOUCHES][SIDES];
    snprintf(what.name, sizeof what.name, format, number);
    if (b->only && strcmp(what.name, b->only) != 0)
        return;
    for (int touch = 0; touch < TOUCHES; touch++)
        measure_touch(b, &what, touch, results[touch]);
    for (int who = BESIDE; who < SIDES; who++) {
        printf("%-14s | %-7s", what.name, names[who]);
        for (int touch = 0; touch < TOUCHES; touch++) {
            const result *it = &results[touch][who];
            printf(" | %6.2f %6.2f %5.2f (%.2f-%.2f)", results[touch][CPYTHON].ns, it->ns,
                   it->ratio.median, it->ratio.low, it->ratio.high);
        }
        putchar('\n');
    }
    fflush(stdout);
}

static void
measure_all(bench *b)
{
    static const uint32_t sizes[] = {8, 16, 24, 48, 64, 96, 128, 192, 256, 384, 512};
    static const uint32_t few[] = {16, 64, 256};
    static const uint32_t lives[] = {1000, 10000, 100000, SIDE_LIVE_MAX};
    printf("%-14s | %-7s | %-31s | %-31s | %-31s\n%-14s | %-7s", "", "", "not touched",
           "first byte written", "written, read before free", "load", "headers");
    for (int touch = 0; touch < TOUCHES; touch++)
        printf(" | %6s %6s %5s %-10s", "python", "ours", "ratio", " (95 %)");
    putchar('\n');
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        measure(b, (side_load){.size = sizes[i], .batch = BATCH}, "fixed %" PRIu32 " B", sizes[i]);
    for (unsigned i = 0; i < sizeof few / sizeof few[0]; i++) {
        side_load what = {.size = few[i], .batch = 1};
        measure(b, what, "single %" PRIu32 " B", few[i]);
        what.beside = true;
        measure(b, what, "beside %" PRIu32 " B", few[i]);
    }
    for (unsigned i = 0; i < sizeof lives / sizeof lives[0]; i++)
        measure(b, (side_load){.live = lives[i]}, "random %" PRIu32, lives[i]);
}

/* ---- */

static const struct argp_option options[] = {
    {"rounds", 'r', "N", 0, "Rounds of each load, 31 if not told", 0},
    {"processes", 'p', "N", 0, "Processes of each allocator, one after the other: 8 if not told",
     0},
    {"load", 'l', "NAME", 0, "Only the load of this name: \"random 1000\"", 0},
    {"library", 'L', "FILE", 0, "Our library: " LIBPYMEM " if not told", 0},
    {"heap", 'H', "SPEC", 0, "The heap beside it: " HEAP " if not told", 0},
    {"own-arenas", 'o', NULL, 0, "libpython maps its arenas itself; addresses are not compared", 0},
    {"serve", 's', "WHAT", OPTION_HIDDEN, "Be one of the allocators' processes", 0},
    {0},
};

static error_t
parse(int key, char *argument, struct argp_state *state)
{
    bench *b = state->input;
    if (key == 'r')
        b->rounds = (unsigned)strtoul(argument, NULL, 10);
    else if (key == 'p')
        b->processes = (unsigned)strtoul(argument, NULL, 10);
    else if (key == 'l')
        b->only = argument;
    else if (key == 'L')
        b->library = argument;
    else if (key == 'H')
        b->heap = argument;
    else if (key == 'o')
        b->own_arenas = true;
    else if (key == 's')
        b->serve = argument;
    else
        return ARGP_ERR_UNKNOWN;
    if (b->rounds < 1 || b->rounds > ROUNDS_MAX)
        argp_error(state, "--rounds=%s: 1 to %d are possible", argument, ROUNDS_MAX);
    if (b->processes < 1 || b->processes > ROUNDS_MAX)
        argp_error(state, "--processes=%s: 1 to %d are possible", argument, ROUNDS_MAX);
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct argp argp = {
        options, parse, NULL, "Times libpymem.so and a heap beside libpython3.11.",
        NULL,    NULL,  NULL};
    bench b = {.rounds = 31, .processes = 8, .library = LIBPYMEM, .heap = HEAP, .seed = 9};
    argp_parse(&argp, argc, argv, 0, NULL, &b);
    if (b.serve)
        return side_serve(b.serve, b.own_arenas);
    if (b.processes > b.rounds)
        b.processes = b.rounds;
    printf("ns for a malloc and a free through PyMemAllocatorEx: object domain of %s, of\n"
           "%s (headers beside), of %s (in-band), and functions that do\n"
           "nothing; medians of %u rounds of %.0f ms each, taking turns, in %u processes each; the "
           "ratio is\nthe median of the rounds' ratios, with the interval that has it in 95 of 100 "
           "cases\n\n",
           LIBPYTHON, b.library, b.heap, b.rounds, ROUND_NS / 1e6, b.processes);
    measure_all(&b);
    if (!b.own_arenas)
        printf("\n%" PRIu64 " places of blocks compared, after %" PRIu64 " rounds not all alike\n",
               b.compared, b.different);
    return b.different != 0;
}
