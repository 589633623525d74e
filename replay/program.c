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

static void
compile_event(rh_compiler *compiler, const rh_event *event, rh_program *program)
{
    unsigned domain = compiler->has_domains && event->domain <= PYMEM_DOMAIN_OBJ
                          ? event->domain
                          : (unsigned)compiler->domain;
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
    compiler->calls =
        compiler->allocations + compiler->reallocations + compiler->frees + compiler->null_frees;
}

static void
sample_if_due(rh_compiler *compiler, const rh_event *event, rh_program *program)
{
    if (event->time_ns)
        compiler->last_time_ns = event->time_ns;
    if (compiler->calls < compiler->next_sample)
        return;
    compiler->next_sample = compiler->calls + compiler->sample_every;
    emit_wide(program,
              (rh_wide){.kind = RH_WIDE_SAMPLE,
                        .size = compiler->calls,
                        .count = compiler->has_times ? compiler->last_time_ns : UINT64_MAX});
}

size_t
rh_compile(rh_compiler *compiler, const rh_event *events, size_t count, rh_program *program)
{
    for (size_t i = 0; i < count; i++) {
        if (program->code_count + 2 > program->code_capacity ||
            program->wide_count + 2 > program->wide_capacity)
            return i;
        if (set_aside(compiler, &events[i]))
            continue;
        compile_event(compiler, &events[i], program);
        if (compiler->sample_every)
            sample_if_due(compiler, &events[i], program);
    }
    return count;
}
