/* The slow ways of producer.h, and how a process comes by a channel. */
#define _GNU_SOURCE
#include "traces/recorder/producer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "traces/recorder/enlist.h"
#include "traces/recorder/ring_pieces.h"
#include "traces/recorder/ring_room.h"

enum {
    NAP_NS = 100000,
    ROOM_RECORDS = 8, /* what any one call may need */
    PLACE_EVERY = 64, /* calls; of short records: */
    SHORT_PLACE_EVERY = 256,
};

rh_channel_pages rh_recorder_channel __attribute__((aligned(4096)));
unsigned char rh_recorder_main_ring[RH_MAIN_RING_BYTES] __attribute__((aligned(4096)));
rh_gate rh_recorder_gate __attribute__((aligned(4096)));
_Thread_local uint64_t rh_recorder_place;
_Thread_local rh_thread_end rh_recorder_thread;
void (*rh_recorder_at_first)(void);
bool (*rh_recorder_at_end)(bool locked);
void (*rh_recorder_at_times)(uint64_t ticks, uint64_t ticks_per_us);
_Thread_local unsigned *rh_recorder_probe;
bool rh_recorder_keeps;

static struct {
    rh_capture capture;
    rh_timing timing;
    rh_ring_pieces thread_rings;
    uint32_t thread_ring_count;
    uint64_t main_time; /* of the last RH_RECORD_TIME; the interpreter lock guards it */
    const rh_session *session;
    pthread_key_t thread_key;
    bool key_made, told, large_refused;
} producer;

void
rh_recorder_say(const char *text)
{
    char line[640];
    int length = snprintf(line, sizeof line, "reheap record: %s\n", text);
    if (length > 0) {
        ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
        (void)ignored;
    }
}

/* Not nanosleep(), which is a place where threads are cancelled. */
static void
nap(void)
{
    struct timespec span = {.tv_nsec = NAP_NS};
    syscall(SYS_nanosleep, &span, NULL);
}

static void
shut_gate(void)
{
    rh_recorder_gate.main_limit = 0;
    rh_recorder_gate.open = 0;
    rh_recorder_gate.libc = 0;
}

static void
go_on_alone(const char *why)
{
    shut_gate();
    if (!producer.told) {
        producer.told = true;
        rh_recorder_say(why);
    }
}

/* Whether the collector reads no more: by intent, of which nothing has to be said, or not. */
static bool
abandoned(void)
{
    uint32_t state =
        atomic_load_explicit(&rh_recorder_channel.control.abandoned, memory_order_relaxed);
    if (state == RH_ALL_RECORDED)
        shut_gate();
    else if (state != RH_NOT_ABANDONED)
        go_on_alone("the recording has been given up; the program goes on unrecorded");
    return state != RH_NOT_ABANDONED;
}

/* The collector has larger memory for the ring. */
static bool
may_move(const rh_ring *ring)
{
    uint32_t large = atomic_load_explicit(&ring->large, memory_order_acquire);
    return large != RH_LARGE_UNASKED && large < RH_LARGE_NONE && !producer.large_refused &&
           atomic_load_explicit(&ring->moved_at, memory_order_relaxed) == 0;
}

/* How many of a ring's bytes are used. Of one that gets larger memory when it is full, not those
 * that would only cost their pages. */
static uint64_t
usable(const rh_ring *ring, uint64_t bytes)
{
    bool asks = producer.capture == RH_CAPTURE_MALLOC &&
                atomic_load_explicit(&ring->large, memory_order_acquire) == RH_LARGE_UNASKED;
    return asks ? bytes / 2 : bytes;
}

/* How many have to be free once it was full: most, for each sleep costs the program microseconds,
 * and then the caches that it has to fill again; all, where there is larger memory to move into. */
static uint64_t
enough(const rh_ring *ring, uint64_t capacity)
{
    return may_move(ring) ? capacity : capacity / 8 * 7;
}

/* Waits until `bytes` more fit into the ring, which has `size`; then sets *limit. False: nobody
 * reads any more. */
static bool
wait_for_room(rh_ring *ring, uint64_t size, uint64_t bytes, uint64_t *limit)
{
    uint64_t cursor = atomic_load_explicit(&ring->cursor, memory_order_relaxed);
    for (bool waited = false;; waited = true) {
        if (abandoned())
            return false;
        const uint64_t capacity = usable(ring, size);
        const uint64_t more = waited ? enough(ring, capacity) : 0;
        const uint64_t wanted = cursor + (bytes > more ? bytes : more);
        uint64_t end = atomic_load_explicit(&ring->head, memory_order_acquire) + capacity;
        if (wanted <= end) {
            *limit = end;
            return true;
        }
        if (!rh_collector_lives(producer.session)) {
            go_on_alone("the process that collects the recording is gone; the program goes on "
                        "unrecorded");
            return false;
        }
        if (atomic_load(&rh_recorder_channel.control.state) == RH_CHANNEL_TAKEN) {
            rh_producer_close("its libraries call the C library more often, before the interpreter "
                              "can be looked at, than a ring can hold");
            return false;
        }
        if (waited)
            rh_ring_room_await(ring, wanted - capacity);
    }
}

static void
append(rh_ring *ring, unsigned char *base, uint64_t capacity, uint64_t what, uint64_t amount)
{
    uint64_t cursor = atomic_load_explicit(&ring->cursor, memory_order_relaxed);
    rh_record *record = (rh_record *)(base + (cursor & (capacity - 1)));
    *record = (rh_record){what, amount};
    atomic_store_explicit(&ring->cursor, cursor + sizeof *record, memory_order_release);
}

static void
append_main(uint64_t what, uint64_t amount)
{
    append(&rh_recorder_channel.control.main, rh_recorder_main_ring, RH_MAIN_RING_BYTES, what,
           amount);
}

static void
number_thread(void)
{
    if (rh_recorder_place >= RH_FIRST_THREAD)
        return;
    uint64_t number = 1 + atomic_fetch_add(&rh_recorder_channel.control.threads, 1);
    const uint64_t last = (UINT64_C(1) << (64 - RH_AMOUNT_THREAD_SHIFT)) - 1;
    rh_recorder_place += (number < last ? number : last) << RH_AMOUNT_THREAD_SHIFT;
}

/* In a forked child the gate was wiped: whose process this is decides what happens next. */
static bool
gate_open(void)
{
    if (rh_recorder_gate.open)
        return true;
    if (rh_recorder_gate.process_id == 0) {
        rh_recorder_gate.process_id = getpid();
        rh_recorder_in_child();
    }
    return rh_recorder_gate.open;
}

static bool
main_room(uint64_t records)
{
    return wait_for_room(&rh_recorder_channel.control.main, RH_MAIN_RING_BYTES,
                         records * sizeof(rh_record), &rh_recorder_gate.main_limit);
}

/* The gate is shut, perhaps for good. */
static void
come_to_end(bool locked)
{
    bool (*at_end)(bool) = __atomic_exchange_n(&rh_recorder_at_end, NULL, __ATOMIC_ACQ_REL);
    if (at_end && !at_end(locked))
        __atomic_store_n(&rh_recorder_at_end, at_end, __ATOMIC_RELEASE);
}

/* `wide` counts the sizes (0 to 2) that need records of their own before this one. */
static void
put_main(rh_timing timing, uint64_t what, uint64_t amount, const uint64_t *wide,
         unsigned wide_count)
{
    int saved = errno;
    void (*at_first)(void) = rh_recorder_at_first;
    rh_recorder_at_first = NULL; /* it may itself call what is recorded */
    if (at_first)
        at_first();
    if (gate_open() && main_room(ROOM_RECORDS)) {
        number_thread();
        if (timing != RH_TIMING_NONE) {
            uint64_t now = __builtin_ia32_rdtsc();
            if (rh_time_due(timing, now, producer.main_time)) {
                producer.main_time = now;
                append_main(RH_WHAT(RH_RECORD_TIME, 0, 0), now);
            }
        }
        for (unsigned i = 0; i < wide_count; i++)
            append_main(RH_WHAT(RH_RECORD_WIDE, 0, 0), wide[i]);
        append_main(what, amount | rh_recorder_place);
    }
    if (!rh_recorder_gate.open)
        come_to_end(true);
    errno = saved;
}

void
rh_put_main_slow(rh_timing timing, uint64_t what, uint64_t size)
{
    bool wide = size >= RH_DEPTH_ONE;
    put_main(timing, what, wide ? 0 : size, &size, wide);
}

void
rh_put_main_calloc(rh_timing timing, uint64_t what, uint64_t count, uint64_t element)
{
    put_main(timing, what, 0, (uint64_t[]){count, element}, 2);
}

/* `piece` bytes of text as one record's content. */
static rh_record
text_record(const char *text, size_t piece)
{
    rh_record record = {0};
    memcpy(&record, text, piece < sizeof record ? piece : sizeof record);
    return record;
}

static void
give_ring(rh_ring *ring)
{
    if (rh_recorder_gate.open)
        atomic_store_explicit(&ring->owner, 2, memory_order_release);
}

/* The last that is heard of a thread before its end; what it calls afterwards comes by itself. */
static void
leave_ring(void *ring)
{
    rh_recorder_thread = (rh_thread_end){.leaving = true};
    give_ring(ring);
}

/* A ring that nobody has; NULL when there is none. *left: some wait to be read to their end. */
static rh_ring *
find_ring(bool *left)
{
    rh_channel *channel = &rh_recorder_channel.control;
    *left = false;
    for (uint32_t i = 0; i < producer.thread_ring_count; i++) {
        rh_ring *ring = &channel->thread[i];
        uint32_t owner = atomic_load_explicit(&ring->owner, memory_order_relaxed);
        *left |= owner == 2;
        if (owner != 0 || !atomic_compare_exchange_strong(&ring->owner, &owner, 1))
            continue;
        uint32_t used = atomic_load(&channel->rings);
        while (used <= i && !atomic_compare_exchange_weak(&channel->rings, &used, i + 1))
            ;
        return ring;
    }
    return NULL;
}

/* Gives the calling thread a ring of its own until it ends. */
static bool
take_ring(rh_thread_end *end)
{
    const rh_channel *channel = &rh_recorder_channel.control;
    bool left;
    rh_ring *ring = find_ring(&left);
    while (!ring && left) {
        if (abandoned())
            return false;
        if (!rh_collector_lives(producer.session)) {
            go_on_alone("nothing takes the recording any more; the program goes on unrecorded");
            return false;
        }
        nap();
        ring = find_ring(&left);
    }
    if (!ring) {
        rh_producer_close("more threads at once than it has rings for");
        return false;
    }
    bool moved = atomic_load(&ring->moved_at) != 0;
    end->bytes = moved ? RH_LARGE_RING_BYTES : channel->thread_ring_bytes;
    end->base =
        moved ? rh_ring_pieces_large(&producer.thread_rings, atomic_load(&ring->large) - 1)
              : rh_ring_pieces_find(&producer.thread_rings, (uint32_t)(ring - channel->thread));
    if (!end->base) {
        rh_producer_close("there is no address space for its threads' rings");
        return false;
    }
    end->ring = ring;
    end->cursor = atomic_load_explicit(&ring->cursor, memory_order_relaxed);
    end->room = end->ticks = 0;
    if (!end->leaving)
        pthread_setspecific(producer.thread_key, ring);
    return true;
}

/* A signal handler that came while its thread was writing: the records wait in the thread's own
 * memory until that is done. */
static void
spill(rh_thread_end *end, const rh_record *records, unsigned count)
{
    if (end->spilled + count > sizeof end->spill / sizeof *end->spill) {
        atomic_fetch_add(&rh_recorder_channel.control.unseen, 1);
        return;
    }
    memcpy(end->spill + end->spilled, records, count * sizeof *records);
    end->spilled += count;
}

/* Whatever is published at once is read at once. */
static void
publish(rh_thread_end *end, uint64_t bytes)
{
    end->cursor += bytes;
    atomic_store_explicit(&end->ring->cursor, end->cursor, memory_order_release);
}

static void
append_words(rh_thread_end *end, const uint64_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t at = (end->cursor + i * sizeof *words) & (end->bytes - 1);
        memcpy(end->base + at, &words[i], sizeof *words);
    }
    publish(end, count * sizeof *words);
}

/* The thread's place in this ring, for short records. */
static void
append_short_place(rh_thread_end *end, uint64_t ticks)
{
    uint64_t thread = rh_recorder_place >> RH_AMOUNT_THREAD_SHIFT;
    append_words(end, (uint64_t[]){rh_short_thread_word(thread), ticks}, 2);
}

static void
append_short(rh_thread_end *end, uint64_t what, uint64_t amount)
{
    const rh_record record = {what, amount};
    uint64_t word;
    if (rh_short_pack(&record, &word))
        append_words(end, &word, 1);
    else
        append_words(end, (uint64_t[]){rh_short_word(RH_SHORT_LONG, 0, 0), what, amount}, 3);
}

/* As it is; in a ring of short records, what nothing has to be said of. */
static void
append_text(rh_thread_end *end, uint64_t what, uint64_t amount)
{
    if (producer.capture == RH_CAPTURE_MALLOC) {
        append_words(end, (uint64_t[]){what, amount}, 2);
        return;
    }
    rh_put_at(end, end->cursor, end->bytes, what, amount);
    publish(end, sizeof(rh_record));
}

static void
append_thread(rh_thread_end *end, uint64_t what, uint64_t amount)
{
    if (producer.capture == RH_CAPTURE_MALLOC)
        append_short(end, what, amount);
    else
        append_text(end, what, amount);
}

/* Where both are recorded every call comes here, and most need no place of their own. */
static void
append_place_of_both(rh_thread_end *end, bool libc)
{
    const rh_channel *channel = &rh_recorder_channel.control;
    uint64_t main = atomic_load_explicit(&channel->main.cursor, memory_order_relaxed);
    uint32_t turn = atomic_load_explicit(&channel->turn, memory_order_relaxed);
    end->python |= !libc;
    bool due = end->ticks == 0 || !libc || (end->python && main != end->main) ||
               turn != end->turn || end->cursor - end->placed >= PLACE_EVERY * sizeof(rh_record);
    if (!due && producer.timing == RH_TIMING_NONE)
        return;
    uint64_t now = __builtin_ia32_rdtsc();
    if (!due && !rh_time_due(producer.timing, now, end->ticks))
        return;
    append_thread(end, RH_WHAT(RH_RECORD_PLACE, 0, main), now);
    end->ticks = now;
    end->main = main;
    end->turn = turn;
    end->placed = end->cursor;
}

/* A place record, where one is due; then nothing has to be looked at for as long as may be. */
static void
append_place(rh_thread_end *end)
{
    const rh_channel *channel = &rh_recorder_channel.control;
    uint64_t now = __builtin_ia32_rdtsc();
    if (rh_recorder_at_times)
        rh_recorder_at_times(now, channel->ticks_per_us);
    if (producer.capture == RH_CAPTURE_PYTHON || producer.timing != RH_TIMING_COARSE ||
        rh_time_due(producer.timing, now, end->ticks)) {
        uint64_t main = atomic_load_explicit(&channel->main.cursor, memory_order_relaxed);
        if (producer.capture == RH_CAPTURE_MALLOC)
            append_short_place(end, now);
        else
            append_thread(end, RH_WHAT(RH_RECORD_PLACE, 0, main), now);
        end->ticks = now;
    }
    end->turn = atomic_load_explicit(&channel->turn, memory_order_relaxed) ^ RH_LIBC_OPEN;
    if (producer.capture == RH_CAPTURE_MALLOC && producer.timing != RH_TIMING_NONE)
        end->turn--; /* never the current one: every call comes this way */
}

/* The thread's limit for the fast way. Where only its own ring is written, that is no further than
 * to where the next place record is due or the ring begins again: so its records lie one behind
 * the other until then. */
static uint64_t
next_limit(rh_thread_end *end)
{
    const uint64_t several = 4 * sizeof(rh_record);
    if (producer.capture == RH_CAPTURE_BOTH)
        return 1; /* it has no fast way */
    uint64_t limit = end->room > several ? end->room - several : 1;
    if (producer.capture != RH_CAPTURE_MALLOC)
        return limit;
    const uint64_t round = end->cursor & ~(end->bytes - 1);
    uint64_t stop = end->cursor + SHORT_PLACE_EVERY * sizeof(uint64_t);
    stop = stop < round + end->bytes ? stop : round + end->bytes;
    end->here = end->base - round;
    return limit < stop ? limit : stop;
}

/* What came before the process had enlisted. */
static struct {
    rh_record records[1024];
    unsigned count;
} kept;

static void
keep(const rh_record *records, unsigned count)
{
    if (kept.count + count > sizeof kept.records / sizeof *kept.records)
        return;
    memcpy(kept.records + kept.count, records, count * sizeof *records);
    kept.count += count;
}

static uint32_t
large_number(const rh_ring *ring)
{
    return atomic_load(&ring->large) - 1;
}

/* Maps the memory that the ring is to move into. That takes time, so signal handlers may still
 * write: what they have to say meanwhile may be more than can be set aside. */
static void
prepare_move(const rh_ring *ring)
{
    enum { MAPPED_AT_ONCE = 64 << 10 }; /* by the kernel, of pages that are there already */
    if (!may_move(ring) || producer.thread_rings.large[large_number(ring)])
        return;
    const unsigned char *memory = rh_ring_pieces_large(&producer.thread_rings, large_number(ring));
    producer.large_refused |= memory == NULL;
    for (size_t at = 0; memory && at < RH_LARGE_RING_BYTES; at += MAPPED_AT_ONCE)
        (void)*(const volatile unsigned char *)(memory + at);
}

/* Into the large memory, once nothing is left to be read where the ring was. */
static void
move_if_empty(rh_thread_end *end)
{
    rh_ring *ring = end->ring;
    if (!may_move(ring) || end->cursor == 0 ||
        atomic_load_explicit(&ring->head, memory_order_acquire) != end->cursor)
        return;
    unsigned char *memory = producer.thread_rings.large[large_number(ring)];
    if (!memory)
        return;
    end->base = memory;
    end->bytes = RH_LARGE_RING_BYTES;
    end->room = end->cursor + end->bytes;
    /* Seen by whoever sees a later cursor. */
    atomic_store_explicit(&ring->moved_at, end->cursor, memory_order_relaxed);
}

/* Nothing is half written while this waits, so a signal handler may come in, wait itself and write;
 * what it has to say may be more than can be set aside. */
static bool
wait_in_thread(rh_thread_end *end, uint64_t bytes)
{
    bool good, alone = end->leaving || end->cursor == 0; /* the ring is given away, or empty */
    do {
        end->limit = !alone;
        end->busy = alone;
        atomic_signal_fence(memory_order_seq_cst);
        good = wait_for_room(end->ring, end->bytes, bytes, &end->room);
        if (good && !alone)
            prepare_move(end->ring);
        end->limit = 0;
        end->busy = true;
        atomic_signal_fence(memory_order_seq_cst);
    } while (good && end->cursor + bytes > end->room);
    if (good)
        move_if_empty(end);
    return good;
}

/* `records`, the last of them the event itself, of the calling thread; of the C library's functions
 * or another. */
static void
put_thread(const rh_record *records, unsigned count, const char *text, size_t text_bytes, bool libc)
{
    rh_thread_end *end = &rh_recorder_thread;
    if (end->busy || (end->ring && end->limit == 0)) {
        if (!text)
            spill(end, records, count);
        return;
    }
    if (rh_recorder_keeps) {
        keep(records, count);
        return;
    }
    int saved = errno;
    end->limit = 0;
    end->busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    uint64_t text_records = (text_bytes + sizeof(rh_record) - 1) / sizeof(rh_record);
    uint64_t bytes = (ROOM_RECORDS + text_records) * sizeof(rh_record);
    if (gate_open() && (!libc || rh_recorder_gate.libc) && (end->ring || take_ring(end)) &&
        wait_in_thread(end, bytes)) {
        number_thread();
        if (producer.capture == RH_CAPTURE_BOTH)
            append_place_of_both(end, libc);
        else
            append_place(end);
        for (unsigned i = 0; i < count; i++)
            append_thread(end, records[i].what,
                          i + 1 < count ? records[i].amount
                                        : records[i].amount | rh_recorder_place);
        for (size_t at = 0; at < text_bytes; at += sizeof(rh_record)) {
            rh_record piece = text_record(text + at, text_bytes - at);
            append_text(end, piece.what, piece.amount);
        }
        end->limit = next_limit(end);
    } else if (end->ring) {
        end->limit = 1; /* below any cursor, or nothing is recorded any more */
    }
    if (end->leaving && end->ring) {
        give_ring(end->ring);
        end->ring = NULL;
        end->limit = 0;
    }
    if (!rh_recorder_gate.open)
        come_to_end(false);
    atomic_signal_fence(memory_order_seq_cst);
    end->busy = false;
    errno = saved;
    if (end->spilled)
        rh_put_spilled();
}

/* By the interpreter lock, if the thread is where that is held: inside of a MEM or OBJ call. */
static void
put_libc(const rh_record *records, unsigned count)
{
    if (__builtin_expect(rh_recorder_probe != NULL, 0)) {
        ++*rh_recorder_probe;
        return;
    }
    if (!rh_recorder_gate.libc && rh_recorder_gate.process_id != 0 && !rh_recorder_keeps)
        return;
    if (!(rh_recorder_place & RH_LOCKED_FIELD)) {
        put_thread(records, count, NULL, 0, true);
        return;
    }
    uint64_t wide[2];
    for (unsigned i = 0; i + 1 < count; i++)
        wide[i] = records[i].amount;
    rh_recorder_thread.python = true;
    if (gate_open() && rh_recorder_gate.libc)
        put_main(producer.timing, records[count - 1].what, records[count - 1].amount, wide,
                 count - 1);
}

static bool
is_libc(const rh_record *record)
{
    return record->what >> RH_RECORD_DOMAIN_SHIFT == RH_RECORD_LIBC_DOMAIN;
}

/* Each event with the wide records before it. */
static void
put_all(const rh_record *records, unsigned count)
{
    for (unsigned from = 0, i = 0; i < count; i++) {
        if ((records[i].what >> RH_RECORD_KIND_SHIFT & 0xff) == RH_RECORD_WIDE)
            continue;
        put_thread(records + from, i + 1 - from, NULL, 0, is_libc(&records[i]));
        from = i + 1;
    }
}

void
rh_put_spilled(void)
{
    rh_thread_end *end = &rh_recorder_thread;
    rh_record records[sizeof end->spill / sizeof *end->spill];
    uint64_t limit = end->limit;
    end->limit = 0; /* a handler that comes now adds to them */
    atomic_signal_fence(memory_order_seq_cst);
    unsigned count = end->spilled;
    memcpy(records, end->spill, count * sizeof *records);
    end->spilled = 0;
    atomic_signal_fence(memory_order_seq_cst);
    end->limit = limit;
    put_all(records, count);
}

void
rh_put_kept(void)
{
    rh_recorder_keeps = false;
    put_all(kept.records, kept.count);
    kept.count = 0;
}

#define WIDE(value) ((rh_record){RH_WHAT(RH_RECORD_WIDE, 0, 0), (value)})

/* What the fast way declines most often, done in little: a place is due, and else all is well. */
static inline bool
put_with_place(rh_thread_end *end, uint64_t what, uint64_t size)
{
    if (producer.capture != RH_CAPTURE_MALLOC || end->busy || end->limit == 0 ||
        !rh_recorder_gate.libc || size >= RH_DEPTH_ONE ||
        atomic_load_explicit(&rh_recorder_channel.control.abandoned, memory_order_relaxed) ||
        end->cursor + ROOM_RECORDS * sizeof(rh_record) > end->room)
        return false;
    end->limit = 0;
    atomic_signal_fence(memory_order_seq_cst);
    append_place(end);
    append_thread(end, what, size | rh_recorder_place);
    atomic_signal_fence(memory_order_seq_cst);
    end->limit = next_limit(end);
    if (__builtin_expect(end->spilled, 0))
        rh_put_spilled();
    return true;
}

void
rh_put_thread_slow(uint64_t what, uint64_t size)
{
    bool wide = size >= RH_DEPTH_ONE;
    const rh_record records[] = {WIDE(size), {what, wide ? 0 : size}};
    put_thread(records + !wide, 1u + wide, NULL, 0, false);
}

void
rh_put_thread_calloc(uint64_t what, uint64_t count, uint64_t element)
{
    const rh_record records[] = {WIDE(count), WIDE(element), {what, 0}};
    put_thread(records, 3, NULL, 0, false);
}

void
rh_put_libc_slow(uint64_t what, uint64_t size)
{
    if (RH_LIKELY(put_with_place(&rh_recorder_thread, what, size)))
        return;
    bool wide = size >= RH_DEPTH_ONE;
    const rh_record records[] = {WIDE(size), {what, wide ? 0 : size}};
    put_libc(records + !wide, 1u + wide);
}

void
rh_put_libc_calloc(uint64_t what, uint64_t count, uint64_t element)
{
    const rh_record records[] = {WIDE(count), WIDE(element), {what, 0}};
    put_libc(records, 3);
}

void
rh_put_libc_aligned(uint64_t what, uint64_t alignment, uint64_t size)
{
    bool wide = size >= RH_DEPTH_ONE;
    const rh_record records[] = {WIDE(size), WIDE(alignment), {what, wide ? 0 : size}};
    put_libc(records + !wide, 2u + wide);
}

void
rh_put_checkpoint(const char *text, size_t length)
{
    int saved = errno;
    uint64_t records = 1 + (length + sizeof(rh_record) - 1) / sizeof(rh_record);
    if (gate_open() && main_room(records)) {
        number_thread();
        append_main(RH_WHAT(RH_RECORD_CHECKPOINT, 0, 0), length | rh_recorder_place);
        for (size_t at = 0; at < length; at += sizeof(rh_record)) {
            rh_record piece = text_record(text + at, length - at);
            append_main(piece.what, piece.amount);
        }
    }
    errno = saved;
}

void
rh_put_mark(const char *text, size_t length)
{
    const rh_record record = {RH_WHAT(RH_RECORD_MARK, 0, 0), length};
    put_thread(&record, 1, text, length, false);
}

/* A free channel's descriptor in the collector; -1: none. */
static int32_t
take_channel(const rh_session *session)
{
    rh_session *shared = (rh_session *)(uintptr_t)session;
    while (rh_collector_lives(session)) {
        for (unsigned i = 0; i < RH_SESSION_CHANNELS; i++) {
            if (atomic_load(&shared->channels[i]) < 0)
                continue;
            int32_t taken = atomic_exchange(&shared->channels[i], -1);
            if (taken >= 0)
                return taken;
        }
        if (atomic_load(&session->exhausted))
            return -1;
        nap();
    }
    return -1;
}

static bool
map_channel(int descriptor)
{
    const int both = PROT_READ | PROT_WRITE, fixed = MAP_SHARED | MAP_FIXED;
    bool python = producer.capture != RH_CAPTURE_MALLOC;
    bool few = producer.capture == RH_CAPTURE_PYTHON;
    uint32_t ring_bytes = few ? RH_RAW_RING_BYTES : RH_MALLOC_RING_BYTES;
    producer.thread_ring_count = few ? RH_RAW_RINGS : RH_MALLOC_RINGS;
    /* The main ring is touched at once: faults later would be the program's time. */
    if (mmap(&rh_recorder_channel, RH_CHANNEL_CONTROL_BYTES, both, fixed, descriptor, 0) ==
            MAP_FAILED ||
        mmap(rh_recorder_main_ring, RH_MAIN_RING_BYTES, both, fixed | (python ? MAP_POPULATE : 0),
             descriptor, RH_CHANNEL_CONTROL_BYTES) == MAP_FAILED)
        return false;
    unsigned char *old = producer.thread_rings.piece[0]; /* a forked child: its parent's */
    rh_ring_pieces_end(&producer.thread_rings);
    if (old)
        munmap(old, RH_PIECE_BYTES);
    void *rings = mmap(NULL, RH_PIECE_BYTES, both, MAP_SHARED, descriptor,
                       RH_CHANNEL_CONTROL_BYTES + RH_MAIN_RING_BYTES);
    if (rings == MAP_FAILED || rh_recorder_channel.control.magic != RH_CHANNEL_MAGIC)
        return false;
    rh_ring_pieces_begin(&producer.thread_rings, rings, ring_bytes);
    rh_recorder_channel.control.thread_ring_bytes = ring_bytes;
    return true;
}

bool
rh_producer_open(const rh_session *session, rh_capture capture)
{
    producer.capture = capture;
    producer.timing = (rh_timing)session->timing;
    int32_t number = take_channel(session);
    if (number < 0)
        return false;
    int32_t process_id;
    int descriptor = rh_recorder_fetch(number, &process_id);
    if (descriptor < 0)
        return false;
    bool mapped = map_channel(descriptor);
    close(descriptor);
    if (!mapped)
        return false;
    producer.session = session;
    producer.main_time = 0;
    rh_recorder_place &= RH_DEPTH_FIELD;
    rh_recorder_thread = (rh_thread_end){0};
    if (!producer.key_made && pthread_key_create(&producer.thread_key, leave_ring) != 0)
        return false;
    producer.key_made = true;

    void *gate = mmap(&rh_recorder_gate, sizeof rh_recorder_gate, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (gate == MAP_FAILED || madvise(gate, sizeof rh_recorder_gate, MADV_WIPEONFORK) != 0)
        return false;
    rh_recorder_gate.process_id = getpid();
    rh_recorder_channel.control.process_id = process_id;
    rh_recorder_channel.control.started_ticks = __builtin_ia32_rdtsc();
    atomic_store(&rh_recorder_channel.control.state, RH_CHANNEL_TAKEN);
    return true;
}

void
rh_producer_start(void)
{
    rh_recorder_channel.control.facts.capture = producer.capture;
    rh_recorder_gate.open = 1;
    rh_recorder_gate.libc = producer.capture != RH_CAPTURE_PYTHON ? RH_LIBC_OPEN : 0;
}

void
rh_producer_close(const char *reason)
{
    shut_gate();
    if (!reason)
        return;
    rh_channel *channel = &rh_recorder_channel.control;
    snprintf(channel->reason, sizeof channel->reason, "%s", reason);
    atomic_store_explicit(&channel->state, RH_CHANNEL_REFUSED, memory_order_release);
}
