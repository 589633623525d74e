#include "traces/summary.h"

#include <stdlib.h>

bool
rh_summary_init(rh_summary *summary)
{
    rh_digest_init(&summary->digest);
    return rh_habits_init(&summary->habits);
}

void
rh_summary_release(rh_summary *summary)
{
    rh_digest_release(&summary->digest);
    rh_habits_release(&summary->habits);
}

static rh_part_state
good(bool memory)
{
    return memory ? RH_PART_GOOD : RH_PART_NO_MEMORY;
}

static void
end_part(void *part)
{
    rh_summary_release(part);
    free(part);
}

static void *
begin_part(const void *ctx)
{
    rh_summary *part = malloc(sizeof *part);
    (void)ctx;
    if (!part || rh_summary_init(part))
        return part;
    end_part(part);
    return NULL;
}

static rh_part_state
enter(void *part, const rh_batch *live)
{
    rh_summary *summary = part;
    return good(rh_digest_enter(&summary->digest, live) && rh_habits_enter(&summary->habits, live));
}

static rh_part_state
add(void *part, rh_reader *reader, const rh_batch *batch)
{
    rh_summary *summary = part;
    (void)reader;
    return good(rh_digest_add(&summary->digest, batch) && rh_habits_add(&summary->habits, batch));
}

static rh_part_state
leave(void *part, const rh_batch *live)
{
    rh_summary *summary = part;
    return good(rh_habits_leave(&summary->habits, live));
}

static rh_part_state
merge(void *whole, const void *part)
{
    rh_summary *summary = whole;
    const rh_summary *more = part;
    rh_digest_merge(&summary->digest, &more->digest);
    return good(rh_habits_merge(&summary->habits, &more->habits));
}

static const rh_part_kind summary_kind = {begin_part, end_part, enter, add, leave, merge};

rh_status
rh_summary_read(rh_summary *summary, rh_reader *reader, const rh_reader_options *options,
                const rh_parallel_options *parallel, rh_error *error)
{
    rh_status status =
        rh_parallel_read(reader, options, parallel, &summary_kind, NULL, summary, error);
    rh_digest_settle(&summary->digest);
    return status;
}
