#include "alloc/pybytes.h"

#include <stddef.h>
#include <string.h>

#define BYTES_OVERHEAD (offsetof(PyBytesObject, ob_sval) + 1)

/* A type is there to be compared with; its objects are nobody's to call. */
static PyTypeObject memory_error_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "MemoryError",
    .tp_basicsize = sizeof(PyObject),
};
static PyObject memory_error = {1, &memory_error_type};
PyObject *PyExc_MemoryError = &memory_error;

static _Thread_local PyObject *noted;

PyObject *
PyErr_NoMemory(void)
{
    noted = PyExc_MemoryError;
    return NULL;
}

PyObject *
PyErr_Occurred(void)
{
    return noted;
}

void
PyErr_Clear(void)
{
    noted = NULL;
}

static void
free_bytes(PyObject *object)
{
    PyObject_Free(object);
}

static PyTypeObject bytes_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "bytes",
    .tp_basicsize = (Py_ssize_t)BYTES_OVERHEAD,
    .tp_itemsize = 1,
    .tp_dealloc = free_bytes,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_free = PyObject_Free,
};

PyTypeObject *
rh_pymem_bytes_type(void)
{
    return &bytes_type;
}

PyObject *
PyBytes_FromStringAndSize(const char *text, Py_ssize_t size)
{
    if (size < 0)
        return NULL;
    if ((size_t)size > (size_t)PY_SSIZE_T_MAX - BYTES_OVERHEAD)
        return PyErr_NoMemory();
    PyBytesObject *bytes = PyObject_Malloc(BYTES_OVERHEAD + (size_t)size);
    if (!bytes)
        return PyErr_NoMemory();
    PyObject_InitVar(&bytes->ob_base, &bytes_type, size);
    bytes->ob_shash = -1;
    if (text)
        memcpy(bytes->ob_sval, text, (size_t)size);
    bytes->ob_sval[size] = '\0';
    return &bytes->ob_base.ob_base;
}

PyObject *
PyBytes_FromString(const char *text)
{
    return PyBytes_FromStringAndSize(text, (Py_ssize_t)strlen(text));
}

char *
PyBytes_AsString(PyObject *object)
{
    return PyBytes_Check(object) ? ((PyBytesObject *)object)->ob_sval : NULL;
}

Py_ssize_t
PyBytes_Size(PyObject *object)
{
    return PyBytes_Check(object) ? Py_SIZE(object) : -1;
}
