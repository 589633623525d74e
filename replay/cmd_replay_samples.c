#include "replay/cmd_replay_samples.h"

static void
set_number(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name,
                        value == RH_UNKNOWN ? json_null() : json_integer((json_int_t)value));
}

static json_t *
sample_json(const rh_sample *sample)
{
    json_t *object = json_object();
    const rh_counters *counters = &sample->counters;
    set_number(object, "event", sample->event);
    set_number(object, "time_ns", sample->time_ns);
    set_number(object, "live_blocks", sample->live_blocks);
    set_number(object, "resident_bytes", sample->resident_bytes);
    set_number(object, "requested_bytes", sample->requested_bytes);
    set_number(object, "aged_block_bytes", sample->aged_block_bytes);
    /* Below 0 where blocks overlap. */
    json_object_set_new(
        object, "rounding_bytes",
        counters->block_bytes == RH_UNKNOWN
            ? json_null()
            : json_integer((json_int_t)(counters->block_bytes - sample->requested_bytes)));
#define SET_COUNTER(name, what)                                                                    \
    if (!json_object_get(object, #name))                                                           \
        set_number(object, #name, counters->name);
    RH_COUNTERS(SET_COUNTER)
#undef SET_COUNTER
    return object;
}

rh_status
rh_replay_add_samples(json_t *object, rh_results *results, const rh_run *run, rh_error *error)
{
    rh_run loaded = *run;
    rh_status status = rh_results_load_samples(results, &loaded, error);
    if (status != RH_OK)
        return status;
    json_t *samples = json_array();
    for (size_t i = 0; i < loaded.sample_count; i++)
        json_array_append_new(samples, sample_json(&loaded.samples[i]));
    json_object_set_new(object, "samples", samples);
    return RH_OK;
}
