/* What the real libpython3.11 asks its OBJ domain for when it makes an object, and what ours asks
 * for: the same for every size of type and number of items. And its own types, read through our
 * struct. */
#define _GNU_SOURCE
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/pybytes.h"
#include "alloc/pyobject.h"

#define LIBRARY "libpython3.11.so.1.0"

/* ---- our OBJ domain ---- */

static size_t our_request;

void *
PyObject_Malloc(size_t size)
{
    our_request = size;
    return size > (size_t)PY_SSIZE_T_MAX ? NULL : malloc(size);
}

void *
PyObject_Calloc(size_t nelem, size_t elsize)
{
    our_request = nelem * elsize;
    return calloc(nelem, elsize);
}

void *
PyObject_Realloc(void *ptr, size_t new_size)
{
    our_request = new_size;
    return realloc(ptr, new_size);
}

void
PyObject_Free(void *ptr)
{
    free(ptr);
}

PyObject *
PyErr_NoMemory(void)
{
    return NULL;
}

/* ---- theirs ---- */

static void *library;
static PyMemAllocatorEx under;
static size_t their_request;

static void *
noting_malloc(void *ctx, size_t size)
{
    (void)ctx;
    their_request = size;
    return under.malloc(under.ctx, size);
}

static void *
noting_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    their_request = nelem * elsize;
    return under.calloc(under.ctx, nelem, elsize);
}

static void *
noting_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    their_request = size;
    return under.realloc(under.ctx, ptr, size);
}

static void
passing_free(void *ctx, void *ptr)
{
    (void)ctx;
    under.free(under.ctx, ptr);
}

/* A function of theirs; `to` is the pointer to fill. */
static void
find(const char *name, void *to)
{
    void *symbol = dlsym(library, name);
    if (!symbol)
        fail_msg("%s has no %s", LIBRARY, name);
    memcpy(to, &symbol, sizeof symbol);
}

static int
open_python(void **state)
{
    (void)state;
    void (*start)(int), (*get)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    void (*set)(PyMemAllocatorDomain, PyMemAllocatorEx *);
    int (*keep_from_collecting)(void);
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND); /* it calls its own names */
    if (!library)
        return 0;
    find("Py_InitializeEx", &start);
    find("PyGC_Disable", &keep_from_collecting);
    find("PyMem_GetAllocator", &get);
    find("PyMem_SetAllocator", &set);
    start(0);
    keep_from_collecting();
    get(PYMEM_DOMAIN_OBJ, &under);
    PyMemAllocatorEx noting = {NULL, noting_malloc, noting_calloc, noting_realloc, passing_free};
    set(PYMEM_DOMAIN_OBJ, &noting);
    return 0;
}

static void
require_python(void)
{
    if (!library) {
        print_message("SKIP: %s is not installed\n", LIBRARY);
        skip();
    }
}

static const Py_ssize_t basic_sizes[] = {16, 24, 25, 33, 40, 47, 56, 200, 488, 513, 4001};
static const Py_ssize_t item_sizes[] = {1, 2, 3, 4, 8, 12, 24, 100};
static const Py_ssize_t items[] = {0, 1, 2, 3, 4, 7, 8, 20, 31, 512, 5000};

enum {
    BASIC_SIZES = sizeof basic_sizes / sizeof *basic_sizes,
    ITEM_SIZES = sizeof item_sizes / sizeof *item_sizes,
    ITEMS = sizeof items / sizeof *items
};

static void
assert_alike(const PyObject *ours, const PyObject *theirs, const PyTypeObject *type)
{
    assert_non_null(ours);
    assert_non_null(theirs);
    assert_int_equal(our_request, their_request);
    assert_int_equal(Py_REFCNT(ours), Py_REFCNT(theirs));
    assert_ptr_equal(Py_TYPE(theirs), type);
    assert_ptr_equal(Py_TYPE(ours), type);
}

static void
fixed_objects_ask_for_the_same(void **state)
{
    (void)state;
    require_python();
    PyObject *(*make)(PyTypeObject *), *(*make_tracked)(PyTypeObject *);
    void (*delete)(void *), (*delete_tracked)(void *);
    find("_PyObject_New", &make);
    find("_PyObject_GC_New", &make_tracked);
    find("PyObject_Free", &delete);
    find("PyObject_GC_Del", &delete_tracked);
    for (int i = 0; i < BASIC_SIZES; i++) {
        PyTypeObject type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "fixed",
                             .tp_basicsize = basic_sizes[i]};
        PyObject *ours = _PyObject_New(&type), *theirs = make(&type);
        assert_alike(ours, theirs, &type);
        PyObject_Del(ours);
        delete (theirs);
        type.tp_flags = Py_TPFLAGS_HAVE_GC;
        ours = _PyObject_GC_New(&type), theirs = make_tracked(&type);
        assert_alike(ours, theirs, &type);
        PyObject_GC_Del(ours);
        delete_tracked(theirs);
    }
}

static void
objects_with_items_ask_for_the_same(void **state)
{
    (void)state;
    require_python();
    PyVarObject *(*make)(PyTypeObject *, Py_ssize_t), *(*make_tracked)(PyTypeObject *, Py_ssize_t);
    PyObject *(*make_generic)(PyTypeObject *, Py_ssize_t);
    void (*delete)(void *), (*delete_tracked)(void *);
    find("_PyObject_NewVar", &make);
    find("_PyObject_GC_NewVar", &make_tracked);
    find("PyType_GenericAlloc", &make_generic);
    find("PyObject_Free", &delete);
    find("PyObject_GC_Del", &delete_tracked);
    for (int i = 1; i < BASIC_SIZES; i++) {
        for (int j = 0; j < ITEM_SIZES; j++) {
            PyTypeObject type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "items",
                                 .tp_basicsize = basic_sizes[i], .tp_itemsize = item_sizes[j]};
            for (int k = 0; k < ITEMS; k++) {
                PyVarObject *ours = _PyObject_NewVar(&type, items[k]);
                PyVarObject *theirs = make(&type, items[k]);
                assert_alike(&ours->ob_base, &theirs->ob_base, &type);
                assert_int_equal(Py_SIZE(ours), Py_SIZE(theirs));
                PyObject_Del(ours);
                delete (theirs);
                PyObject *plain = PyType_GenericAlloc(&type, items[k]);
                PyObject *generic = make_generic(&type, items[k]);
                assert_alike(plain, generic, &type);
                assert_memory_equal(plain, generic, our_request);
                PyObject_Del(plain);
                delete (generic);
                type.tp_flags = Py_TPFLAGS_HAVE_GC;
                ours = _PyObject_GC_NewVar(&type, items[k]);
                theirs = make_tracked(&type, items[k]);
                assert_alike(&ours->ob_base, &theirs->ob_base, &type);
                PyObject_GC_Del(ours);
                delete_tracked(theirs);
                plain = PyType_GenericAlloc(&type, items[k]);
                generic = make_generic(&type, items[k]);
                assert_alike(plain, generic, &type);
                PyObject_GC_Del(plain);
                delete_tracked(generic);
                type.tp_flags = 0;
            }
        }
    }
}

static void
resizing_asks_for_the_same(void **state)
{
    (void)state;
    require_python();
    PyVarObject *(*make_tracked)(PyTypeObject *, Py_ssize_t);
    PyVarObject *(*resize)(PyVarObject *, Py_ssize_t);
    void (*delete_tracked)(void *);
    find("_PyObject_GC_NewVar", &make_tracked);
    find("_PyObject_GC_Resize", &resize);
    find("PyObject_GC_Del", &delete_tracked);
    PyTypeObject type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "items", .tp_basicsize = 24,
                         .tp_itemsize = 12, .tp_flags = Py_TPFLAGS_HAVE_GC};
    PyVarObject *ours = _PyObject_GC_NewVar(&type, 3), *theirs = make_tracked(&type, 3);
    for (int k = 0; k < ITEMS; k++) {
        ours = PyObject_GC_Resize(PyVarObject, ours, items[k]);
        theirs = resize(theirs, items[k]);
        assert_int_equal(our_request, their_request);
        assert_int_equal(Py_SIZE(ours), Py_SIZE(theirs));
    }
    PyObject_GC_Del(ours);
    delete_tracked(theirs);
}

/* The struct has its members where CPython has them, from the first to those at its end. */
static void
real_types_can_be_read(void **state)
{
    (void)state;
    require_python();
    static const struct {
        const char *symbol, *name;
        Py_ssize_t basic, item;
        bool tracked, generic; /* has a gc header; has no tp_alloc of its own */
    } known[] = {
        {"PyFloat_Type", "float", 24, 0, false, true},
        {"PyTuple_Type", "tuple", 24, 8, true, true},
        {"PyList_Type", "list", 40, 0, true, true},
        {"PyBytes_Type", "bytes", 33, 1, false, false},
        {"PyDict_Type", "dict", 48, 0, true, false},
    };
    allocfunc generic;
    freefunc delete, delete_tracked;
    find("PyType_GenericAlloc", &generic);
    find("PyObject_Free", &delete);
    find("PyObject_GC_Del", &delete_tracked);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const PyTypeObject *type;
        find(known[i].symbol, &type);
        assert_string_equal(type->tp_name, known[i].name);
        assert_int_equal(type->tp_basicsize, known[i].basic);
        assert_int_equal(type->tp_itemsize, known[i].item);
        assert_int_equal((type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0, known[i].tracked);
        assert_true(type->tp_free == (known[i].tracked ? delete_tracked : delete));
        assert_int_equal(type->tp_alloc == generic, known[i].generic);
        assert_non_null(type->tp_dealloc);
    }
    PyObject *(*make_float)(double);
    const PyTypeObject *float_type;
    find("PyFloat_FromDouble", &make_float);
    find("PyFloat_Type", &float_type);
    PyObject *number = make_float(1.5);
    assert_ptr_equal(Py_TYPE(number), float_type);
    assert_int_equal(Py_REFCNT(number), 1);
    Py_DECREF(number); /* through their tp_dealloc */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_objects_ask_for_the_same),
        cmocka_unit_test(objects_with_items_ask_for_the_same),
        cmocka_unit_test(resizing_asks_for_the_same),
        cmocka_unit_test(real_types_can_be_read),
    };
    return cmocka_run_group_tests(tests, open_python, NULL);
}
