"""Copies of pymalloc with one rule broken, for the model test to find."""

# What is compiled anew with a broken header: the sources that use it for the rules below.
_USERS = {
    "arena_order.h": ["arena_order.c", "pymalloc_arenas.c", "pymalloc_pools.c"],
    "pymalloc_arenas.h": ["pymalloc_arenas.c", "pymalloc_pools.c"],
    "pymalloc_geometry.h": ["pymalloc_domains.c"],
    "pymalloc_paths.h": ["pymalloc_domains.c"],
    "pymalloc_pools.h": ["pymalloc_domains.c", "pymalloc_pools.c"],
}

def sabotages(rules):
    """Declares a program for each broken rule, sabotaged_NAME, that runs the model on such a copy.

    The copy is made when the test is built, by replacing one piece of text of one source, which must
    stand there exactly once: so the build fails when the rule is written otherwise one day. A broken
    source is linked before the library that has the sound one, whose object nobody needs then. A
    broken header takes its place by being read first, under the same guard.

    Args:
      rules: from a name to (file, text, replacement).
    """
    for name, rule in rules.items():
        file, text, replacement = rule
        broken = name + "_broken"
        native.genrule(
            name = broken,
            testonly = True,
            srcs = ["//alloc:" + file],
            outs = [name + "/" + file],
            cmd = "$(location break_rule.sh) $< $@ '%s' '%s'" % (text, replacement),
            tools = ["break_rule.sh"],
        )
        copts = ["-Wno-unused-parameter"]
        if file in _USERS:
            copts += ["-D_GNU_SOURCE=", "-include", "$(location :%s)" % broken]
        native.cc_binary(
            name = "sabotaged_" + name,
            testonly = True,
            srcs = [":" + broken, "//alloc:pymalloc_headers"] +
                   ["//alloc:" + user for user in _USERS.get(file, [])],
            copts = copts,
            deps = [
                ":pymalloc_sabotage",
                "//alloc:counters",
                "//alloc:heap",
                "//alloc:pymalloc",
                "//alloc:pymem",
                "//alloc:spec",
                "//base:error",
                "//base:size",
            ],
        )
    native.sh_test(
        name = "pymalloc_sabotage_test",
        size = "medium",
        srcs = ["pymalloc_sabotage_test.sh"],
        tags = ["no-asan", "no-tsan"],  # it tests the tests
        args = ["$(location :sabotaged_%s)" % name for name in rules],
        data = [":sabotaged_" + name for name in rules],
    )

def debug_sabotages(rules):
    """The same for the debug hooks: each rule a text of debug_hooks.c and its replacement.

    Args:
      rules: from a name to (text, replacement).
    """
    for name, rule in rules.items():
        native.genrule(
            name = "hooks_%s_broken" % name,
            testonly = True,
            srcs = ["//alloc:debug_hooks.c"],
            outs = ["hooks_%s/debug_hooks.c" % name],
            cmd = "$(location break_rule.sh) $< $@ '%s' '%s'" % rule,
            tools = ["break_rule.sh"],
        )
        native.cc_binary(
            name = "hooks/sabotaged_" + name,
            testonly = True,
            srcs = [":hooks_%s_broken" % name],
            copts = ["-w"],
            deps = [
                ":debug_sabotage",
                "//alloc:debug_hooks",
                "//alloc:pymem",
                "//alloc:readable",
            ],
        )
    native.sh_test(
        name = "debug_sabotage_test",
        size = "medium",
        srcs = ["pymalloc_sabotage_test.sh"],
        tags = ["no-asan", "no-tsan"],  # it tests the tests
        args = ["$(location :hooks/sabotaged_%s)" % name for name in rules],
        data = [":hooks/sabotaged_" + name for name in rules],
    )
