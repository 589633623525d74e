/* See program.h. The common path of one event is a table look-up and a store. */
#include "replay/program.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define COMMON_MOST ((size_t)UINT16_MAX)

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
    if (FITS(event)) {
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
        if (event->slot < RH_CODE_SLOTS && event->count < RH_CODE_COUNTS &&
            event->element < RH_CODE_BYTES) {
            emit(program, RH_CODE_ELEMENTS + domain, event->slot,
                 RH_CODE_ELEMENT(event->count, event->element));
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
        if (event->flags & RH_EVENT_NULL)
            emit_call(program, event, domain, RH_CODE_NEW, RH_WIDE_NEW);
        else
            emit_call(program, event, domain, RH_CODE_MALLOC, RH_WIDE_MALLOC);
        return;
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

/* In a recording of both, what programs asked of the C library goes where RAW goes: it did then,
 * and no lock held it back from other threads, which MEM and OBJ do not bear. */
static unsigned
domain_of(const rh_compiler *compiler, unsigned domain)
{
    if (!compiler->has_domains)
        return (unsigned)compiler->domain;
    return domain == RH_DOMAIN_LIBC ? PYMEM_DOMAIN_RAW : domain;
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
    unsigned domain = domain_of(compiler, event->domain);
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

/* The first eight bytes of an event, as one number: operation, domain, flags, alignment, slot. */
_Static_assert(offsetof(rh_event, operation) == 0 && offsetof(rh_event, domain) == 1 &&
                   offsetof(rh_event, flags) == 2 && offsetof(rh_event, slot) == 4,
               "the head of an event is laid out so");
/* Set in no common event: an operation after RH_FREE, a domain after 3, a flag but POOLED, a slot
 * too large. */
#define HEAD_ODD                                                                                   \
    (UINT64_C(0xFC) | UINT64_C(0xFC) << 8 |                                                        \
     (uint64_t)(0xFF & ~(RH_EVENT_POOLED | RH_EVENT_NULL | RH_EVENT_NESTED)) << 16 |               \
     ~(uint64_t)(RH_CODE_SLOTS - 1) << 32)
#define HEAD_SLOT(head) ((head) >> 32)

/* What becomes of a common event, by its operation, its domain and two of its flags. An event for
 * which one of the masks lets something through is not common. */
typedef struct rule {
    uint64_t always;         /* a free of NULL */
    uint64_t but_one_mask;   /* a calloc of another number of elements than 1 */
    uint64_t from_zero_mask; /* a realloc to 0 bytes */
    uint64_t counted;        /* 1 in the 16 bits of its operation */
    uint64_t code;
    uint64_t kept; /* 1: becomes an operation; 0: nested, is passed over */
} rule;
#define RULES         64
#define RULE_OF(head) (((head)&3) | ((head) >> 6 & 12) | ((head) >> 13 & 48))
_Static_assert(RH_EVENT_NESTED << 16 == 16 << 13 && RH_EVENT_NULL << 16 == 32 << 13,
               "the flags are where RULE_OF takes them from");

static rule
make_rule(unsigned operation, bool nested, bool null)
{
    static const uint8_t codes[] = {[RH_MALLOC] = RH_CODE_MALLOC,
                                    [RH_CALLOC] = RH_CODE_CALLOC,
                                    [RH_REALLOC] = RH_CODE_REALLOC,
                                    [RH_FREE] = RH_CODE_FREE};
    if (nested)
        return (rule){.always = 0};
    bool born = null && operation == RH_REALLOC;
    return (rule){.kept = 1,
                  .always = null && !born,
                  .but_one_mask = operation == RH_CALLOC ? UINT64_MAX : 0,
                  .from_zero_mask = operation == RH_REALLOC && !born ? UINT64_MAX : 0,
                  .counted = UINT64_C(1) << (born ? RH_MALLOC : operation) * 16,
                  .code = born ? RH_CODE_NEW : codes[operation]};
}

static void
make_rules(const rh_compiler *compiler, rule rules[RULES])
{
    for (unsigned i = 0; i < RULES; i++) {
        unsigned domain = i >> 2 & 3;
        rules[i] = make_rule(i & 3, i >> 4 & 1, i >> 5);
        rules[i].code += domain_of(compiler, domain);
    }
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

/* Compiles common events from the start of `events`, at most `count` (below 65536), and not beyond
 * the next sample; returns how many. There is no branch between one kind and another: they come in
 * an order that no processor could foresee. */
static size_t
compile_common(rh_compiler *compiler, const rule rules[RULES], const rh_event *events, size_t count,
               rh_program *program)
{
    rh_code *codes = program->codes + program->code_count;
    uint64_t calls = 0;
    size_t done = 0, kept = 0;
    for (; done < count; done++) {
        const rh_event *event = &events[done];
        uint64_t head, size = event->size;
        memcpy(&head, event, sizeof head);
        const rule *is = &rules[RULE_OF(head)];
        uint64_t odd = (head & HEAD_ODD) | size >> 32 | is->always;
        odd |= (event->count - 1) & is->but_one_mask;
        odd |= ((size - 1) & is->from_zero_mask) >> 32;
        if (odd)
            break;
        codes[kept] = size << 32 | HEAD_SLOT(head) << RH_CODE_BITS | is->code;
        kept += is->kept;
        calls += is->counted;
    }
    program->code_count += (uint32_t)kept;
    compiler->nested_events += done - kept;
    compiler->allocations +=
        (calls >> RH_MALLOC * 16 & 0xFFFF) + (calls >> RH_CALLOC * 16 & 0xFFFF);
    compiler->reallocations += calls >> RH_REALLOC * 16 & 0xFFFF;
    compiler->frees += calls >> RH_FREE * 16 & 0xFFFF;
    compiler->calls += kept;
    return done;
}

static size_t
room_for_common(const rh_compiler *compiler, const rh_program *program)
{
    size_t room = program->code_capacity - program->code_count - 2;
    uint64_t until = compiler->next_sample - compiler->calls;
    room = compiler->sample_every && until < room ? (size_t)until : room;
    return room < COMMON_MOST ? room : COMMON_MOST;
}

/* How many of the first `room` events are of one thread. */
static size_t
of_one_thread(const rh_event *events, size_t room)
{
    size_t count = 1;
    while (count < room && events[count].thread == events[0].thread)
        count++;
    return count;
}

/* How many of the first `room` events are of one time. */
static size_t
of_one_time(const rh_event *events, size_t room)
{
    size_t count = 1;
    while (count < room && events[count].time_ns == events[0].time_ns)
        count++;
    return count;
}

/* The time goes on to that of `event`. One without a time has that of the event before; the first
 * always has one. */
static bool
time_goes_on(rh_compiler *compiler, const rh_event *event)
{
    if (!compiler->times)
        return false;
    uint64_t time_ns = event->time_ns < RH_CODE_AT_MOST ? event->time_ns : RH_CODE_AT_MOST;
    if (time_ns == 0)
        time_ns = compiler->time_ns ? compiler->time_ns : 1;
    if (time_ns == compiler->time_ns)
        return false;
    compiler->time_ns = time_ns;
    if (compiler->first_time_ns == 0)
        compiler->first_time_ns = time_ns;
    if (time_ns > compiler->largest_time_ns)
        compiler->largest_time_ns = time_ns;
    return true;
}

size_t
rh_compile(rh_compiler *compiler, const rh_event *events, size_t count, rh_program *program)
{
    rule rules[RULES];
    make_rules(compiler, rules);
    size_t done = 0;
    while (done < count) {
        if (program->code_count + 2 > program->code_capacity ||
            program->wide_count + 2 > program->wide_capacity)
            break;
        size_t room = room_for_common(compiler, program);
        room = room < count - done ? room : count - done;
        if (compiler->threads && events[done].thread != compiler->thread) {
            compiler->thread = events[done].thread;
            emit(program, RH_CODE_THREAD, 0, compiler->thread);
            continue;
        }
        if (time_goes_on(compiler, &events[done])) {
            program->codes[program->code_count++] =
                compiler->time_ns << RH_CODE_BITS | RH_CODE_TIME;
            continue;
        }
        if (compiler->times && room)
            room = of_one_time(events + done, room);
        if (compiler->threads && room)
            room = of_one_thread(events + done, room);
        size_t common = compile_common(compiler, rules, events + done, room, program);
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

/* ------------------------------------------------------------------ words */

/* The fields of a tally: operations, which the reader knows of, and what they are. */
enum { TALLY_CODES, TALLY_BORN, TALLY_RESIZED, TALLY_FREED };

/* The rules are those of events: one is compiled, as if its block had slot 0. */
static bool
word_for(const void *ctx, const rh_event *event, rh_word *word)
{
    const rh_compiler *options = ctx;
    rh_code code = 0;
    rh_wide wide;
    rh_program program = {.codes = &code, .wides = &wide};
    rh_compiler one = {.domain = options->domain, .has_domains = options->has_domains};
    compile_rare(&one, event, &program);
    word->bits = code;
    word->tally = program.code_count * RH_TALLY(TALLY_CODES) +
                  one.allocations * RH_TALLY(TALLY_BORN) +
                  one.reallocations * RH_TALLY(TALLY_RESIZED) + one.frees * RH_TALLY(TALLY_FREED);
    return !program.wide_count && !one.recorded_failures && !one.foreign_events &&
           (program.code_count || one.nested_events);
}

bool
rh_compile_takes_words(const rh_compiler *compiler)
{
    return !compiler->threads && !compiler->times;
}

rh_wording
rh_compile_wording(const rh_compiler *compiler)
{
    return (rh_wording){.word_for = word_for, .ctx = compiler};
}

uint32_t
rh_compile_room(const rh_compiler *compiler, const rh_program *program)
{
    if (program->code_count + 2 > program->code_capacity ||
        program->wide_count + 2 > program->wide_capacity)
        return 0;
    _Static_assert(RH_WORD_SLOT_SHIFT == RH_CODE_BITS && RH_WORD_SLOTS == RH_CODE_SLOTS,
                   "words are codes");
    uint32_t room = program->code_capacity - program->code_count - 1;
    uint64_t until = compiler->next_sample - compiler->calls;
    room = compiler->sample_every && until < room ? (uint32_t)until : room;
    return room < COMMON_MOST ? room : (uint32_t)COMMON_MOST;
}

void
rh_compile_words(rh_compiler *compiler, const rh_words *words, rh_program *program)
{
    uint32_t codes = RH_TALLY_OF(words->tally, TALLY_CODES);
    uint32_t born = RH_TALLY_OF(words->tally, TALLY_BORN);
    uint32_t resized = RH_TALLY_OF(words->tally, TALLY_RESIZED);
    uint32_t freed = RH_TALLY_OF(words->tally, TALLY_FREED);
    program->code_count += codes;
    compiler->nested_events += words->events - codes;
    compiler->allocations += born;
    compiler->reallocations += resized;
    compiler->frees += freed;
    compiler->null_frees += codes - born - resized - freed;
    compiler->calls += codes;
    if (words->time_ns)
        compiler->last_time_ns = words->time_ns;
    if (compiler->sample_every && compiler->calls >= compiler->next_sample)
        take_sample(compiler, program);
}
