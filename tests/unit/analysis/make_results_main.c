/* make_results FILE [grid] [marks=N] [touch=MODE] [hash=HASH] [slower=FACTOR] [reps=N] [samples=N]:
 * writes made-up results, for the tests of commands. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/analysis/made_results.h"

int
main(int argc, char **argv)
{
    made_options options = made_standard;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "grid") == 0)
            options.grid = 1;
        else if (strncmp(argv[i], "marks=", 6) == 0)
            options.marks = (unsigned)atoi(argv[i] + 6);
        else if (strncmp(argv[i], "touch=", 6) == 0)
            options.touch = argv[i] + 6;
        else if (strncmp(argv[i], "hash=", 5) == 0)
            options.hash = argv[i] + 5;
        else if (strncmp(argv[i], "slower=", 7) == 0)
            options.slower = atof(argv[i] + 7);
        else if (strncmp(argv[i], "reps=", 5) == 0)
            options.repetitions = (unsigned)atoi(argv[i] + 5);
        else if (strncmp(argv[i], "samples=", 8) == 0)
            options.samples = (unsigned)atoi(argv[i] + 8);
        else
            return 2;
    }
    if (argc < 2)
        return 2;
    make_results(argv[1], &options);
    return 0;
}
