// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/spec.h"

static void
accepts(const char *text, rh_spec *spec)
{
    rh_error error = {0};
    if (rh_spec_parse(text, spec, &error) != RH_OK)
        fail_msg("'%s': %s", text, error.message);
}

/* Refused as a wrong call, with a message that has every one of the `parts`, "|" between them. */
static void
refuses(const char *text, const char *parts)
{
    rh_spec spec;
    rh_error error = {0};
    assert_int_equal(rh_spec_parse(text, &spec, &error), RH_USAGE);
    assert_int_equal(error.status, RH_USAGE);
    while (*parts) {
        char part[256];
        size_t length = strcspn(parts, "|");
        snprintf(part, sizeof part, "%.*s", (int)length, parts);
        if (!strstr(error.message, part))
            fail_msg("'%s': \"%s\" lacks \"%s\"", text, error.message, part);
        parts += length + (parts[length] == '|');
    }
    assert_int_equal(rh_spec_parse(text, &spec, NULL), RH_USAGE);
}

static void
a_name_alone(void **state)
{
    (void)state;
    rh_spec spec;
    accepts("malloc", &spec);
    assert_string_equal(spec.allocator->name, "malloc");
    assert_null(spec.base.preset);
    assert_int_equal(spec.base.settings.count, 0);
    assert_int_equal(spec.layers, 0);
    rh_spec_release(&spec);
    assert_null(spec.allocator);
}

static void
settings_are_read(void **state)
{
    (void)state;
    rh_spec spec;
    uint64_t window = 0;
    const char *text = NULL;
    accepts("bump,window=2m", &spec);
    assert_true(rh_spec_number(&spec.base, "window", &window));
    assert_int_equal(window, 2 << 20);
    assert_true(rh_spec_text(&spec.base, "window", &text));
    assert_string_equal(text, "2m");
    window = 7;
    assert_false(rh_spec_number(&spec.base, "pool", &window));
    assert_int_equal(window, 7);
    rh_spec_release(&spec);
}

static void
names_are_checked(void **state)
{
    (void)state;
    refuses("", "there is no allocator ''|malloc|bump");
    refuses("mallok", "there is no allocator 'mallok'|did you mean 'malloc'?|bump");
    refuses("Malloc ", "'Malloc '");
    refuses("bump@3.9", "bump has no presets");
    refuses("malloc+", "there is no layer ''");
}

static void
keys_are_checked(void **state)
{
    (void)state;
    refuses("malloc,arena=1M", "malloc has no key 'arena', nor any other");
    refuses("bump,widow=1M", "bump has no key 'widow'|did you mean 'window'?");
    refuses("bump,window", "'window' must be KEY=VALUE");
    refuses("bump,", "'' must be KEY=VALUE");
    refuses("bump,window=1M,window=2M", "window is given twice: '1M' and '2M'");
}

static void
values_are_checked(void **state)
{
    (void)state;
    refuses("bump,window=", "'window=' is not allowed|a size from 64K to 16T");
    refuses("bump,window=1", "64K to 16T");
    refuses("bump,window=17T", "64K to 16T");
    refuses("bump,window=1Q", "'window=1Q'");
    refuses("bump,window=-1", "'window=-1'");
    refuses("bump,window=99999999999999999999", "64K to 16T");
}

static void
backslashes_are_checked(void **state)
{
    (void)state;
    refuses("bump\\", "backslash|before the end");
    refuses("bu\\mp", "backslash|before another character");
    refuses("bump\\+x", "no allocator 'bump+x'");
    refuses("bump\\,x", "no allocator 'bump,x'");
    refuses("bump\\\\", "no allocator 'bump\\'");
}

static void
presets_are_checked(void **state)
{
    (void)state;
    rh_spec spec;
    accepts("pymalloc@3.9,arena=4M,policy=lowest-address", &spec);
    assert_string_equal(spec.base.preset, "3.9");
    uint64_t policy = 0;
    assert_true(rh_spec_number(&spec.base, "policy", &policy));
    assert_int_equal(policy, 1);
    rh_spec_release(&spec);
    refuses("pymalloc@", "no preset ''|3.7, 3.8");
    refuses("pymalloc@3.99", "no preset '3.99'|did you mean '3.9'?");
    refuses("pymalloc@2.7", "no preset '2.7'|3.15");
}

static void
choices_are_checked(void **state)
{
    (void)state;
    refuses("pymalloc,policy=lowest", "'policy=lowest' is not allowed|most-full, lowest-address");
    refuses("pymalloc,metadata=inband", "did you mean 'in-band'?");
    refuses("pymalloc,arena=100K", "a power of two from 4K to 1G");
    refuses("pymalloc,keep=few", "'keep=few' is not allowed|a number from 0");
}

static void
layers_are_read(void **state)
{
    (void)state;
    rh_spec spec;
    accepts("pymalloc,arena=1M+count+fault,nth=7", &spec);
    assert_int_equal(spec.layers, 2);
    assert_string_equal(spec.layer[0]->name, "count");
    assert_string_equal(spec.layer[1]->name, "fault");
    uint64_t nth = 0;
    assert_true(rh_spec_number(&spec.layer_part[1], "nth", &nth));
    assert_int_equal(nth, 7);
    rh_spec_release(&spec);
    refuses("malloc+cuont", "no layer 'cuont'|did you mean 'count'?");
    refuses("malloc+count,x=1", "count has no key 'x', nor any other");
    refuses("malloc+fault,nth=0", "'nth=0' is not allowed|from 1");
    refuses("malloc+count@3.9", "no layer 'count@3.9'");
    refuses("malloc+fault,domain=up", "'domain=up' is not allowed|raw, mem, obj, all");
    refuses("malloc+fault,from=x", "'from=x' is not allowed|from is a size");
    refuses("malloc+count,nth=1", "count has no key 'nth', nor any other");
    refuses("malloc+fault,nht=1+count", "fault has no key 'nht'|did you mean 'nth'?");
    refuses("malloc+count+count+count+count+count+count+count+count+count", "at most 8 layers");
}

static void
text_is_unescaped(void **state)
{
    (void)state;
    rh_spec spec;
    const char *so = NULL;
    accepts("preload,so=/a\\,b\\+c\\\\d=e", &spec);
    assert_true(rh_spec_text(&spec.base, "so", &so));
    assert_string_equal(so, "/a,b+c\\d=e");
    rh_spec_release(&spec);
    refuses("preload,so=", "'so=' lacks its value");
    refuses("preload", "preload needs so=, the library");
    refuses("plugin,options=a=1+count", "plugin needs so=, the library");
}

static void
length_is_bounded(void **state)
{
    (void)state;
    char *text = malloc(20001);
    memset(text, 'a', 20000);
    text[20000] = '\0';
    refuses(text, "longer than");
    text[3000] = '\0';
    refuses(text, "there is no allocator 'aaaa");
    free(text);
}

/* `python` is never met: what it stands for is there in its place. */
static void
python_stands_for_others(void **state)
{
    (void)state;
    static const struct {
        const char *text, *allocator, *preset, *layers;
    } meanings[] = {
        {"python", "pymalloc", "3.11", ""},
        {"python@3.9", "pymalloc", "3.9", ""},
        {"python@3.12,malloc=pymalloc_debug", "pymalloc", "3.12", "+debug"},
        {"python@3.7,malloc=debug+count", "pymalloc", "3.7", "+debug+count"},
        {"python,malloc=malloc_debug+count", "malloc", NULL, "+debug+count"},
        {"python,build=debug", "pymalloc", "3.11", "+debug"},
        {"python@3.13,malloc=mimalloc", "mimalloc", "3.13", ""},
        {"python@3.15,gil=no,build=debug", "mimalloc", "3.15t", "+debug"},
        {"python,build=debug,malloc=malloc", "malloc", NULL, ""},
        {"python@3.13,malloc=mimalloc", "mimalloc", "3.13", ""},
        {"python@3.14,gil=no", "mimalloc", "3.14t", ""},
        {"python@3.15,gil=no,malloc=debug", "mimalloc", "3.15t", "+debug"},
    };
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        rh_spec spec;
        assert_int_equal(rh_spec_parse(meanings[i].text, &spec, NULL), RH_OK);
        assert_string_equal(spec.allocator->name, meanings[i].allocator);
        if (meanings[i].preset)
            assert_string_equal(spec.base.preset, meanings[i].preset);
        char layers[64] = "";
        for (size_t l = 0; l < spec.layers; l++) {
            strcat(layers, "+");
            strcat(layers, spec.layer[l]->name);
        }
        assert_string_equal(layers, meanings[i].layers);
        rh_spec_release(&spec);
    }
    rh_spec spec;
    const char *text;
    assert_int_equal(rh_spec_parse("python,large=libc", &spec, NULL), RH_OK);
    assert_true(rh_spec_text(&spec.base, "large", &text) && strcmp(text, "libc") == 0);
    rh_spec_release(&spec);
    refuses("python,malloc=malloc,large=libc", "large= is pymalloc's");
    refuses("python@3.12,malloc=mimalloc", "mimalloc came with 3.13");
    refuses("python@3.12,gil=no", "cannot be built free-threaded");
    refuses("python@3.14,gil=no,malloc=pymalloc", "mimalloc only");
    refuses("python@3.14,malloc=nosuch", "mimalloc_debug");
}

static void
every_row_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; rh_allocators[i]; i++) {
        const rh_allocator *allocator = rh_allocators[i];
        assert_non_null(allocator->summary);
        assert_true(!allocator->open != !allocator->stands_for);
        size_t keys = 0;
        for (const rh_key *key = allocator->keys; key && key->name; key++, keys++) {
            assert_non_null(key->help);
            if (key->kind == RH_KEY_CHOICE)
                assert_non_null(key->choices);
            else if (key->kind != RH_KEY_TEXT)
                assert_true(key->min <= key->max);
        }
        assert_true(keys <= RH_SETTINGS_MAX);
    }
}

/* The default of every key is a value that the key allows. */
static void
defaults_are_allowed(const char *owner, const rh_key *keys)
{
    for (const rh_key *key = keys; key && key->name; key++) {
        if (!key->standard || !*key->standard)
            continue;
        char text[256];
        rh_spec spec;
        snprintf(text, sizeof text, "%s,%s=%s", owner, key->name, key->standard);
        accepts(text, &spec);
        rh_spec_release(&spec);
    }
}

static void
every_default_is_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; rh_allocators[i]; i++)
        defaults_are_allowed(rh_allocators[i]->name, rh_allocators[i]->keys);
    for (size_t i = 0; rh_layers[i]; i++) {
        char owner[64];
        snprintf(owner, sizeof owner, "malloc+%s", rh_layers[i]->name);
        defaults_are_allowed(owner, rh_layers[i]->keys);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_alone),          cmocka_unit_test(settings_are_read),
        cmocka_unit_test(names_are_checked),     cmocka_unit_test(keys_are_checked),
        cmocka_unit_test(values_are_checked),    cmocka_unit_test(backslashes_are_checked),
        cmocka_unit_test(presets_are_checked),   cmocka_unit_test(choices_are_checked),
        cmocka_unit_test(layers_are_read),       cmocka_unit_test(text_is_unescaped),
        cmocka_unit_test(length_is_bounded),     cmocka_unit_test(python_stands_for_others),
        cmocka_unit_test(every_row_is_complete), cmocka_unit_test(every_default_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
