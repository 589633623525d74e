// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "traces/generate/model.h"

static void
the_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; rh_models[i]; i++) {
        const rh_model *model = rh_models[i];
        rh_settings none = {.count = 0};
        rh_model_call call = {&none, model->keys};
        assert_true(model->summary && model->summary[0]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(model->name, rh_models[k]->name);
        for (const rh_key *key = model->keys; key->name; key++) {
            assert_true(key->help && key->help[0]);
            if (key->kind == RH_KEY_TEXT || !key->standard)
                continue;
            uint64_t standard = rh_model_number(&call, key->name);
            if (key->kind != RH_KEY_CHOICE)
                assert_true(standard >= key->min && standard <= key->max);
        }
    }
}

static void
settings_are_read(void **state)
{
    (void)state;
    rh_model_spec spec;
    rh_error error = {0};
    assert_int_equal(rh_model_parse("random,live=12,max=64K,sizes=powers", &spec, &error), RH_OK);
    rh_model_call call = {&spec.settings, spec.model->keys};
    assert_string_equal(spec.model->name, "random");
    assert_int_equal(rh_model_number(&call, "live"), 12);
    assert_int_equal(rh_model_number(&call, "max"), 65536);
    assert_int_equal(rh_model_number(&call, "min"), 16); /* the default */
    assert_int_equal(rh_model_number(&call, "sizes"), 2);
    rh_model_spec_release(&spec);
    const char *file;
    assert_int_equal(rh_model_parse("profile,file=a\\,b.csv", &spec, &error), RH_OK);
    assert_true(rh_settings_text(&spec.settings, "file", &file));
    assert_string_equal(file, "a,b.csv");
    rh_model_spec_release(&spec);
}

static void
nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "there is no model ''"},
        {"pins", "there is no model 'pins'"},
        {"stack,", "'' must be KEY=VALUE"},
        {"stack,live", "must be KEY=VALUE"},
        {"stack,live=", "'live=' is not allowed"},
        {"stack,live=0", "'live=0' is not allowed"},
        {"stack,live=3,live=4", "live is given twice"},
        {"random,sizes=even", "'sizes=even' is not allowed"},
        {"robson,smallest=3", "a power of two"},
        {"profile", "profile needs file="},
        {"stack+queue", "nothing can follow"},
        {"stack\\x", "a backslash"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rh_model_spec spec;
        rh_error error = {0};
        assert_int_equal(rh_model_parse(bad[i][0], &spec, &error), RH_USAGE);
        if (!strstr(error.message, bad[i][1]))
            fail_msg("'%s': %s", bad[i][0], error.message);
        assert_int_equal(rh_model_parse(bad[i][0], &spec, NULL), RH_USAGE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(settings_are_read),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
