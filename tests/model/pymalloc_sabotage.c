/* Runs plans of the model until one differs: exit status 1 then, 0 when all agree. Linked with a
 * copy of pymalloc that has a rule broken (sabotage.bzl). */
#include <inttypes.h>
#include <stdio.h>

#include "alloc/pymalloc.h"
#include "tests/model/pymalloc_drive.h"

enum { DRAWN = 40, OPERATIONS = 40000 };

static bool
differs(model_plan *plan)
{
    plan->operations = OPERATIONS;
    return model_run(plan, NULL) == MODEL_DIFFERS;
}

static bool
a_preset_differs(void)
{
    for (unsigned i = 0; rh_pymalloc_allocator.presets[i]; i++) {
        const char *version = rh_pymalloc_allocator.presets[i];
        model_plan plan = {.name = version, .seed = i, .live_max = 4096, .check_every = 997};
        if (rh_pymalloc_config_init(&plan.config, version, NULL) != RH_OK)
            return true;
        model_place_metadata(&plan.config, i);
        plan.watch = i % 2;
        if (differs(&plan))
            return true;
    }
    return false;
}

static bool
a_drawn_one_differs(void)
{
    for (uint64_t seed = 1; seed <= DRAWN; seed++) {
        char classes[512], name[32];
        model_plan plan;
        model_draw(seed, &plan, classes, sizeof classes);
        snprintf(name, sizeof name, "seed %" PRIu64, seed);
        plan.name = name;
        if (differs(&plan))
            return true;
    }
    return false;
}

int
main(void)
{
    return a_preset_differs() || a_drawn_one_differs();
}
