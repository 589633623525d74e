"""Unit tests with cmocka."""

def unit_test(name, deps, size = "small", **others):
    """Declares NAME_test of NAME_test.c.

    Args:
      name: what is tested, as its source is called.
      deps: libraries beside cmocka.
      size: as in cc_test.
      **others: attributes of cc_test.
    """
    native.cc_test(
        name = name + "_test",
        size = size,
        srcs = [name + "_test.c"],
        deps = deps + ["//third_party/debian:cmocka"],
        **others
    )
