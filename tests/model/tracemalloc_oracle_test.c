/* tracemalloc against the real one: libpython3.11 with an interpreter in it, and libpymem.so,
 * driven with the same random calls. Return codes, traced bytes, peaks and tracebacks must be the
 * same.
 *
 * Reading the real one's figures allocates, and so may lift its peak; a run therefore reads them
 * once, at its end, and there are many runs.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc/pymem.h"
#include "alloc/pymem_trace.h"
#include "alloc/traceback.h"
#include "base/error.h"
#include "base/random.h"

#define LIBRARY "libpython3.11.so.1.0"

enum { RUNS = 400, OPERATIONS_MOST = 3000, ADDRESSES = 300, SLOTS = 200 };

static const char *pymem_path;

/* X(result, name, parameters): what both libraries have. */
#define DOCUMENTED(X)                                                                              \
    X(int, PyTraceMalloc_Track, (unsigned, uintptr_t, size_t))                                     \
    X(int, PyTraceMalloc_Untrack, (unsigned, uintptr_t))                                           \
    X(void *, PyMem_RawMalloc, (size_t))                                                           \
    X(void *, PyMem_RawCalloc, (size_t, size_t))                                                   \
    X(void *, PyMem_RawRealloc, (void *, size_t))                                                  \
    X(void, PyMem_RawFree, (void *))                                                               \
    X(void *, PyMem_Malloc, (size_t))                                                              \
    X(void *, PyMem_Calloc, (size_t, size_t))                                                      \
    X(void *, PyMem_Realloc, (void *, size_t))                                                     \
    X(void, PyMem_Free, (void *))                                                                  \
    X(void *, PyObject_Malloc, (size_t))                                                           \
    X(void *, PyObject_Calloc, (size_t, size_t))                                                   \
    X(void *, PyObject_Realloc, (void *, size_t))                                                  \
    X(void, PyObject_Free, (void *))

#define INTERPRETER(X)                                                                             \
    X(void, Py_InitializeEx, (int))                                                                \
    X(void *, PyImport_ImportModule, (const char *))                                               \
    X(void *, PyObject_GetAttrString, (void *, const char *))                                      \
    X(void *, PyObject_CallNoArgs, (void *))                                                       \
    X(void *, PyObject_CallOneArg, (void *, void *))                                               \
    X(void *, PyLong_FromLong, (long))                                                             \
    X(size_t, PyLong_AsSize_t, (void *))                                                           \
    X(void *, PyTuple_GetItem, (void *, Py_ssize_t))                                               \
    X(Py_ssize_t, PyTuple_Size, (void *))                                                          \
    X(const char *, PyUnicode_AsUTF8, (void *))                                                    \
    X(void, PyErr_Fetch, (void **, void **, void **))                                              \
    X(void *, PyObject_Str, (void *))                                                              \
    X(void *, _PyTraceMalloc_GetTraceback, (unsigned, uintptr_t))                                  \
    X(void, Py_DecRef, (void *))

#define OURS(X)                                                                                    \
    X(rh_status, rh_pymem_trace_start, (long, rh_error *))                                         \
    X(void, rh_pymem_trace_stop, (void))                                                           \
    X(bool, rh_pymem_trace_is_tracing, (void))                                                     \
    X(void, rh_pymem_trace_clear, (void))                                                          \
    X(void, rh_pymem_trace_reset_peak, (void))                                                     \
    X(void, rh_pymem_trace_get_traced, (size_t *, size_t *))                                       \
    X(size_t, rh_pymem_trace_get_memory, (void))                                                   \
    X(size_t, rh_pymem_trace_get_traceback, (unsigned, uintptr_t, rh_frame *, size_t, size_t *))

#define MEMBER(result, name, parameters) result(*name) parameters;

typedef struct api {
    DOCUMENTED(MEMBER)
} api;

static struct {
    INTERPRETER(MEMBER)
} python;

static struct {
    OURS(MEMBER)
} ours_only;

static api real, ours;
static void *start, *stop, *clear, *reset_peak, *get_traced;

static void
resolve(void *library, const char *name, void *member)
{
    *(void **)member = dlsym(library, name);
    if (!*(void **)member)
        fail_msg("%s is not there", name);
}

static void
open_libraries(void)
{
    void *libpython = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void *libpymem = dlopen(pymem_path, RTLD_NOW | RTLD_LOCAL);
    if (!libpymem)
        fail_msg("%s", dlerror());
    if (!libpython) {
        print_message("SKIP: %s is not installed\n", LIBRARY);
        exit(0);
    }
#define RESOLVE(result, name, parameters)                                                          \
    resolve(libpython, #name, &real.name);                                                         \
    resolve(libpymem, #name, &ours.name);
    DOCUMENTED(RESOLVE)
#undef RESOLVE
#define RESOLVE(result, name, parameters) resolve(libpython, #name, &python.name);
    INTERPRETER(RESOLVE)
#undef RESOLVE
#define RESOLVE(result, name, parameters) resolve(libpymem, #name, &ours_only.name);
    OURS(RESOLVE)
#undef RESOLVE
    python.Py_InitializeEx(0);
    void *module = python.PyImport_ImportModule("_tracemalloc");
    assert_non_null(module);
    start = python.PyObject_GetAttrString(module, "start");
    stop = python.PyObject_GetAttrString(module, "stop");
    clear = python.PyObject_GetAttrString(module, "clear_traces");
    reset_peak = python.PyObject_GetAttrString(module, "reset_peak");
    get_traced = python.PyObject_GetAttrString(module, "get_traced_memory");
    assert_non_null(get_traced);
}

static void
call(void *function)
{
    void *result = python.PyObject_CallNoArgs(function);
    assert_non_null(result);
    python.Py_DecRef(result);
}

static void
begin(long frames)
{
    void *number = python.PyLong_FromLong(frames);
    void *result = python.PyObject_CallOneArg(start, number);
    assert_non_null(result);
    python.Py_DecRef(result);
    call(clear); /* whatever the call itself left */
    rh_error error = {0};
    assert_int_equal(ours_only.rh_pymem_trace_start(frames, &error), RH_OK);
}

static void
compare_figures(unsigned run)
{
    size_t traced, peak;
    void *pair = python.PyObject_CallNoArgs(get_traced);
    size_t real_traced = python.PyLong_AsSize_t(python.PyTuple_GetItem(pair, 0));
    size_t real_peak = python.PyLong_AsSize_t(python.PyTuple_GetItem(pair, 1));
    ours_only.rh_pymem_trace_get_traced(&traced, &peak);
    if (traced != real_traced || peak != real_peak)
        fail_msg("run %u: traced %zu, peak %zu; the real one has %zu and %zu", run, traced, peak,
                 real_traced, real_peak);
    python.Py_DecRef(pair);
}

/* ------------------------------------------------------------------ track and untrack */

static void
track_operation(rh_random *random)
{
    static const unsigned domains[] = {0, 1, 2, 77, 4294967295u};
    unsigned domain = domains[rh_random_below(random, 5)];
    uintptr_t address = rh_random_below(random, ADDRESSES) * 16; /* 0 among them */
    size_t size = rh_random_below(random, 4) ? rh_random_below(random, 100000) : 0;
    unsigned what = (unsigned)rh_random_below(random, 1000);
    if (what == 0) {
        call(clear);
        ours_only.rh_pymem_trace_clear();
    } else if (what < 5) {
        call(reset_peak);
        ours_only.rh_pymem_trace_reset_peak();
    } else if (what < 600) {
        assert_int_equal(ours.PyTraceMalloc_Track(domain, address, size),
                         real.PyTraceMalloc_Track(domain, address, size));
    } else {
        assert_int_equal(ours.PyTraceMalloc_Untrack(domain, address),
                         real.PyTraceMalloc_Untrack(domain, address));
    }
}

static void
tracking_is_the_same(void **state)
{
    (void)state;
    for (unsigned run = 0; run < RUNS; run++) {
        rh_random random = {run};
        begin(1 + (long)rh_random_below(&random, 30));
        uint64_t operations = rh_random_below(&random, OPERATIONS_MOST);
        for (uint64_t i = 0; i < operations; i++)
            track_operation(&random);
        compare_figures(run);
        call(stop);
        ours_only.rh_pymem_trace_stop();
        track_operation(&random); /* -2, on both sides */
        compare_figures(run);     /* 0, 0 */
    }
}

/* ------------------------------------------------------------------ blocks of the three domains */

typedef struct domain_calls {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} domain_calls;

typedef struct block {
    void *address;
    int domain;
} block;

static domain_calls
calls_of(const api *library, int domain)
{
    switch (domain) {
    case 0:
        return (domain_calls){library->PyMem_RawMalloc, library->PyMem_RawCalloc,
                              library->PyMem_RawRealloc, library->PyMem_RawFree};
    case 1:
        return (domain_calls){library->PyMem_Malloc, library->PyMem_Calloc, library->PyMem_Realloc,
                              library->PyMem_Free};
    default:
        return (domain_calls){library->PyObject_Malloc, library->PyObject_Calloc,
                              library->PyObject_Realloc, library->PyObject_Free};
    }
}

/* Small ones out of pools, large ones by way of RAW, none, and more than there can be. */
static size_t
some_size(rh_random *random)
{
    switch (rh_random_below(random, 8)) {
    case 0:
        return 0;
    case 1:
        return (size_t)PY_SSIZE_T_MAX - rh_random_below(random, 100);
    case 2:
    case 3:
        return rh_random_below(random, 100000);
    default:
        return rh_random_below(random, 513);
    }
}

static void
play(const api *library, block *blocks, rh_random random, uint64_t operations)
{
    for (uint64_t i = 0; i < operations; i++) {
        block *it = &blocks[rh_random_below(&random, SLOTS)];
        unsigned what = (unsigned)rh_random_below(&random, 10);
        size_t size = some_size(&random), count = 1 + rh_random_below(&random, 5);
        int domain = (int)rh_random_below(&random, 3);
        if (it->address && what < 4) {
            calls_of(library, it->domain).free(it->address);
            it->address = NULL;
        } else if (it->address && what < 8) {
            void *moved = calls_of(library, it->domain).realloc(it->address, size);
            it->address = moved ? moved : it->address;
        } else if (it->address) {
            if (what == 8)
                library->PyTraceMalloc_Untrack(0, (uintptr_t)it->address);
            else
                library->PyTraceMalloc_Track(0, (uintptr_t)it->address, count);
        } else {
            domain_calls calls = calls_of(library, domain);
            it->domain = domain;
            it->address = what < 4   ? calls.malloc(size)
                          : what < 7 ? calls.calloc(count, size)
                                     : calls.realloc(NULL, size);
        }
    }
}

static void
release(const api *library, block *blocks)
{
    for (int i = 0; i < SLOTS; i++) {
        if (blocks[i].address)
            calls_of(library, blocks[i].domain).free(blocks[i].address);
        blocks[i].address = NULL;
    }
}

/* Blocks that live through stop and start as well: unknown to the next run. */
static void
allocation_is_the_same(void **state)
{
    (void)state;
    static block of_real[SLOTS], of_ours[SLOTS];
    for (unsigned run = 0; run < RUNS; run++) {
        rh_random random = {run + 1000};
        uint64_t operations = rh_random_below(&random, OPERATIONS_MOST);
        begin(1);
        play(&real, of_real, random, operations);
        play(&ours, of_ours, random, operations);
        compare_figures(run);
        if (run % 3 == 0) {
            release(&real, of_real);
            release(&ours, of_ours);
            size_t traced, peak;
            ours_only.rh_pymem_trace_get_traced(&traced, &peak);
            if (run == 0)
                assert_int_equal(traced, 0);
        }
        call(stop);
        ours_only.rh_pymem_trace_stop();
    }
    release(&real, of_real);
    release(&ours, of_ours);
}

/* ------------------------------------------------------------------ the rest */

static void
refusals_are_the_same(void **state)
{
    (void)state;
    static const long bad[] = {0, -1, 65536, 2147483647};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rh_error error = {0};
        void *type, *value, *where, *number = python.PyLong_FromLong(bad[i]);
        assert_null(python.PyObject_CallOneArg(start, number));
        python.PyErr_Fetch(&type, &value, &where);
        assert_int_equal(ours_only.rh_pymem_trace_start(bad[i], &error), RH_USAGE);
        assert_string_equal(error.message, python.PyUnicode_AsUTF8(python.PyObject_Str(value)));
        assert_false(ours_only.rh_pymem_trace_is_tracing());
    }
}

/* Where nobody knows the frames, there is one. */
static void
tracebacks_are_the_same(void **state)
{
    (void)state;
    begin(5);
    for (uintptr_t address = 0; address < 64; address += 16) {
        real.PyTraceMalloc_Track(9, address, 1);
        ours.PyTraceMalloc_Track(9, address, 1);
    }
    for (unsigned domain = 8; domain < 11; domain++) {
        rh_frame frame;
        size_t total;
        void *theirs = python._PyTraceMalloc_GetTraceback(domain, 16);
        size_t count = ours_only.rh_pymem_trace_get_traceback(domain, 16, &frame, 1, &total);
        if (domain != 9) {
            assert_int_equal(count, 0);
            assert_int_equal(python.PyTuple_Size(theirs), -1); /* None */
            continue;
        }
        assert_int_equal(python.PyTuple_Size(theirs), (Py_ssize_t)count);
        void *first = python.PyTuple_GetItem(theirs, 0);
        assert_string_equal(python.PyUnicode_AsUTF8(python.PyTuple_GetItem(first, 0)), "<unknown>");
        assert_int_equal(python.PyLong_AsSize_t(python.PyTuple_GetItem(first, 1)), frame.line);
        assert_int_equal(frame.place, 0);
        assert_int_equal(total, 1);
    }
    void *type, *value, *where;
    python.PyErr_Fetch(&type, &value, &where);
    call(stop);
    ours_only.rh_pymem_trace_stop();
}

int
main(int argc, char **argv)
{
    (void)argc;
    pymem_path = argv[1];
    open_libraries();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracking_is_the_same),
        cmocka_unit_test(allocation_is_the_same),
        cmocka_unit_test(refusals_are_the_same),
        cmocka_unit_test(tracebacks_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
