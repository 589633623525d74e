/* Allocators of objects that know their types: free lists before PyObject_New and PyObject_Del.
 *
 * A type is entered under the kind of list that it uses. An object of exactly that type is then
 * taken from its list when that has one, and kept there when it dies while there is room; all else
 * goes to the object functions of pyobject.h, with a gc header where the type's flags ask for one.
 * So a hit asks the OBJ domain for nothing: hooks on it see neither the birth nor the death; only
 * tracemalloc is told that the block has a new origin.
 */
#ifndef REHEAP_ALLOC_OBJECT_LISTS_H
#define REHEAP_ALLOC_OBJECT_LISTS_H

#include "alloc/free_lists.h"
#include "alloc/pyobject.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rh_object_lists {
    rh_free_lists lists;
    struct {
        PyTypeObject *type; /* NULL: no type uses this kind */
        Py_ssize_t items;   /* what an object must have to be kept; tuples: any number */
    } user[RH_FREE_KIND_COUNT];
} rh_object_lists;

/* Lists as CPython 3.`minor` has them; no type uses them yet. */
void rh_object_lists_init(rh_object_lists *objects, unsigned minor);

/* Objects of `type` with `items` items (RH_FREE_TUPLE: with any number) use the lists of `kind`
 * from now on. False when another type does, or this one uses another kind. */
bool rh_object_lists_enter(rh_object_lists *objects, PyTypeObject *type, rh_free_kind kind,
                           Py_ssize_t items);

/* A new object: as PyObject_New or PyObject_GC_New, and as their forms with items. NULL when there
 * is no memory or the size is impossible. Fields of a reused object hold what it left in them, the
 * first word apart. */
PyObject *rh_object_new(rh_object_lists *objects, PyTypeObject *type);
PyVarObject *rh_object_new_var(rh_object_lists *objects, PyTypeObject *type, Py_ssize_t items);

/* For the end of a tp_dealloc, in the place of tp_free: keeps the object's memory or gives it back.
 * As there, the reference that an object has to a heap type is the caller's to drop. NULL is
 * allowed. */
void rh_object_delete(rh_object_lists *objects, PyObject *object);

/* Gives back what the lists keep; afterwards they keep nothing. */
void rh_object_lists_finish(rh_object_lists *objects);

#ifdef __cplusplus
}
#endif

#endif
