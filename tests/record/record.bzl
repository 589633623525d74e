"""Tests that record programs."""

load("//tests:tests.bzl", "command_test")

# Libraries of a sanitizer cannot be preloaded into a program that has none.
def record_test(name, data = [], tags = [], **others):
    """Declares NAME_test of NAME_test.sh, which also has record_lib.sh.

    Args:
      name: as in command_test.
      data: as in command_test.
      tags: beside that of what preloads.
      **others: attributes of command_test.
    """
    command_test(
        name = name,
        data = data + ["record_lib.sh"],
        tags = tags + ["preload"],
        **others
    )
