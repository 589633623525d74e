#include "traces/read_loop.h"

#include <unistd.h>

#include "base/output.h"

static rh_status
tell_interrupted(const rh_read_loop *loop, rh_error *error)
{
    if (loop->output)
        return rh_fail(error, RH_INTERRUPTED, "%s: interrupted; there is no %s", loop->path,
                       loop->output);
    return rh_fail(error, RH_INTERRUPTED, "%s: interrupted", loop->path);
}

/* Events that are read before the loop ends, as far as one can know: what a reader has yet to come
 * from its place on. */
static uint64_t
events_to_read(const rh_read_loop *loop, const rh_reader *reader)
{
    uint64_t end = rh_reader_end_event(reader), from = rh_reader_next_event(reader);
    if (loop->end < end)
        end = loop->end;
    return end > from ? end - from : 0;
}

rh_status
rh_read_loop_run(const rh_read_loop *loop, rh_reader *reader, rh_error *error)
{
    uint64_t from = rh_reader_next_event(reader);
    rh_progress progress;
    rh_progress_begin(&progress, loop->doing, "events", events_to_read(loop, reader));
    if (loop->prints && isatty(STDOUT_FILENO) == 1)
        progress.terminal = false;
    rh_status status = RH_OK;
    bool done = from >= loop->end;
    while (status == RH_OK && !done) {
        rh_batch batch;
        status = rh_reader_next(reader, &batch, error);
        if (status != RH_OK || batch.count == 0)
            break;
        status = loop->take(loop->ctx, &batch, &done, error);
        uint64_t next = batch.first_event + batch.count;
        done |= next >= loop->end;
        rh_progress_update(&progress, next - from);
        if (status == RH_OK && !done && rh_interrupted())
            status = tell_interrupted(loop, error);
    }
    rh_progress_end(&progress);
    return status;
}

bool
rh_read_loop_watch(void *progress, uint64_t done, uint64_t all)
{
    rh_progress *line = progress;
    line->total = all;
    rh_progress_update(line, done);
    return !rh_interrupted();
}
