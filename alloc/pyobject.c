/* See pyobject.h. Sizes are worked out with every step guarded: a type is a stranger's data. */
#include "alloc/pyobject.h"

#include "alloc/pybytes.h"
#include <stdbool.h>

/* Two links of a list of tracked objects, which nobody here keeps. */
typedef struct gc_header {
    uintptr_t next, previous;
} gc_header;

_Static_assert(sizeof(gc_header) == RH_GC_HEADER_BYTES, "the header has CPython's size");

size_t
rh_object_bytes(const PyTypeObject *type, Py_ssize_t items)
{
    enum { WORD = sizeof(void *) };
    Py_ssize_t bytes;
    if (items < 0 || type->tp_basicsize < 0 || type->tp_itemsize < 0)
        return 0;
    if (__builtin_mul_overflow(items, type->tp_itemsize, &bytes) ||
        __builtin_add_overflow(bytes, type->tp_basicsize, &bytes) ||
        __builtin_add_overflow(bytes, (Py_ssize_t)(WORD - 1), &bytes))
        return 0;
    return (size_t)bytes / WORD * WORD;
}

/* Of pymem_trace.h; NULL in a program that links no tracing. */
extern void rh_pymem_trace_renew(const void *block) __attribute__((weak));

/* As CPython at every first reference: memory that is traced already, because it comes from a free
 * list, is allocated here from now on. */
static void
set_type(PyObject *object, PyTypeObject *type)
{
    object->ob_type = type;
    object->ob_refcnt = 1;
    if (type->tp_flags & Py_TPFLAGS_HEAPTYPE)
        Py_INCREF(type);
    if (rh_pymem_trace_renew)
        rh_pymem_trace_renew(type->tp_flags & Py_TPFLAGS_HAVE_GC
                                 ? (const char *)object - RH_GC_HEADER_BYTES
                                 : (const char *)object);
}

PyObject *
PyObject_Init(PyObject *object, PyTypeObject *type)
{
    if (!object)
        return PyErr_NoMemory();
    set_type(object, type);
    return object;
}

PyVarObject *
PyObject_InitVar(PyVarObject *object, PyTypeObject *type, Py_ssize_t items)
{
    if (!object)
        return (PyVarObject *)PyErr_NoMemory();
    object->ob_size = items;
    set_type(&object->ob_base, type);
    return object;
}

PyObject *
_PyObject_New(PyTypeObject *type)
{
    if (type->tp_basicsize < (Py_ssize_t)sizeof(PyObject))
        return PyErr_NoMemory();
    return PyObject_Init(PyObject_Malloc((size_t)type->tp_basicsize), type);
}

PyVarObject *
_PyObject_NewVar(PyTypeObject *type, Py_ssize_t items)
{
    size_t bytes = rh_object_bytes(type, items);
    if (bytes < sizeof(PyVarObject))
        return (PyVarObject *)PyErr_NoMemory();
    return PyObject_InitVar(PyObject_Malloc(bytes), type, items);
}

/* ---- with a gc header ---- */

static gc_header *
header_of(void *object)
{
    return (gc_header *)object - 1;
}

/* Room for an object of `bytes`, its header cleared and, if wanted, the rest, too. */
static void *
alloc_with_header(size_t bytes, bool clear)
{
    if (bytes > (size_t)PY_SSIZE_T_MAX - sizeof(gc_header))
        return NULL;
    size_t whole = sizeof(gc_header) + bytes;
    gc_header *header = clear ? PyObject_Calloc(1, whole) : PyObject_Malloc(whole);
    if (!header)
        return NULL;
    *header = (gc_header){0, 0};
    return header + 1;
}

PyObject *
_PyObject_GC_New(PyTypeObject *type)
{
    if (type->tp_basicsize < (Py_ssize_t)sizeof(PyObject))
        return PyErr_NoMemory();
    return PyObject_Init(alloc_with_header((size_t)type->tp_basicsize, false), type);
}

PyVarObject *
_PyObject_GC_NewVar(PyTypeObject *type, Py_ssize_t items)
{
    size_t bytes = rh_object_bytes(type, items);
    if (bytes < sizeof(PyVarObject))
        return (PyVarObject *)PyErr_NoMemory();
    return PyObject_InitVar(alloc_with_header(bytes, false), type, items);
}

PyVarObject *
_PyObject_GC_Resize(PyVarObject *object, Py_ssize_t items)
{
    size_t bytes = rh_object_bytes(Py_TYPE(object), items);
    if (bytes < sizeof(PyVarObject) || bytes > (size_t)PY_SSIZE_T_MAX - sizeof(gc_header))
        return (PyVarObject *)PyErr_NoMemory();
    gc_header *header = PyObject_Realloc(header_of(object), sizeof(gc_header) + bytes);
    if (!header)
        return (PyVarObject *)PyErr_NoMemory();
    PyVarObject *resized = (PyVarObject *)(header + 1);
    resized->ob_size = items;
    return resized;
}

void
PyObject_GC_Del(void *object)
{
    if (object)
        PyObject_Free(header_of(object));
}

PyObject *
PyType_GenericAlloc(PyTypeObject *type, Py_ssize_t items)
{
    /* The item more is a sentinel's place. */
    if (items == PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    size_t bytes = rh_object_bytes(type, type->tp_itemsize ? items + 1 : 0);
    if (bytes < sizeof(PyObject))
        return PyErr_NoMemory();
    void *object = type->tp_flags & Py_TPFLAGS_HAVE_GC ? alloc_with_header(bytes, true)
                                                       : PyObject_Calloc(1, bytes);
    if (type->tp_itemsize == 0)
        return PyObject_Init(object, type);
    return (PyObject *)PyObject_InitVar(object, type, items);
}
