/* From the unpacked streams of a block to events: the dictionary, the list of live blocks, and
 * nothing of files. Whatever the bytes are, it stays within them and says what is wrong. */
#ifndef REHEAP_TRACES_DECODER_H
#define REHEAP_TRACES_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/birth_index.h"
#include "traces/event.h"
#include "traces/format.h"
#include "traces/live_list.h"
#include "traces/trace_info.h"
#include "traces/wording.h"

/* What a token makes of the list. */
typedef enum rh_action {
    RH_ACTION_BIRTH,
    RH_ACTION_DEATH,
    RH_ACTION_RESIZE,
    RH_ACTION_NOTHING,
    RH_ACTION_RARE, /* those from here on take more than the list */
    RH_ACTION_UNDEFINED = RH_ACTION_RARE,
    RH_ACTION_THREAD,
    RH_ACTION_ARENA,
    RH_ACTION_TEXT,
    RH_ACTION_SPELLED
} rh_action;

typedef struct rh_token_meaning {
    rh_event event; /* all that does not depend on the block of memory */
    rh_action action;
    uint32_t zero; /* 64 bytes in all: found by a shift */
} rh_token_meaning;

enum { RH_SPELLED = 512 };

/* A token in a wording. */
typedef struct rh_token_word {
    uint64_t bits[RH_EVENT_DOMAINS]; /* a death: by the domain of the block that dies, else alike */
    uint64_t what;                   /* of a block born, for the list */
    uint64_t size;                   /* its size alone */
    rh_tally tally;
    rh_action action; /* RH_ACTION_UNDEFINED also where there is no word */
    uint32_t zero;    /* 64 bytes in all */
} rh_token_word;

typedef struct rh_decoder {
    rh_live_list live;
    rh_birth_index births;
    rh_token_meaning meaning[RH_TOKENS];
    rh_cursor tokens, steps, distances, rare, texts, times, addresses;
    uint32_t thread, threads;
    uint64_t time;          /* in the unit of the column */
    uint64_t arena_address; /* of the arena event before */
    uint64_t address[RH_ADDRESS_CLASSES];
    uint64_t time_unit; /* ns; 0: the trace has no times */
    bool has_addresses;
    const char *problem;       /* what is wrong; NULL while all is well */
    const rh_wording *wording; /* NULL: nobody wants words */
    rh_token_word word[RH_TOKENS];
    rh_token_word spelled[RH_SPELLED]; /* of shapes met in full, by a hash of their bytes */
    uint64_t spelled_key[RH_SPELLED];  /* the bytes; 0: none */
} rh_decoder;

bool rh_decoder_init(rh_decoder *decoder, const rh_trace_info *info); /* false: no memory */
void rh_decoder_release(rh_decoder *decoder);

/* Starts a block. `raw` are its RH_STREAMS streams; they must stay until it is done. The list of
 * live blocks is as the block before left it, or as a snapshot said. False: see problem. */
bool rh_decoder_begin(rh_decoder *decoder, const rh_block_head *head, const rh_bytes *raw);

/* The next events of the block, at most `capacity`; 0 at its end. Fewer than were there, and
 * problem set, when the next one makes no sense. */
size_t rh_decoder_events(rh_decoder *decoder, rh_event *events, size_t capacity);

/* From the next block on, events can be had as words; `wording` is kept. */
void rh_decoder_use_wording(rh_decoder *decoder, const rh_wording *wording);

/* The next events of the block as words, up to the first that has none: the next call of
 * rh_decoder_events begins with it, and meets whatever makes no sense. The list needs room for as
 * many births as `words` has. False when it came to such an event and not to the end of the room or
 * of the block. */
bool rh_decoder_words(rh_decoder *decoder, rh_words *words);

#endif
