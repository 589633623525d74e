#define _GNU_SOURCE
#include "replay/provenance.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/spec.h"
#include "base/host.h"
#include "replay/pace.h"
#include "replay/pass_spec.h"

const char *const rh_threads_names[] = {"one", "recorded", NULL};
const char *const rh_touch_names[] = {"none", "first", "pages", "lines", "write", "read", NULL};
const char *const rh_domain_names[] = {"raw", "mem", "obj", NULL};

static void
read_governor(char *text, size_t capacity)
{
    snprintf(text, capacity, "unknown");
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "re");
    if (!file)
        return;
    if (fgets(text, (int)capacity, file))
        text[strcspn(text, "\n")] = '\0';
    fclose(file);
}

void
rh_machine_read(rh_machine *machine)
{
    rh_host_processor_name(machine->processor, sizeof machine->processor);
    rh_host_kernel(machine->kernel, sizeof machine->kernel);
    rh_host_huge_pages(machine->huge_pages, sizeof machine->huge_pages);
    read_governor(machine->governor, sizeof machine->governor);
    if (gethostname(machine->host, sizeof machine->host) != 0)
        snprintf(machine->host, sizeof machine->host, "unknown");
    machine->host[sizeof machine->host - 1] = '\0';
    rh_program_build(machine->build);
    machine->memory_bytes = rh_host_memory_bytes();
    machine->processors = rh_host_processors();
    machine->ticks_per_ns = rh_host_ticks_per_ns();
}

static void
set_text(json_t *object, const char *name, const char *text)
{
    json_t *value = json_string(text);
    json_object_set_new(object, name, value ? value : json_null());
}

static json_t *
describe_machine(const rh_machine *machine)
{
    json_t *object = json_object();
    set_text(object, "program", "reheap " RH_PROGRAM_VERSION);
    set_text(object, "build", machine->build);
    set_text(object, "compiler", rh_program_compiler());
    json_object_set_new(object, "assertions", json_boolean(rh_program_is_checked()));
    set_text(object, "processor", machine->processor);
    json_object_set_new(object, "processors", json_integer(machine->processors));
    set_text(object, "kernel", machine->kernel);
    set_text(object, "huge_pages", machine->huge_pages);
    set_text(object, "governor", machine->governor);
    return object;
}

bool
rh_provenance_is_of(const rh_machine *machine, const char *provenance, char *field, size_t capacity)
{
    json_t *here = describe_machine(machine), *there = json_loads(provenance, 0, NULL);
    const char *key;
    json_t *value;
    bool same = true;
    json_object_foreach(here, key, value)
    {
        if (json_equal(value, json_object_get(there, key)))
            continue;
        same = false;
        snprintf(field, capacity, "%s", key);
    }
    json_decref(here);
    json_decref(there);
    return same;
}

/* Whether another run gives the same numbers, but for what is the kernel's. */
static bool
is_deterministic(const char *opened)
{
    rh_spec spec;
    rh_error ignored;
    if (rh_spec_parse(opened, &spec, &ignored) != RH_OK)
        return false;
    bool repeats = rh_spec_repeats(&spec);
    rh_spec_release(&spec);
    return repeats;
}

static void
describe_memory_pass(json_t *object, const rh_experiment *experiment, const char *opened)
{
    json_object_set_new(object, "samples", json_integer(rh_experiment_samples(experiment)));
    json_object_set_new(object, "deterministic", json_boolean(is_deterministic(opened)));
}

char *
rh_provenance(const rh_machine *machine, const rh_experiment *experiment, const rh_member *member,
              const char *opened, const char *library, const char *preload, const char *trace_hash,
              const char *reason)
{
    json_t *object = describe_machine(machine);
    set_text(object, "host", machine->host);
    json_object_set_new(object, "memory_bytes", json_integer((json_int_t)machine->memory_bytes));
    set_text(object, "clock", "time-stamp counter");
    json_object_set_new(object, "ticks_per_ns", json_real(machine->ticks_per_ns));
    json_object_set_new(object, "seed", json_integer((json_int_t)experiment->seed));
    set_text(object, "touch", rh_touch_names[experiment->touch]);
    set_text(object, "threads", rh_threads_names[member && member->threads]);
    char pace[32], loop[64], age[96];
    set_text(object, "age", rh_age_text(&experiment->age, age, sizeof age));
    set_text(object, "loop", rh_loop_text(&experiment->loop, loop, sizeof loop));
    set_text(object, "pace", rh_pace_text(member ? member->pace : 0, pace, sizeof pace));
    set_text(object, "domain", rh_domain_names[experiment->domain]);
    if (member && member->pass == RH_PASS_MEMORY)
        describe_memory_pass(object, experiment, opened);
    set_text(object, "trace_hash", trace_hash);
    if (member && member->statistics[0])
        set_text(object, "statistics", member->statistics);
    set_text(object, "opened", opened);
    set_text(object, "library", library);
    set_text(object, "preload", preload);
    if (member)
        json_object_set_new(object, "environment_padding", json_integer(member->padding_bytes));
    json_object_set_new(object, "pinned", json_boolean(member && member->pinned));
    if (reason)
        set_text(object, "reason", reason);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!text)
        abort();
    return text;
}
