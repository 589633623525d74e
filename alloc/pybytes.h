/* The few functions outside memory management that the examples of its chapter call: a bytes object
 * made of a buffer, and MemoryError noted when there is no memory for one.
 *
 * A bytes object is CPython's, 3.7 to 3.15: a block of OBJ of 33 bytes and its contents. There are
 * no cached ones: an empty string and one of a single byte are objects like all others. The noted
 * error is the calling thread's; nothing raises it, the functions of memory never set it.
 */
#ifndef REHEAP_ALLOC_PYBYTES_H
#define REHEAP_ALLOC_PYBYTES_H

#include "alloc/pyobject.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    PyVarObject ob_base;
    Py_hash_t ob_shash; /* -1: not computed */
    char ob_sval[1];    /* the contents and a zero byte */
} PyBytesObject;

/* Through a function, for a variable would be two: a program that is not position-independent gets
 * a copy of a library's variable, and this library, which must not use a libpython's beside it,
 * keeps to its own. */
PyTypeObject *rh_pymem_bytes_type(void);
#define PyBytes_Type          (*rh_pymem_bytes_type())
#define PyBytes_Check(object) (Py_TYPE(object) == &PyBytes_Type)

/* A new object with this content; NULL with the error noted when there is no memory, NULL for a
 * negative size. `text` NULL: the content is left for the caller to write. */
PyObject *PyBytes_FromStringAndSize(const char *text, Py_ssize_t size);
/* The same of a text that ends with a zero byte. */
PyObject *PyBytes_FromString(const char *text);

/* Of a bytes object; NULL and -1 for another. */
char *PyBytes_AsString(PyObject *object);
Py_ssize_t PyBytes_Size(PyObject *object);

/* Notes that there was no memory. Returns NULL. */
PyObject *PyErr_NoMemory(void);
/* PyExc_MemoryError when that was noted in this thread and not cleared since, else NULL. */
PyObject *PyErr_Occurred(void);
void PyErr_Clear(void);

extern PyObject *PyExc_MemoryError;

#ifdef __cplusplus
}
#endif

#endif
