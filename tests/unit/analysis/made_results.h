/* A results file whose numbers are made up by formula, for tests of what is done with results. */
#ifndef REHEAP_TESTS_UNIT_ANALYSIS_MADE_RESULTS_H
#define REHEAP_TESTS_UNIT_ANALYSIS_MADE_RESULTS_H

typedef struct made_options {
    unsigned repetitions;
    unsigned samples;
    int grid;         /* as well as six allocators, pymalloc on 6 arenas by 4 pools, one left out */
    const char *hash; /* of the trace */
    const char *touch;
    unsigned marks; /* phases */
    double slower;  /* every time is multiplied by this */
} made_options;

extern const made_options made_standard;

/* Writes `path`; ends the program when it cannot. */
void make_results(const char *path, const made_options *options);

#endif
