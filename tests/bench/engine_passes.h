/* The passes of ./dev bench engine that have processes of their own. */
#ifndef REHEAP_TESTS_ENGINE_PASSES_H
#define REHEAP_TESTS_ENGINE_PASSES_H

/* Measures and prints: a throughput pass with `heap` that is decoded ahead by a second processor,
 * and a memory pass of one pymalloc and of eight with arenas of different sizes. Ends the program
 * when something fails. */
void engine_passes(const char *trace, const char *heap);

#endif
