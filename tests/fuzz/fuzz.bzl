"""Fuzz targets: with clang a libFuzzer program, always a test that runs the saved inputs and mutations of them."""

def fuzz_target(name, srcs, corpus, deps):
    """Declares NAME_fuzz and NAME_corpus_test.

    `bazel build --config=fuzz //tests/fuzz:NAME_fuzz` needs clang; run the program with a folder for what it finds.

    Args:
      name: what is fuzzed.
      srcs: sources that define LLVMFuzzerTestOneInput.
      corpus: saved inputs, files.
      deps: what is fuzzed and what that needs, //base:random among it.
    """
    native.cc_binary(
        name = name + "_fuzz",
        testonly = True,
        srcs = srcs,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = deps,
    )
    native.cc_test(
        name = name + "_corpus_test",
        size = "medium",
        srcs = srcs + ["//tests/fuzz:run_corpus.c"],
        args = ["$(location %s)" % label for label in corpus],
        data = corpus,
        deps = deps + ["//tests:share"],
    )
