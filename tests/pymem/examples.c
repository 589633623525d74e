/* The examples of the memory chapter of CPython's manual, told again with the documented calls, as
 * somebody would write them who has only Python.h.
 *
 * usage: examples buffers    a buffer for input and output, obtained in three ways
 *        examples errors     three buffers released, two of them by the wrong function
 *        examples domains    a buffer released by another domain's function
 *        examples arrays     the pairs of new, resize and del
 */
#include "Python.h"

/* Pretends to read something, and uses the whole buffer for it. */
static void
read_into(char *buffer)
{
    memset(buffer, '.', BUFSIZ - 1);
    buffer[BUFSIZ - 1] = '\0';
}

/* The C library's heap: invisible to whatever watches Python's memory. */
static PyObject *
by_the_c_library(void)
{
    PyObject *result;
    char *buffer = (char *)malloc(BUFSIZ);
    if (buffer == NULL)
        return PyErr_NoMemory();
    read_into(buffer);
    result = PyBytes_FromString(buffer);
    free(buffer);
    return result;
}

/* Python's heap, by bytes. */
static PyObject *
by_the_bytes(void)
{
    PyObject *result;
    char *buffer = (char *)PyMem_Malloc(BUFSIZ);
    if (buffer == NULL)
        return PyErr_NoMemory();
    read_into(buffer);
    result = PyBytes_FromString(buffer);
    PyMem_Free(buffer);
    return result;
}

/* Python's heap, by type and number. */
static PyObject *
by_the_type(void)
{
    PyObject *result;
    char *buffer = PyMem_New(char, BUFSIZ);
    if (buffer == NULL)
        return PyErr_NoMemory();
    read_into(buffer);
    result = PyBytes_FromString(buffer);
    PyMem_Del(buffer);
    return result;
}

static int
check_result(PyObject *result)
{
    if (result == NULL || PyErr_Occurred() != NULL)
        return 1;
    int wrong = !PyBytes_Check(result) || PyBytes_Size(result) != BUFSIZ - 1 ||
                PyBytes_AsString(result)[BUFSIZ - 2] != '.' || Py_REFCNT(result) != 1;
    Py_DECREF(result);
    return wrong;
}

/* For want of memory the example returns NULL with MemoryError noted. */
static void *
no_malloc(void *ctx, size_t size)
{
    (void)ctx, (void)size;
    return NULL;
}

static int
check_without_memory(void)
{
    PyMemAllocatorEx before, none;
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &before);
    none = before;
    none.malloc = no_malloc;
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &none);
    int wrong = by_the_type() != NULL || PyErr_Occurred() != PyExc_MemoryError;
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &before);
    PyErr_Clear();
    return wrong || PyErr_Occurred() != NULL;
}

static int
buffers(void)
{
    return check_result(by_the_c_library()) || check_result(by_the_bytes()) ||
           check_result(by_the_type()) || check_without_memory();
}

/* The first release has the wrong name of the right function, the second is right, the third hands
 * the C library a block of Python's. */
static int
errors(void)
{
    char *first = PyMem_New(char, BUFSIZ);
    char *second = (char *)malloc(BUFSIZ);
    char *third = (char *)PyMem_Malloc(BUFSIZ);
    if (!first || !second || !third)
        return 1;
    PyMem_Del(third);
    free(second);
    puts("two released");
    fflush(stdout);
    free(first);
    puts("all released");
    return 0;
}

static int
domains(void)
{
    char *first = PyMem_New(char, 100), *second = (char *)PyObject_Malloc(100);
    if (!first || !second)
        return 1;
    PyMem_Free(first);
    puts("one released");
    fflush(stdout);
    PyMem_Free(second);
    puts("both released");
    return 0;
}

static int
arrays(void)
{
    long *numbers = PyMem_New(long, 3);
    if (numbers == NULL)
        return 1;
    numbers[2] = 42;
    PyMem_Resize(numbers, long, 300);
    if (numbers == NULL || numbers[2] != 42)
        return 1;
    long *kept = numbers; /* Resize writes its first argument, whatever happens */
    PyMem_Resize(numbers, long, (size_t)PY_SSIZE_T_MAX);
    int wrong = numbers != NULL || kept[2] != 42;
    PyMem_Del(kept);
    return wrong;
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } examples[] = {
        {"buffers", buffers}, {"errors", errors}, {"domains", domains}, {"arrays", arrays}};
    for (size_t i = 0; argc == 2 && i < sizeof examples / sizeof examples[0]; i++)
        if (strcmp(argv[1], examples[i].name) == 0)
            return examples[i].run();
    return 2;
}
