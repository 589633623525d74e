/* Objects and types as far as memory goes: what PyObject_New, PyObject_NewVar and PyObject_Del need
 * of them.
 *
 * A fixed-size object is tp_basicsize bytes; one with items has tp_itemsize more for each, rounded
 * up to whole words. The memory is the OBJ domain's. Objects that the cycle collector would track
 * (the GC functions) have two words more before them, which belong to the same block:
 *
 *      block                      object: what everybody points at
 *      |                          |
 *      [ gc header: 16, if any ] [ refcount | type | (items) | the type's own ... ]
 *
 * There is no interpreter here: where CPython would raise MemoryError, NULL is returned and the
 * error noted (PyErr_NoMemory in pybytes.h); no collector runs, and PyObject_GC_Track does not
 * exist. The structs have CPython's layout, 3.8 to 3.11, so that its own types can be read through
 * them.
 */
#ifndef REHEAP_ALLOC_PYOBJECT_H
#define REHEAP_ALLOC_PYOBJECT_H

#include "alloc/pymem.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _object PyObject;
typedef struct _typeobject PyTypeObject;
typedef Py_ssize_t Py_hash_t;

struct _object {
    Py_ssize_t ob_refcnt;
    PyTypeObject *ob_type;
};

typedef struct {
    PyObject ob_base;
    Py_ssize_t ob_size; /* items */
} PyVarObject;

#define PyObject_HEAD     PyObject ob_base;
#define PyObject_VAR_HEAD PyVarObject ob_base;

/* For types that are variables of a program. */
#define PyObject_HEAD_INIT(type)          {1, (type)},
#define PyVarObject_HEAD_INIT(type, size) {PyObject_HEAD_INIT(type)(size)},

/* ---- types ---- */

typedef void (*destructor)(PyObject *);
typedef void (*freefunc)(void *);
typedef PyObject *(*allocfunc)(PyTypeObject *, Py_ssize_t);
typedef PyObject *(*newfunc)(PyTypeObject *, PyObject *, PyObject *);
typedef int (*initproc)(PyObject *, PyObject *, PyObject *);
typedef int (*inquiry)(PyObject *);
typedef int (*visitproc)(PyObject *, void *);
typedef int (*traverseproc)(PyObject *, visitproc, void *);
typedef PyObject *(*getattrfunc)(PyObject *, char *);
typedef int (*setattrfunc)(PyObject *, char *, PyObject *);
typedef PyObject *(*getattrofunc)(PyObject *, PyObject *);
typedef int (*setattrofunc)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*reprfunc)(PyObject *);
typedef Py_hash_t (*hashfunc)(PyObject *);
typedef PyObject *(*ternaryfunc)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*richcmpfunc)(PyObject *, PyObject *, int);
typedef PyObject *(*getiterfunc)(PyObject *);
typedef PyObject *(*iternextfunc)(PyObject *);
typedef PyObject *(*descrgetfunc)(PyObject *, PyObject *, PyObject *);
typedef int (*descrsetfunc)(PyObject *, PyObject *, PyObject *);
typedef PyObject *(*vectorcallfunc)(PyObject *, PyObject *const *, size_t, PyObject *);

/* Read by nobody here: there so that the other members lie where CPython has them. */
struct _typeobject {
    PyVarObject ob_base;
    const char *tp_name;
    Py_ssize_t tp_basicsize; /* bytes of an object without items */
    Py_ssize_t tp_itemsize;  /* bytes of an item; 0: the type has none */
    destructor tp_dealloc;
    Py_ssize_t tp_vectorcall_offset;
    getattrfunc tp_getattr;
    setattrfunc tp_setattr;
    struct PyAsyncMethods *tp_as_async;
    reprfunc tp_repr;
    struct PyNumberMethods *tp_as_number;
    struct PySequenceMethods *tp_as_sequence;
    struct PyMappingMethods *tp_as_mapping;
    hashfunc tp_hash;
    ternaryfunc tp_call;
    reprfunc tp_str;
    getattrofunc tp_getattro;
    setattrofunc tp_setattro;
    struct PyBufferProcs *tp_as_buffer;
    unsigned long tp_flags; /* Py_TPFLAGS_… */
    const char *tp_doc;
    traverseproc tp_traverse;
    inquiry tp_clear;
    richcmpfunc tp_richcompare;
    Py_ssize_t tp_weaklistoffset;
    getiterfunc tp_iter;
    iternextfunc tp_iternext;
    struct PyMethodDef *tp_methods;
    struct PyMemberDef *tp_members;
    struct PyGetSetDef *tp_getset;
    PyTypeObject *tp_base;
    PyObject *tp_dict;
    descrgetfunc tp_descr_get;
    descrsetfunc tp_descr_set;
    Py_ssize_t tp_dictoffset;
    initproc tp_init;
    allocfunc tp_alloc;
    newfunc tp_new;
    freefunc tp_free;
    inquiry tp_is_gc;
    PyObject *tp_bases;
    PyObject *tp_mro;
    PyObject *tp_cache;
    PyObject *tp_subclasses;
    PyObject *tp_weaklist;
    destructor tp_del;
    unsigned int tp_version_tag;
    destructor tp_finalize;
    vectorcallfunc tp_vectorcall;
};

#define Py_TPFLAGS_HEAPTYPE (1UL << 9) /* the type is an object that its objects keep alive */
#define Py_TPFLAGS_BASETYPE (1UL << 10)
#define Py_TPFLAGS_HAVE_GC  (1UL << 14) /* its objects have a gc header */
#define Py_TPFLAGS_DEFAULT  0UL

/* ---- fields ---- */

static inline Py_ssize_t
Py_REFCNT(const PyObject *object)
{
    return object->ob_refcnt;
}

static inline PyTypeObject *
Py_TYPE(const PyObject *object)
{
    return object->ob_type;
}

static inline Py_ssize_t
Py_SIZE(const PyVarObject *object)
{
    return object->ob_size;
}

static inline void
Py_SET_REFCNT(PyObject *object, Py_ssize_t count)
{
    object->ob_refcnt = count;
}

static inline void
Py_SET_TYPE(PyObject *object, PyTypeObject *type)
{
    object->ob_type = type;
}

static inline void
Py_SET_SIZE(PyVarObject *object, Py_ssize_t items)
{
    object->ob_size = items;
}

static inline void
Py_INCREF(PyObject *object)
{
    object->ob_refcnt++;
}

/* The last one runs the type's tp_dealloc. */
static inline void
Py_DECREF(PyObject *object)
{
    if (--object->ob_refcnt == 0)
        object->ob_type->tp_dealloc(object);
}

#define Py_REFCNT(object)            Py_REFCNT((const PyObject *)(object))
#define Py_TYPE(object)              Py_TYPE((const PyObject *)(object))
#define Py_SIZE(object)              Py_SIZE((const PyVarObject *)(object))
#define Py_SET_REFCNT(object, count) Py_SET_REFCNT((PyObject *)(object), (count))
#define Py_SET_TYPE(object, type)    Py_SET_TYPE((PyObject *)(object), (type))
#define Py_SET_SIZE(object, items)   Py_SET_SIZE((PyVarObject *)(object), (items))
#define Py_INCREF(object)            Py_INCREF((PyObject *)(object))
#define Py_DECREF(object)            Py_DECREF((PyObject *)(object))

/* ---- objects made and unmade ---- */

/* Makes an object of memory that the caller has: type, one reference and, InitVar, the number of
 * items. A heap type gets a reference more. Returns it; NULL of NULL. */
PyObject *PyObject_Init(PyObject *object, PyTypeObject *type);
PyVarObject *PyObject_InitVar(PyVarObject *object, PyTypeObject *type, Py_ssize_t items);

/* A new object, its own fields not cleared. NULL when there is no memory, when the size would
 * exceed PY_SSIZE_T_MAX, and for a negative number of items. */
PyObject *_PyObject_New(PyTypeObject *type);
PyVarObject *_PyObject_NewVar(PyTypeObject *type, Py_ssize_t items);

#define PyObject_New(type, typeobj)           ((type *)_PyObject_New(typeobj))
#define PyObject_NewVar(type, typeobj, items) ((type *)_PyObject_NewVar((typeobj), (items)))

/* Frees the memory of an object that one of these made; runs no tp_dealloc. */
#define PyObject_Del PyObject_Free

/* The same with a gc header before the object. */
PyObject *_PyObject_GC_New(PyTypeObject *type);
PyVarObject *_PyObject_GC_NewVar(PyTypeObject *type, Py_ssize_t items);
/* Changes the number of items; NULL, with the object as it was, on failure. */
PyVarObject *_PyObject_GC_Resize(PyVarObject *object, Py_ssize_t items);
void PyObject_GC_Del(void *object);

#define PyObject_GC_New(type, typeobj)           ((type *)_PyObject_GC_New(typeobj))
#define PyObject_GC_NewVar(type, typeobj, items) ((type *)_PyObject_GC_NewVar((typeobj), (items)))
#define PyObject_GC_Resize(type, object, items)                                                    \
    ((type *)_PyObject_GC_Resize((PyVarObject *)(object), (items)))

/* What a type without an allocator of its own has as tp_alloc: a cleared object, with a gc header
 * if the type's flags ask for one, and room for an item more than `items` if it has items. */
PyObject *PyType_GenericAlloc(PyTypeObject *type, Py_ssize_t items);

/* Older names for the same. */
#define PyObject_DEL                           PyObject_Free
#define PyObject_NEW(type, typeobj)            PyObject_New(type, typeobj)
#define PyObject_NEW_VAR(type, typeobj, items) PyObject_NewVar(type, typeobj, items)
#define PyObject_INIT(object, typeobj)         PyObject_Init((PyObject *)(object), (typeobj))
#define PyObject_INIT_VAR(object, typeobj, items)                                                  \
    PyObject_InitVar((PyVarObject *)(object), (typeobj), (items))

/* Bytes of an object with `items` items, gc header not included; 0 when that would exceed
 * PY_SSIZE_T_MAX or the number is negative. */
size_t rh_object_bytes(const PyTypeObject *type, Py_ssize_t items);

/* Bytes of the gc header. */
#define RH_GC_HEADER_BYTES ((size_t)16)

#ifdef __cplusplus
}
#endif

#endif
