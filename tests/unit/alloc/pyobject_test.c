/* Objects over an OBJ domain that notes what it is asked for. */
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "alloc/object_lists.h"
#include "alloc/pybytes.h"
#include "alloc/pymem_trace.h"
#include "alloc/pyobject.h"

static size_t asked;  /* of the last call for memory */
static int live;      /* blocks */
static bool refusing; /* all memory */

void *
PyObject_Malloc(size_t size)
{
    asked = size;
    if (refusing || size > (size_t)PY_SSIZE_T_MAX)
        return NULL;
    live++;
    void *block = malloc(size ? size : 1);
    if (block)
        memset(block, 0xCD, size);
    return block;
}

void *
PyObject_Calloc(size_t nelem, size_t elsize)
{
    asked = nelem * elsize;
    if (refusing)
        return NULL;
    live++;
    return calloc(nelem, elsize);
}

void *
PyObject_Realloc(void *ptr, size_t new_size)
{
    asked = new_size;
    return refusing ? NULL : realloc(ptr, new_size);
}

static int errors_noted;

PyObject *
PyErr_NoMemory(void)
{
    errors_noted++;
    return NULL;
}

void
PyObject_Free(void *ptr)
{
    live -= ptr != NULL;
    free(ptr);
}

static const void *renewed; /* what tracemalloc was told of last */

void
rh_pymem_trace_renew(const void *ptr)
{
    renewed = ptr;
}

typedef struct {
    PyObject_HEAD double value;
} number;

typedef struct {
    PyObject_VAR_HEAD char item[1];
} row;

static PyTypeObject number_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "number",
    .tp_basicsize = sizeof(number),
};
static PyTypeObject row_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "row",
    .tp_basicsize = offsetof(row, item),
    .tp_itemsize = 3,
};
static PyTypeObject tracked_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "tracked",
    .tp_basicsize = sizeof(PyVarObject),
    .tp_itemsize = sizeof(void *),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
};

static void
fixed_objects_have_their_basic_size(void **state)
{
    (void)state;
    number *object = PyObject_New(number, &number_type);
    assert_int_equal(asked, 24);
    assert_int_equal(Py_REFCNT(object), 1);
    assert_ptr_equal(Py_TYPE(object), &number_type);
    PyObject_Del(object);
    PyTypeObject odd = {.tp_basicsize = 17};
    PyObject *small = PyObject_New(PyObject, &odd);
    assert_int_equal(asked, 17); /* not rounded */
    PyObject_DEL(small);
    assert_int_equal(live, 0);
}

static void
items_are_rounded_up_to_words(void **state)
{
    (void)state;
    static const struct {
        Py_ssize_t items;
        size_t bytes;
    } expected[] = {{0, 24}, {1, 32}, {2, 32}, {3, 40}, {8, 48}, {9, 56}, {100, 328}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        row *object = PyObject_NewVar(row, &row_type, expected[i].items);
        assert_int_equal(asked, expected[i].bytes);
        assert_int_equal(Py_SIZE(object), expected[i].items);
        assert_int_equal(Py_REFCNT(object), 1);
        PyObject_Del(object);
        assert_int_equal(rh_object_bytes(&row_type, expected[i].items), expected[i].bytes);
    }
    assert_int_equal(live, 0);
}

static void
impossible_sizes_yield_nothing(void **state)
{
    (void)state;
    asked = 1;
    assert_null(PyObject_NewVar(row, &row_type, -1));
    assert_null(PyObject_NewVar(row, &row_type, PY_SSIZE_T_MAX));
    assert_null(PyObject_NewVar(row, &row_type, PY_SSIZE_T_MAX / 3));
    assert_null(PyObject_GC_NewVar(row, &row_type, PY_SSIZE_T_MAX / 3 - 8));
    assert_null(PyType_GenericAlloc(&row_type, PY_SSIZE_T_MAX));
    assert_null(PyType_GenericAlloc(&row_type, PY_SSIZE_T_MAX / 3));
    PyTypeObject huge = {.tp_basicsize = PY_SSIZE_T_MAX}, negative = {.tp_basicsize = -8};
    assert_null(PyObject_GC_New(PyObject, &huge));
    assert_null(PyObject_New(PyObject, &negative));
    assert_int_equal(asked, 1); /* nobody was asked */
    assert_null(PyObject_Init(NULL, &number_type));
    assert_null(PyObject_InitVar(NULL, &row_type, 1));
    refusing = true;
    assert_null(PyObject_New(number, &number_type));
    assert_null(PyObject_GC_NewVar(row, &tracked_type, 1));
    assert_null(PyType_GenericAlloc(&tracked_type, 1));
    refusing = false;
    assert_int_equal(errors_noted, 13); /* each time */
}

static void
tracked_objects_have_a_header(void **state)
{
    (void)state;
    PyVarObject *object = PyObject_GC_NewVar(PyVarObject, &tracked_type, 2);
    assert_int_equal(asked, 16 + 24 + 16);
    void **items = (void **)(object + 1);
    items[0] = &items[0], items[1] = NULL;
    void *kept = items[0];
    object = PyObject_GC_Resize(PyVarObject, object, 100);
    assert_int_equal(asked, 16 + 24 + 800);
    assert_int_equal(Py_SIZE(object), 100);
    assert_ptr_equal(((void **)(object + 1))[0], kept);
    refusing = true;
    assert_null(PyObject_GC_Resize(PyVarObject, object, 200));
    refusing = false;
    assert_null(PyObject_GC_Resize(PyVarObject, object, PY_SSIZE_T_MAX / 8));
    assert_int_equal(Py_SIZE(object), 100);
    PyObject_GC_Del(object);
    PyObject_GC_Del(NULL);
    PyObject *fixed = PyObject_GC_New(PyObject, &number_type);
    assert_int_equal(asked, 16 + 24);
    PyObject_GC_Del(fixed);
    assert_int_equal(live, 0);
}

static void
generic_allocation_clears(void **state)
{
    (void)state;
    PyVarObject *object = (PyVarObject *)PyType_GenericAlloc(&tracked_type, 3);
    assert_int_equal(asked, 16 + 24 + 4 * 8);
    assert_int_equal(Py_SIZE(object), 3);
    for (int i = 0; i < 4; i++)
        assert_null(((void **)(object + 1))[i]);
    PyObject_GC_Del(object);
    number *plain = (number *)PyType_GenericAlloc(&number_type, 7);
    assert_int_equal(asked, 24);
    assert_true(plain->value == 0);
    PyObject_Del(plain);
    assert_int_equal(live, 0);
}

static void
objects_keep_a_heap_type_alive(void **state)
{
    (void)state;
    PyTypeObject heap_type = {PyVarObject_HEAD_INIT(NULL, 0).tp_basicsize = sizeof(PyObject),
                              .tp_flags = Py_TPFLAGS_HEAPTYPE};
    PyObject *object = PyObject_New(PyObject, &heap_type);
    assert_int_equal(Py_REFCNT(&heap_type), 2);
    Py_INCREF(object);
    assert_int_equal(Py_REFCNT(object), 2);
    PyObject_Del(object);
}

static void
deallocate_number(PyObject *object)
{
    PyObject_Del(object);
}

static void
the_last_reference_deallocates(void **state)
{
    (void)state;
    PyTypeObject type = {.tp_basicsize = sizeof(number), .tp_dealloc = deallocate_number};
    number *object = PyObject_New(number, &type);
    Py_INCREF(object);
    Py_DECREF(object);
    assert_int_equal(live, 1);
    Py_DECREF(object);
    assert_int_equal(live, 0);
}

/* ---- with free lists ---- */

static void
dead_objects_come_back(void **state)
{
    (void)state;
    rh_object_lists objects;
    rh_object_lists_init(&objects, 11);
    assert_true(rh_object_lists_enter(&objects, &number_type, RH_FREE_FLOAT, 0));
    PyObject *first = rh_object_new(&objects, &number_type);
    PyObject *second = rh_object_new(&objects, &number_type);
    rh_object_delete(&objects, first);
    rh_object_delete(&objects, second);
    assert_int_equal(live, 2);
    asked = 0;
    assert_ptr_equal(rh_object_new(&objects, &number_type), second);
    assert_ptr_equal(renewed, second);
    assert_int_equal(Py_REFCNT(second), 1);
    assert_ptr_equal(Py_TYPE(second), &number_type);
    assert_ptr_equal(rh_object_new(&objects, &number_type), first);
    assert_int_equal(asked, 0);
    rh_object_delete(&objects, first);
    rh_object_delete(&objects, second);
    rh_object_delete(&objects, NULL);
    rh_object_lists_finish(&objects);
    assert_int_equal(live, 0);
    const rh_free_list *list = &objects.lists.list[RH_FREE_TUPLE_LENGTHS + RH_FREE_FLOAT - 1];
    assert_int_equal(list->hits, 2);
    assert_int_equal(list->misses, 2);
}

/* 2,000 of each length and no more; the empty one and long ones are never kept. */
static void
tuples_have_a_list_for_each_length(void **state)
{
    (void)state;
    rh_object_lists objects;
    rh_object_lists_init(&objects, 11);
    assert_true(rh_object_lists_enter(&objects, &tracked_type, RH_FREE_TUPLE, 0));
    static PyVarObject *object[2003];
    for (int i = 0; i < 2003; i++)
        object[i] = rh_object_new_var(&objects, &tracked_type, 20);
    for (int i = 0; i < 2003; i++)
        rh_object_delete(&objects, &object[i]->ob_base);
    assert_int_equal(live, 2000);
    assert_int_equal(rh_free_list_of(&objects.lists, RH_FREE_TUPLE, 20)->rejected, 3);
    for (Py_ssize_t length = 0; length <= 21; length++) {
        PyVarObject *tuple = rh_object_new_var(&objects, &tracked_type, length);
        assert_int_equal(Py_SIZE(tuple), length);
        if (length == 20) {
            assert_ptr_equal(tuple, object[1999]);
            assert_ptr_equal(renewed, (char *)tuple - RH_GC_HEADER_BYTES);
        }
        rh_object_delete(&objects, &tuple->ob_base);
    }
    assert_int_equal(live, 2019); /* one each of 1 to 19 beside them */
    assert_null(rh_object_new_var(&objects, &tracked_type, -1));
    assert_int_equal(rh_free_lists_check(&objects.lists, NULL), RH_OK);
    rh_object_lists_finish(&objects);
    assert_int_equal(live, 0);
    PyVarObject *late = rh_object_new_var(&objects, &tracked_type, 5);
    rh_object_delete(&objects, &late->ob_base);
    assert_int_equal(live, 0);
}

static void
types_do_not_share_kinds(void **state)
{
    (void)state;
    rh_object_lists objects;
    rh_object_lists_init(&objects, 14);
    PyTypeObject other = number_type;
    assert_true(rh_object_lists_enter(&objects, &number_type, RH_FREE_FLOAT, 0));
    assert_false(rh_object_lists_enter(&objects, &other, RH_FREE_FLOAT, 0));
    assert_false(rh_object_lists_enter(&objects, &number_type, RH_FREE_COMPLEX, 0));
    assert_true(rh_object_lists_enter(&objects, &row_type, RH_FREE_INT, 1));
    PyObject *stranger = rh_object_new(&objects, &other); /* not of exactly that type */
    rh_object_delete(&objects, stranger);
    assert_int_equal(live, 0);
    for (Py_ssize_t items = 0; items <= 2; items++) {
        PyVarObject *object = rh_object_new_var(&objects, &row_type, items);
        rh_object_delete(&objects, &object->ob_base);
    }
    assert_int_equal(live, 1); /* that of one item */
    rh_object_lists_finish(&objects);
    assert_int_equal(live, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_objects_have_their_basic_size),
        cmocka_unit_test(items_are_rounded_up_to_words),
        cmocka_unit_test(impossible_sizes_yield_nothing),
        cmocka_unit_test(tracked_objects_have_a_header),
        cmocka_unit_test(generic_allocation_clears),
        cmocka_unit_test(objects_keep_a_heap_type_alive),
        cmocka_unit_test(the_last_reference_deallocates),
        cmocka_unit_test(dead_objects_come_back),
        cmocka_unit_test(tuples_have_a_list_for_each_length),
        cmocka_unit_test(types_do_not_share_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
