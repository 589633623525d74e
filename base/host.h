/* The machine underneath: clock, memory, processor, where this program lies. Linux on x86-64. */
#ifndef REHEAP_BASE_HOST_H
#define REHEAP_BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

uint64_t rh_host_now_ns(void);         /* monotonic */
uint64_t rh_host_memory_bytes(void);   /* physical */
uint64_t rh_host_resident_bytes(void); /* of this process, now */
unsigned rh_host_processors(void);     /* that this process may run on */
size_t rh_host_page_bytes(void);

/* The time-stamp counter, and how many of its ticks make a second (measured once, then cached). */
static inline uint64_t
rh_host_ticks(void)
{
    return __builtin_ia32_rdtsc();
}
double rh_host_ticks_per_ns(void);

/* For a command that reads the same file again and again: what this process frees is kept for the
 * next time, up to 256 MiB, instead of being given back to the kernel and faulted in anew. Before
 * there are other threads. */
void rh_host_keep_freed(void);

/* Model of the processor, kernel release, mode of transparent huge pages. Each returns `text`. */
char *rh_host_processor_name(char *text, size_t capacity);
char *rh_host_kernel(char *text, size_t capacity);
char *rh_host_huge_pages(char *text, size_t capacity);

/* Binds the calling thread to one of the processors it may run on, the `which`th; false where that
 * is refused. */
bool rh_host_pin(unsigned which);

/* The path of this executable. */
rh_status rh_host_program(char *path, size_t capacity, rh_error *error);

/* Finds a file that was built with this program ("libreheap_record.so"): beside the executable, or
 * below its folder at `subfolder`. RH_SYSTEM when it is in neither. */
rh_status rh_host_companion(const char *subfolder, const char *name, char *path, size_t capacity,
                            rh_error *error);

#endif
