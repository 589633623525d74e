/* Objects through libpymem.so: types with free lists, hooks on OBJ that count what passes, and what
 * happens when there is no memory. Prints what it finds. */
#include "Python.h"
#include "alloc/object_lists.h"

static PyMemAllocatorEx under;
static long births, deaths;
static int refusing;

static void *
counting_malloc(void *ctx, size_t size)
{
    (void)ctx;
    void *block = refusing ? NULL : under.malloc(under.ctx, size);
    births += block != NULL;
    return block;
}

static void *
counting_calloc(void *ctx, size_t nelem, size_t elsize)
{
    (void)ctx;
    void *block = refusing ? NULL : under.calloc(under.ctx, nelem, elsize);
    births += block != NULL;
    return block;
}

static void *
counting_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    void *block = refusing ? NULL : under.realloc(under.ctx, ptr, size);
    births += block != NULL && !ptr;
    return block;
}

static void
counting_free(void *ctx, void *ptr)
{
    (void)ctx;
    under.free(under.ctx, ptr);
    deaths += ptr != NULL;
}

/* ---- two types ---- */

static rh_object_lists lists;

static void
deallocate(PyObject *object)
{
    rh_object_delete(&lists, object);
}

typedef struct {
    PyObject_HEAD double value;
} number;

static PyTypeObject number_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "objects.number",
    .tp_basicsize = sizeof(number),
    .tp_dealloc = deallocate,
};

typedef struct {
    PyObject_VAR_HEAD PyObject *item[1];
} row;

static void
deallocate_row(PyObject *object)
{
    for (Py_ssize_t i = 0; i < Py_SIZE(object); i++)
        Py_DECREF(((row *)object)->item[i]);
    rh_object_delete(&lists, object);
}

static PyTypeObject row_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "objects.row",
    .tp_basicsize = offsetof(row, item),
    .tp_itemsize = sizeof(PyObject *),
    .tp_dealloc = deallocate_row,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
};

static PyObject *
new_number(double value)
{
    number *made = (number *)rh_object_new(&lists, &number_type);
    if (made)
        made->value = value;
    return (PyObject *)made;
}

/* A row of three numbers; NULL without memory. */
static PyObject *
new_row(void)
{
    row *made = (row *)rh_object_new_var(&lists, &row_type, 3);
    if (!made)
        return NULL;
    for (int i = 0; i < 3; i++) {
        made->item[i] = new_number(i);
        if (!made->item[i]) {
            Py_SET_SIZE(made, i);
            Py_DECREF(made);
            return NULL;
        }
    }
    return (PyObject *)made;
}

int
main(void)
{
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &under);
    PyMemAllocatorEx counting = {NULL, counting_malloc, counting_calloc, counting_realloc,
                                 counting_free};
    PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &counting);
    rh_object_lists_init(&lists, 11);
    rh_object_lists_enter(&lists, &number_type, RH_FREE_FLOAT, 0);
    rh_object_lists_enter(&lists, &row_type, RH_FREE_TUPLE, 0);
    for (int i = 0; i < 1000; i++)
        Py_DECREF(new_row());
    printf("after 1,000 rows: %ld births, %ld deaths\n", births, deaths);
    rh_free_lists_print(&lists.lists, stdout);

    refusing = 1;
    PyErr_Clear();
    PyObject *kept = new_row(), *next = new_row();
    printf("kept rows need no memory: %s\n", kept ? "yes" : "no");
    printf("the next one does: %s\n", next ? "no" : "yes");
    printf("noted: %s\n", PyErr_Occurred() == PyExc_MemoryError ? "MemoryError" : "nothing");
    PyErr_Clear();
    printf("PyObject_New: %s\n", PyObject_New(number, &number_type) ? "made" : "refused");
    printf("noted: %s\n", PyErr_Occurred() == PyExc_MemoryError ? "MemoryError" : "nothing");
    refusing = 0;

    number *plain = PyObject_New(number, &number_type);
    PyObject_Del(plain);
    rh_object_lists_finish(&lists);
    printf("left: %ld\n", births - deaths); /* the row of above and its three numbers */
    Py_DECREF(kept);
    printf("left at last: %ld\n", births - deaths);
    return 0;
}
