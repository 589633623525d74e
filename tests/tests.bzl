"""What the tests' BUILD files say often."""

# For tests that the sanitizers cannot bear: their own memory at fixed addresses, another malloc
# preloaded, names that they add, or processes that lack their libraries.
UNSANITIZED = [
    "no-asan",
    "no-tsan",
]

def test_library(name, deps = [], **others):
    """Declares a library of NAME.c and NAME.h that only tests use.

    Args:
      name: of both files.
      deps: as in cc_library.
      **others: attributes of cc_library.
    """
    native.cc_library(
        name = name,
        testonly = True,
        srcs = [name + ".c"],
        hdrs = [name + ".h"],
        deps = deps,
        **others
    )

def command_test(name, script = None, size = "medium", data = [], **others):
    """Declares NAME_test of NAME_test.sh, which runs the program with the functions of lib.sh.

    Args:
      name: what is tested.
      script: where it is not NAME_test.sh.
      size: as in sh_test.
      data: beside the program and lib.sh.
      **others: attributes of sh_test.
    """
    native.sh_test(
        name = name + "_test",
        size = size,
        srcs = [script or name + "_test.sh"],
        data = data + [
            "//:reheap_program",
            "//tests/cli:lib.sh",
        ],
        **others
    )
