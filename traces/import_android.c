/* Android's memory traces (system/extras, memory_replay), one call a line:
 *
 *   TID: malloc P SIZE          TID: calloc P COUNT SIZE       TID: realloc NEW OLD SIZE
 *   TID: memalign P ALIGN SIZE  TID: free P                    TID: thread_done 0x0
 *
 * Pointers are hexadecimal, sizes decimal. A P of 0 is a call that failed, an OLD of 0 a malloc, a
 * free of 0 a free of NULL.
 */
#include <string.h>

#include "traces/import_formats.h"
#include "traces/words.h"

static bool
allocate(rh_import *import, uint64_t block, rh_event *event)
{
    if (block)
        return rh_import_birth(import, block, event);
    event->flags |= RH_EVENT_FAILED;
    return rh_import_plain(import, event);
}

static bool
take_calloc(rh_import *import, uint64_t block, uint64_t count, uint64_t element, rh_event *event)
{
    event->operation = RH_CALLOC;
    event->count = count;
    event->element = element;
    if (__builtin_mul_overflow(count, element, &event->size))
        return rh_import_complain(import, "a calloc of more bytes than there are");
    return allocate(import, block, event);
}

static bool
take_memalign(rh_import *import, uint64_t block, uint64_t alignment, uint64_t size, rh_event *event)
{
    if (alignment == 0 || (alignment & (alignment - 1)))
        return rh_import_complain(import, "an alignment that is no power of two");
    event->operation = RH_ALIGNED;
    event->alignment_log2 = (uint8_t)__builtin_ctzll(alignment);
    event->size = size;
    return allocate(import, block, event);
}

static bool
take_realloc(rh_import *import, uint64_t block, uint64_t old, uint64_t size, rh_event *event)
{
    event->operation = RH_REALLOC;
    event->size = size;
    if (old == 0) {
        event->flags |= RH_EVENT_NULL;
        return allocate(import, block, event);
    }
    if (block)
        return rh_import_resize(import, old, block, event);
    if (size == 0) {
        event->operation = RH_FREE;
        return rh_import_death(import, old, event);
    }
    event->flags |= RH_EVENT_FAILED;
    return rh_import_plain(import, event);
}

static bool
take_free(rh_import *import, uint64_t block, rh_event *event)
{
    event->operation = RH_FREE;
    if (block)
        return rh_import_death(import, block, event);
    event->flags |= RH_EVENT_NULL;
    return rh_import_plain(import, event);
}

static bool
take_line(rh_import *import, char *line)
{
    char *cursor = line, *thread = rh_word_next(&cursor), *call = rh_word_next(&cursor);
    uint64_t id = 0, block = 0, first = 0, second = 0;
    size_t length = thread ? strlen(thread) : 0;
    if (!thread)
        return true;
    if (!call || thread[length - 1] != ':')
        return rh_import_complain(import, "it is not `TID: CALL POINTER ...`");
    thread[length - 1] = '\0';
    if (!rh_word_decimal(thread, &id) || id >= UINT64_C(1) << 62)
        return rh_import_complain(import, "the thread is not a number");
    if (!rh_word_hexadecimal(rh_word_next(&cursor), &block) || block >> 63)
        return rh_import_complain(import, "the pointer is not a hexadecimal number");
    if (strcmp(call, "thread_done") == 0)
        return true;
    rh_event event = {.slot = RH_NO_SLOT, .thread = rh_import_thread(import, id)};
    if (strcmp(call, "free") == 0)
        return take_free(import, block, &event);
    char *word = rh_word_next(&cursor);
    bool number = strcmp(call, "realloc") == 0 ? rh_word_hexadecimal(word, &first)
                                               : rh_word_decimal(word, &first);
    if (!number)
        return rh_import_complain(import, "what follows the pointer is not a number");
    if (strcmp(call, "malloc") == 0) {
        event.operation = RH_MALLOC;
        event.size = first;
        return allocate(import, block, &event);
    }
    if (!rh_word_decimal(rh_word_next(&cursor), &second))
        return rh_import_complain(import, "the size is not a number");
    if (strcmp(call, "calloc") == 0)
        return take_calloc(import, block, first, second, &event);
    if (strcmp(call, "memalign") == 0)
        return take_memalign(import, block, first, second, &event);
    if (strcmp(call, "realloc") == 0)
        return take_realloc(import, block, first, second, &event);
    return rh_import_complain(import, "there is no call `%.40s`", call);
}

const rh_importer rh_import_android = {
    .name = "android",
    .summary = "Android's memory_replay: `TID: malloc P SIZE`",
    .line = take_line,
};
