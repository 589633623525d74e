/* Runs a fuzz target without a fuzzer: each file given, whole, cut short and with bytes changed,
 * the same ones every time. So many cuts and changes in all, however many files there are. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "tests/share.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 20, CUTS = 1000, MUTATIONS = 5000 };

/* A copy at the end of its own allocation, so that a sanitizer sees reads beyond it. */
static void
run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void
mutate(const uint8_t *data, size_t size, rh_random *random)
{
    static uint8_t changed[LARGEST];
    memcpy(changed, data, size);
    uint64_t changes = 1 + rh_random_below(random, 4);
    for (uint64_t i = 0; i < changes && size > 0; i++) {
        uint8_t *byte = &changed[rh_random_below(random, size)];
        switch (rh_random_below(random, 3)) {
        case 0:
            *byte = (uint8_t)rh_random_next(random);
            break;
        case 1:
            *byte ^= (uint8_t)(1u << rh_random_below(random, 8));
            break;
        default:
            *byte = changed[rh_random_below(random, size)];
        }
    }
    run(changed, size);
}

static void
run_file(const char *path, unsigned part)
{
    static uint8_t data[LARGEST];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run(data, size);
    size_t step = size / (CUTS / part + 1) + 1;
    for (size_t cut = 0; cut < size; cut += step)
        run(data, cut);
    rh_random random = {size};
    for (unsigned i = 0; i < MUTATIONS / part + 1; i++)
        mutate(data, size, &random);
    printf("%s: %zu bytes, fine\n", path, size);
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        run_file(argv[i], (unsigned)(argc - 1) * test_share());
    return 0;
}
