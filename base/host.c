#define _GNU_SOURCE
#include "base/host.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <malloc.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000u

uint64_t
rh_host_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t
rh_host_memory_bytes(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * rh_host_page_bytes();
}

size_t
rh_host_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t
rh_host_resident_bytes(void)
{
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    char *resident;
    strtoull(text, &resident, 10);
    return strtoull(resident, NULL, 10) * rh_host_page_bytes();
}

unsigned
rh_host_processors(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&allowed);
}

/* Ticks and nanoseconds are read together at both ends of a short wait; the shortest gap between
 * the two clocks wins. */
double
rh_host_ticks_per_ns(void)
{
    static double ticks_per_ns;
    if (ticks_per_ns > 0)
        return ticks_per_ns;
    uint64_t start_ns = rh_host_now_ns(), start = rh_host_ticks();
    struct timespec wait = {.tv_nsec = 20 * 1000 * 1000};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        continue;
    uint64_t end_ns = rh_host_now_ns(), end = rh_host_ticks();
    ticks_per_ns = (double)(end - start) / (double)(end_ns - start_ns);
    return ticks_per_ns;
}

void
rh_host_keep_freed(void)
{
    mallopt(M_MMAP_THRESHOLD,
            32 << 20); /* the most that glibc takes; mapped blocks are never kept */
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

char *
rh_host_processor_name(char *text, size_t capacity)
{
    snprintf(text, capacity, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(text, capacity, "%s", colon[1] == ' ' ? colon + 2 : colon + 1);
            break;
        }
    }
    if (file)
        fclose(file);
    return text;
}

char *
rh_host_kernel(char *text, size_t capacity)
{
    struct utsname system;
    uname(&system);
    snprintf(text, capacity, "%s %s %s", system.sysname, system.release, system.machine);
    return text;
}

char *
rh_host_huge_pages(char *text, size_t capacity)
{
    snprintf(text, capacity, "unknown");
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
    char line[128];
    if (file && fgets(line, sizeof line, file)) {
        char *from = strchr(line, '['), *to = strchr(line, ']');
        if (from && to && from < to)
            snprintf(text, capacity, "%.*s", (int)(to - from - 1), from + 1);
    }
    if (file)
        fclose(file);
    return text;
}

bool
rh_host_pin(unsigned which)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return false;
    unsigned seen = 0;
    for (size_t processor = 0; processor < CPU_SETSIZE; processor++) {
        if (CPU_ISSET(processor, &allowed) && seen++ == which) {
            CPU_ZERO(&one);
            CPU_SET(processor, &one);
            return sched_setaffinity(0, sizeof one, &one) == 0;
        }
    }
    return false;
}

rh_status
rh_host_program(char *path, size_t capacity, rh_error *error)
{
    ssize_t length = readlink("/proc/self/exe", path, capacity - 1);
    if (length < 0)
        return rh_fail_errno(error, RH_SYSTEM, errno, "cannot find this program's own path");
    path[length] = '\0';
    return RH_OK;
}

rh_status
rh_host_companion(const char *subfolder, const char *name, char *path, size_t capacity,
                  rh_error *error)
{
    char program[4096];
    rh_status status = rh_host_program(program, sizeof program, error);
    if (status != RH_OK)
        return status;
    const char *folder = dirname(program);
    snprintf(path, capacity, "%s/%s", folder, name);
    if (access(path, R_OK) == 0)
        return RH_OK;
    snprintf(path, capacity, "%s/%s/%s", folder, subfolder, name);
    if (access(path, R_OK) == 0)
        return RH_OK;
    return rh_fail(error, RH_SYSTEM,
                   "%s is neither in %s nor in %s/%s; it belongs there: build everything again",
                   name, folder, folder, subfolder);
}
