/* See program.h. The common path of one event is a table look-up and a store. */
#include "replay/program.h"

#include <stdbool.h>

#define FITS(event) ((event)->slot < RH_CODE_SLOTS && (event)->size <= UINT32_MAX)

static void
emit(rh_program *program, unsigned code, uint32_t slot, uint64_t size)
{
    program->codes[program->code_count++] =
        size << 32 | (uint64_t)slot << RH_CODE_BITS | (uint64_t)code;
}

static void
emit_wide(rh_program *program, rh_wide wide)
{
    emit(program, RH_CODE_WIDE, 0, program->wide_count);
    program->wides[program->wide_count++] = wide;
}

static void
emit_call(rh_program *program, const rh_event *event, unsigned domain, unsigned code,
          rh_wide_kind kind)
{
    if (FITS(event) && kind != RH_WIDE_NEW) {
        emit(program, code + domain, event->slot, event->size);
        return;
    }
    emit_wide(program, (rh_wide){.kind = (uint8_t)kind,
                                 .domain = (uint8_t)domain,
                                 .slot = event->slot,
                                 .size = event->size});
}

/* `event` brings a block into being. */
static void
compile_birth(rh_compiler *compiler, const rh_event *event, unsigned domain, rh_program *program)
{
    compiler->allocations++;
    rh_wide wide = {.domain = (uint8_t)domain, .slot = event->slot, .size = event->size};
    switch (event->operation) {
    case RH_CALLOC:
        if (event->count == 1 && FITS(event)) {
            emit(program, RH_CODE_CALLOC + domain, event->slot, event->size);
            return;
        }
        wide.kind = RH_WIDE_CALLOC;
        wide.count = event->count;
        wide.element = event->element;
        break;
    case RH_ALIGNED:
        wide.kind = RH_WIDE_ALIGNED;
        wide.alignment_log2 = event->alignment_log2;
        break;
    case RH_REALLOC:
        wide.kind = event->flags & RH_EVENT_NULL ? RH_WIDE_NEW : RH_WIDE_MALLOC;
        break;
    default:
        emit_call(program, event, domain, RH_CODE_MALLOC, RH_WIDE_MALLOC);
        return;
    }
    emit_wide(program, wide);
}

static void
compile_realloc(rh_compiler *compiler, const rh_event *event, unsigned domain, rh_program *program)
{
    if (event->flags & (RH_EVENT_NULL | RH_EVENT_FOREIGN)) {
        compiler->foreign_events += (event->flags & RH_EVENT_FOREIGN) != 0;
        if (event->slot != RH_NO_SLOT)
            compile_birth(compiler, event, domain, program);
        return;
    }
    compiler->reallocations++;
    if (event->size == 0)
        emit_wide(
            program,
            (rh_wide){.kind = RH_WIDE_REALLOC, .domain = (uint8_t)domain, .slot = event->slot});
    else
        emit_call(program, event, domain, RH_CODE_REALLOC, RH_WIDE_REALLOC);
}

static void
compile_free(rh_compiler *compiler, const rh_event *event, unsigned domain, rh_program *program)
{
    if (event->flags & RH_EVENT_NULL) {
        compiler->null_frees++;
        emit(program, RH_CODE_FREE_NULL, 0, domain);
    } else if (event->slot == RH_NO_SLOT) {
        compiler->foreign_events++;
    } else {
        compiler->frees++;
        emit_call(program, event, domain, RH_CODE_FREE, RH_WIDE_FREE);
    }
}

static bool
is_call(const rh_event *event)
{
    return event->operation <= RH_ALIGNED;
}

/* Counts what the heap does not get; true when the event is none of its business. */
static bool
set_aside(rh_compiler *compiler, const rh_event *event)
{
    if (!is_call(event))
        return true;
    if (event->flags & RH_EVENT_NESTED) {
        compiler->nested_events++;
        return true;
    }
    if (event->flags & RH_EVENT_FAILED) {
        compiler->recorded_failures++;
        return true;
    }
    return false;
}

static unsigned
domain_of(const rh_compiler *compiler, const rh_event *event)
{
    return compiler->has_domains && event->domain <= PYMEM_DOMAIN_OBJ ? event->domain
                                                                      : (unsigned)compiler->domain;
}

static void
sum_calls(rh_compiler *compiler)
{
    compiler->calls =
        compiler->allocations + compiler->reallocations + compiler->frees + compiler->null_frees;
}

static __attribute__((noinline)) void
compile_rare(rh_compiler *compiler, const rh_event *event, rh_program *program)
{
    if (set_aside(compiler, event))
        return;
    unsigned domain = domain_of(compiler, event);
    switch (event->operation) {
    case RH_FREE:
        compile_free(compiler, event, domain, program);
        break;
    case RH_REALLOC:
        compile_realloc(compiler, event, domain, program);
        break;
    default:
        compile_birth(compiler, event, domain, program);
        break;
    }
    sum_calls(compiler);
}

/* The calls that nearly all events are, told apart without a branch between them. */
static inline bool
is_common(const rh_event *event)
{
    unsigned operation = event->operation;
    unsigned odd = (operation > RH_FREE) | ((event->flags & ~RH_EVENT_POOLED) != 0);
    odd |= (operation == RH_CALLOC) & (event->count != 1);
    odd |= (operation == RH_REALLOC) & (event->size == 0);
    odd |= (event->slot >= RH_CODE_SLOTS) | (event->size > UINT32_MAX);
    return odd == 0;
}

static void
take_sample(rh_compiler *compiler, rh_program *program)
{
    compiler->next_sample = compiler->calls + compiler->sample_every;
    emit_wide(program,
              (rh_wide){.kind = RH_WIDE_SAMPLE,
                        .size = compiler->calls,
                        .count = compiler->has_times ? compiler->last_time_ns : UINT64_MAX});
}

/* Compiles common events from the start of `events`, at most `count`, and not beyond the next
 * sample; returns how many. */
static size_t
compile_common(rh_compiler *compiler, const rh_event *events, size_t count, rh_program *program)
{
    static const uint8_t base[] = {[RH_MALLOC] = RH_CODE_MALLOC,
                                   [RH_CALLOC] = RH_CODE_CALLOC,
                                   [RH_REALLOC] = RH_CODE_REALLOC,
                                   [RH_FREE] = RH_CODE_FREE};
    uint64_t issued[RH_FREE + 1] = {0};
    rh_code *codes = program->codes + program->code_count;
    size_t done = 0;
    for (; done < count && is_common(&events[done]); done++) {
        const rh_event *event = &events[done];
        codes[done] = event->size << 32 | (uint64_t)event->slot << RH_CODE_BITS |
                      (uint64_t)(base[event->operation] + domain_of(compiler, event));
        issued[event->operation]++;
    }
    program->code_count += (uint32_t)done;
    compiler->allocations += issued[RH_MALLOC] + issued[RH_CALLOC];
    compiler->reallocations += issued[RH_REALLOC];
    compiler->frees += issued[RH_FREE];
    compiler->calls += done;
    return done;
}

static size_t
room_for_common(const rh_compiler *compiler, const rh_program *program)
{
    size_t room = program->code_capacity - program->code_count - 2;
    uint64_t until = compiler->next_sample - compiler->calls;
    return compiler->sample_every && until < room ? (size_t)until : room;
}

size_t
rh_compile(rh_compiler *compiler, const rh_event *events, size_t count, rh_program *program)
{
    size_t done = 0;
    while (done < count) {
        if (program->code_count + 2 > program->code_capacity ||
            program->wide_count + 2 > program->wide_capacity)
            break;
        size_t room = room_for_common(compiler, program);
        room = room < count - done ? room : count - done;
        size_t common = compile_common(compiler, events + done, room, program);
        if (common == 0)
            compile_rare(compiler, &events[done++], program);
        done += common;
        if (events[done - 1].time_ns)
            compiler->last_time_ns = events[done - 1].time_ns;
        if (compiler->sample_every && compiler->calls >= compiler->next_sample)
            take_sample(compiler, program);
    }
    return done;
}
