/* A program that runs before anybody records it.
 *
 *   visited_program lines            does something for each line of its input, until `end`
 *   visited_program threads N        works in N threads until SIGTERM
 *   visited_program allocators N     does nothing in them, and in its first one, but allocate and
 * free
 *
 * It ends with status 7, and says "whole" when every block of it held what was put there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 200, THREADS_MAX = 64, STATUS = 7 };

static volatile sig_atomic_t stop;
static _Atomic unsigned torn;

static void
note(int number)
{
    (void)number;
    stop = 1;
}

static void
fill(unsigned char *block, unsigned size)
{
    memset(block, (int)(size & 255), size);
}

static void
look(const unsigned char *block, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        torn += block[i] != (size & 255);
}

static void *
work(void *seed_at)
{
    unsigned seed = *(unsigned *)seed_at, sizes[BLOCKS] = {0};
    unsigned char *blocks[BLOCKS] = {0};
    for (unsigned long round = 1; !stop; round++) {
        unsigned i = (unsigned)rand_r(&seed) % BLOCKS, size = 1 + (unsigned)rand_r(&seed) % 900;
        look(blocks[i], sizes[i]);
        if (rand_r(&seed) % 3 == 0) {
            blocks[i] = realloc(blocks[i], size);
        } else {
            free(blocks[i]);
            blocks[i] = rand_r(&seed) % 2 ? malloc(size) : calloc(size, 1);
        }
        sizes[i] = size;
        fill(blocks[i], size);
        if (round % 1000 == 0)
            usleep(100);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        look(blocks[i], sizes[i]);
        free(blocks[i]);
    }
    return NULL;
}

static void *
allocate(void *seed_at)
{
    unsigned seed = *(unsigned *)seed_at;
    void *blocks[BLOCKS] = {NULL};
    while (!stop) {
        seed = seed * 1103515245u + 12345u;
        void **block = &blocks[seed / 65536 % BLOCKS];
        free(*block);
        *block = malloc(16 + seed / 256 % 4096);
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return NULL;
}

static void
run_threads(unsigned count, void *(*run)(void *))
{
    pthread_t threads[THREADS_MAX];
    unsigned seeds[THREADS_MAX];
    signal(SIGTERM, note);
    for (unsigned i = 0; i < count; i++) {
        seeds[i] = i + 1;
        pthread_create(&threads[i], NULL, run, &seeds[i]);
    }
    if (run == allocate)
        run(seeds);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* The library whose malloc this program calls now. */
static const char *
whose_malloc(void)
{
    Dl_info found;
    void *(*volatile function)(size_t) = malloc;
    void *address;
    memcpy(&address, (void *)&function, sizeof address);
    const char *slash = dladdr(address, &found) ? strrchr(found.dli_fname, '/') : NULL;
    return slash ? slash + 1 : "?";
}

/* The block of the line before, of 1000 bytes more each time, is freed, so the first line's is one
 * from before whatever came in between. */
static void
run_lines(const char *library)
{
    char line[64];
    unsigned size = 1000;
    unsigned char *block = malloc(size);
    void (*plugin)(void) = NULL;
    fill(block, size);
    while (fgets(line, sizeof line, stdin) && strcmp(line, "end\n") != 0) {
        look(block, size);
        free(block);
        size += 1000;
        block = malloc(size);
        fill(block, size);
        if (strcmp(line, "open\n") == 0) {
            void *opened = dlopen(library, RTLD_NOW);
            void *symbol = opened ? dlsym(opened, "visited_library") : NULL;
            memcpy(&plugin, &symbol, sizeof symbol);
        } else if (plugin) {
            plugin();
        }
        if (strcmp(line, "whose\n") == 0)
            printf("malloc of %s\n", whose_malloc());
        printf("did %s", line);
    }
    look(block, size);
    free(block);
}

int
main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    if (argc == 3 && strcmp(argv[1], "threads") == 0)
        run_threads((unsigned)atoi(argv[2]) % (THREADS_MAX + 1), work);
    else if (argc == 3 && strcmp(argv[1], "allocators") == 0)
        run_threads((unsigned)atoi(argv[2]) % (THREADS_MAX + 1), allocate);
    else
        run_lines(argc > 2 ? argv[2] : "");
    puts(torn ? "torn" : "whole");
    return STATUS;
}
