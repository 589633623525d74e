#include "alloc/object_lists.h"

void
rh_object_lists_init(rh_object_lists *objects, unsigned minor)
{
    *objects = (rh_object_lists){.user = {{NULL, 0}}};
    rh_free_lists_init(&objects->lists, minor, false);
}

bool
rh_object_lists_enter(rh_object_lists *objects, PyTypeObject *type, rh_free_kind kind,
                      Py_ssize_t items)
{
    for (int i = 0; i < RH_FREE_KIND_COUNT; i++)
        if (objects->user[i].type == type && i != (int)kind)
            return false;
    if (objects->user[kind].type && objects->user[kind].type != type)
        return false;
    objects->user[kind].type = type;
    objects->user[kind].items = items;
    return true;
}

/* The list for objects of `type` with `items` items; NULL when they have none. */
static rh_free_list *
list_of(rh_object_lists *objects, const PyTypeObject *type, Py_ssize_t items)
{
    for (int i = 0; i < RH_FREE_KIND_COUNT; i++) {
        if (objects->user[i].type != type)
            continue;
        if (i == RH_FREE_TUPLE)
            return rh_free_list_of(&objects->lists, RH_FREE_TUPLE, (size_t)items);
        if (type->tp_itemsize != 0 && items != objects->user[i].items)
            return NULL;
        return rh_free_list_of(&objects->lists, (rh_free_kind)i, 0);
    }
    return NULL;
}

static bool
has_gc_header(const PyTypeObject *type)
{
    return (type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0;
}

/* PyObject_Init tells tracemalloc that the block of a kept object is allocated here now. */
PyObject *
rh_object_new(rh_object_lists *objects, PyTypeObject *type)
{
    rh_free_list *list = type->tp_itemsize == 0 ? list_of(objects, type, 0) : NULL;
    void *kept = list ? rh_free_list_take(list) : NULL;
    if (kept)
        return PyObject_Init(kept, type);
    return has_gc_header(type) ? _PyObject_GC_New(type) : _PyObject_New(type);
}

PyVarObject *
rh_object_new_var(rh_object_lists *objects, PyTypeObject *type, Py_ssize_t items)
{
    bool listed = type->tp_itemsize != 0 && items >= 0;
    rh_free_list *list = listed ? list_of(objects, type, items) : NULL;
    void *kept = list ? rh_free_list_take(list) : NULL;
    if (kept)
        return PyObject_InitVar(kept, type, items);
    return has_gc_header(type) ? _PyObject_GC_NewVar(type, items) : _PyObject_NewVar(type, items);
}

static void
release(void *ctx, void *object)
{
    (void)ctx;
    if (has_gc_header(Py_TYPE(object)))
        PyObject_GC_Del(object);
    else
        PyObject_Del(object);
}

void
rh_object_delete(rh_object_lists *objects, PyObject *object)
{
    if (!object)
        return;
    const PyTypeObject *type = Py_TYPE(object);
    rh_free_list *list = list_of(objects, type, type->tp_itemsize ? Py_SIZE(object) : 0);
    if (!list || !rh_free_list_give(list, object))
        release(NULL, object);
}

/* A kept object still has its type: the link lies in the reference count. */
void
rh_object_lists_finish(rh_object_lists *objects)
{
    rh_free_lists_disable(&objects->lists, release, NULL);
}
