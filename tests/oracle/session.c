#define _GNU_SOURCE
#include "tests/oracle/session.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { HEAD = 16, TAIL = 8, SERIAL = 8, LETTER_AND_PAD = 8 };

/* ---- lines ---- */

/* Where an address is, in words; valid until the fourth call from now. */
static const char *
place(const void *address)
{
    static char texts[4][32];
    static unsigned next;
    char *text = texts[next++ % 4];
    if (!address)
        return "NULL";
    if (!hand_owns(address))
        return "raw";
    snprintf(text, sizeof texts[0], "+%" PRIxPTR, hand_place(address));
    return text;
}

void
session_say(struct session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(session->out, "%" PRIu64 " ", ++session->step);
    vfprintf(session->out, format, arguments);
    fputc('\n', session->out);
    va_end(arguments);
}

static void
print_hex(FILE *out, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%02x", bytes[i]);
}

/* The decoration, and a hash of the first `known` bytes between, if any of them means something. */
static void
show_block(struct session *session, const unsigned char *block, size_t size, size_t known)
{
    if (!block)
        return;
    FILE *out = session->out;
    fputs("  ", out);
    if (session->decorated) {
        known = size;
        print_hex(out, block - HEAD, HEAD);
        fputs(" | ", out);
        print_hex(out, block + size, session->serial_numbers ? TAIL + SERIAL : TAIL);
        fputs(" | ", out);
    }
    fprintf(out, "%zu bytes %016" PRIx64 "\n", known, (uint64_t)XXH3_64bits(block, known));
}

/* What free left: all but the first word, which is the allocator's. */
static void
show_remains(struct session *session, const unsigned char *block, size_t size)
{
    if (!session->decorated || !hand_owns(block))
        return;
    size_t bytes = LETTER_AND_PAD + size + TAIL + (session->serial_numbers ? SERIAL : 0);
    fprintf(session->out, "  left %016" PRIx64 "\n",
            (uint64_t)XXH3_64bits(block - LETTER_AND_PAD, bytes));
}

/* ---- calls ---- */

static const struct domain_functions *
functions_of(struct session *session, PyMemAllocatorDomain domain)
{
    return &session->api.domain[domain];
}

static void
fill(struct session *session, const struct live_block *block)
{
    memset(block->address, (int)(session->step & 0xff), block->size);
    if (block->size >= sizeof session->step)
        memcpy(block->address, &session->step, sizeof session->step);
}

static void
remember(struct session *session, PyMemAllocatorDomain domain, void *address, size_t size)
{
    if (!address)
        return;
    if (session->live_count == SESSION_BLOCKS) {
        functions_of(session, domain)->free(address);
        return;
    }
    struct live_block *block = &session->live[session->live_count++];
    *block = (struct live_block){address, size, domain};
    fill(session, block);
}

void
session_malloc(struct session *session, PyMemAllocatorDomain domain, size_t size)
{
    const struct domain_functions *functions = functions_of(session, domain);
    void *block = functions->malloc(size);
    session_say(session, "%s malloc %zu: %s", functions->name, size, place(block));
    show_block(session, block, size, 0);
    remember(session, domain, block, size);
}

void
session_calloc(struct session *session, PyMemAllocatorDomain domain, size_t count, size_t size)
{
    const struct domain_functions *functions = functions_of(session, domain);
    void *block = functions->calloc(count, size);
    session_say(session, "%s calloc %zu %zu: %s", functions->name, count, size, place(block));
    show_block(session, block, count * size, count * size);
    remember(session, domain, block, count * size);
}

void
session_realloc_null(struct session *session, PyMemAllocatorDomain domain, size_t size)
{
    const struct domain_functions *functions = functions_of(session, domain);
    void *block = functions->realloc(NULL, size);
    session_say(session, "%s realloc NULL %zu: %s", functions->name, size, place(block));
    show_block(session, block, size, 0);
    remember(session, domain, block, size);
}

void
session_free_null(struct session *session, PyMemAllocatorDomain domain)
{
    const struct domain_functions *functions = functions_of(session, domain);
    functions->free(NULL);
    session_say(session, "%s free NULL", functions->name);
}

void
session_realloc(struct session *session, size_t at, size_t size)
{
    struct live_block *block = &session->live[at], old = *block;
    const struct domain_functions *functions = functions_of(session, old.domain);
    unsigned char *moved = functions->realloc(old.address, size);
    session_say(session, "%s realloc %s of %zu to %zu: %s", functions->name, place(old.address),
                old.size, size, place(moved));
    if (!moved) { /* the old one is as it was */
        show_block(session, old.address, old.size, old.size);
        return;
    }
    show_block(session, moved, size, size < old.size ? size : old.size);
    if (moved != old.address)
        show_remains(session, old.address, old.size);
    block->address = moved;
    block->size = size;
    fill(session, block);
}

void
session_free(struct session *session, size_t at)
{
    struct live_block block = session->live[at];
    const struct domain_functions *functions = functions_of(session, block.domain);
    session->live[at] = session->live[--session->live_count];
    session_say(session, "%s free %s of %zu", functions->name, place(block.address), block.size);
    show_block(session, block.address, block.size, block.size);
    functions->free(block.address);
    show_remains(session, block.address, block.size);
}

void
session_free_all(struct session *session)
{
    while (session->live_count)
        session_free(session, session->live_count - 1);
}

void
session_stats(struct session *session)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (!memory)
        abort();
    int printed = session->api.print_stats(memory);
    fclose(memory);
    session_say(session, "statistics: %d", printed);
    fwrite(text, 1, length, session->out);
    free(text);
}

/* ---- hooks ---- */

static bool
is_refused(struct hook *hook)
{
    return hook->refuse_every && ++hook->requests % hook->refuse_every == 0;
}

static void *
hook_malloc(void *ctx, size_t size)
{
    struct hook *hook = ctx;
    fprintf(hook->out, "  hook %s.%u malloc %zu\n", hook->domain, hook->depth, size);
    void *block = is_refused(hook) ? NULL : hook->below.malloc(hook->below.ctx, size);
    fprintf(hook->out, "  hook %s.%u gives %s\n", hook->domain, hook->depth, place(block));
    return block;
}

static void *
hook_calloc(void *ctx, size_t count, size_t size)
{
    struct hook *hook = ctx;
    fprintf(hook->out, "  hook %s.%u calloc %zu %zu\n", hook->domain, hook->depth, count, size);
    void *block = is_refused(hook) ? NULL : hook->below.calloc(hook->below.ctx, count, size);
    fprintf(hook->out, "  hook %s.%u gives %s\n", hook->domain, hook->depth, place(block));
    return block;
}

static void *
hook_realloc(void *ctx, void *old, size_t size)
{
    struct hook *hook = ctx;
    fprintf(hook->out, "  hook %s.%u realloc %s %zu\n", hook->domain, hook->depth, place(old),
            size);
    void *block = is_refused(hook) ? NULL : hook->below.realloc(hook->below.ctx, old, size);
    fprintf(hook->out, "  hook %s.%u gives %s\n", hook->domain, hook->depth, place(block));
    return block;
}

static void
hook_free(void *ctx, void *block)
{
    struct hook *hook = ctx;
    fprintf(hook->out, "  hook %s.%u free %s\n", hook->domain, hook->depth, place(block));
    hook->below.free(hook->below.ctx, block);
}

void
session_hook(struct session *session, PyMemAllocatorDomain domain, unsigned refuse_every)
{
    unsigned depth = session->hooks[domain]++;
    struct hook *hook = &session->hook[domain][depth];
    *hook = (struct hook){.out = session->out,
                          .domain = functions_of(session, domain)->name,
                          .depth = depth,
                          .refuse_every = refuse_every};
    session->api.get_allocator(domain, &hook->below);
    PyMemAllocatorEx allocator = {hook, hook_malloc, hook_calloc, hook_realloc, hook_free};
    session->api.set_allocator(domain, &allocator);
    session_say(session, "hook %s.%u put", hook->domain, depth);
}

void
session_unhook(struct session *session, PyMemAllocatorDomain domain)
{
    struct hook *hook = &session->hook[domain][--session->hooks[domain]];
    session->api.set_allocator(domain, &hook->below);
    session_say(session, "hook %s.%u taken away", hook->domain, hook->depth);
}

/* ---- the session ---- */

static bool
same_functions(const PyMemAllocatorEx *a, const PyMemAllocatorEx *b)
{
    return a->malloc == b->malloc && a->calloc == b->calloc && a->realloc == b->realloc &&
           a->free == b->free;
}

void
session_compare_allocators(struct session *session)
{
    PyMemAllocatorEx allocator[3];
    for (int i = 0; i < 3; i++)
        session->api.get_allocator((PyMemAllocatorDomain)i, &allocator[i]);
    session_say(session, "mem and raw: functions %s",
                same_functions(&allocator[PYMEM_DOMAIN_MEM], &allocator[PYMEM_DOMAIN_RAW])
                    ? "the same"
                    : "others");
    session_say(session, "obj and mem: functions %s, context %s",
                same_functions(&allocator[PYMEM_DOMAIN_OBJ], &allocator[PYMEM_DOMAIN_MEM])
                    ? "the same"
                    : "others",
                allocator[PYMEM_DOMAIN_OBJ].ctx == allocator[PYMEM_DOMAIN_MEM].ctx ? "the same"
                                                                                   : "another");
}

bool
session_open(struct session *session, const char *library, uint64_t seed)
{
    if (!hand_reserve()) {
        fprintf(stderr, "the addresses for arenas are taken\n");
        return false;
    }
    if (!python_api_open(&session->api, library))
        return false;
    session->random.state = seed;
    const char *version = getenv("REHEAP_PYTHON_VERSION");
    session->serial_numbers = version && strcmp(version, "3.7") == 0;
    for (unsigned i = 0; i < 2; i++)
        session->hand[i] = (struct arena_hand){.name = i ? "the second hand" : "the first hand",
                                               .out = session->out,
                                               .random = {seed + i},
                                               .made = i * (HAND_ARENAS / 4)};
    PyObjectArenaAllocator arenas = hand_arenas(&session->hand[0]);
    session->api.set_arenas(&arenas);
    return true;
}
