"""Replays as build targets: Bazel keeps results, makes them side by side, and stops a build by them.

    load("@reheap//replay:replay_suite.bzl", "replay_suite")

    replay_suite(
        name = "memory",
        traces = ["start.rht", "serve.rht"],
        allocators = ["pymalloc", "pymalloc,arena=4M"],
        fail_if = ["peak_mapped_bytes > 200M"],
    )

`bazel build :memory` makes memory.start.db and memory.serve.db, each a results file for `reheap compare`, `plot` and so on;
`bazel test :memory_gates` holds them against the conditions.
"""

def _base(label):
    name = label.split(":")[-1].split("/")[-1]
    return name[:-len(".rht")] if name.endswith(".rht") else name

def replay_suite(
        name,
        traces,
        allocators = ["pymalloc", "malloc"],
        measure = ["memory"],
        repetitions = 1,
        options = [],
        fail_if = [],
        baseline = None,
        tags = [],
        visibility = None):
    """One results file for every trace, and a test for every trace with conditions.

    Args:
      name: a filegroup of the results; NAME.TRACE.db are the files, NAME_gates the suite of the tests.
      traces: labels of .rht files, told apart by the ends of their names.
      allocators: specs, as for `reheap replay -a`.
      measure: of memory, throughput, latency. Times are of a machine that runs other actions meanwhile: gate on memory.
      repetitions: as `reheap replay --reps`.
      options: more words for `reheap replay`.
      fail_if: conditions, as for `reheap compare --fail-if`.
      baseline: the allocator that changes are to; default: pymalloc, or the first.
      tags: for every target.
      visibility: of the results.
    """
    program = str(Label("//:reheap_program"))
    results, tests = [], []
    for trace in traces:
        base = name + "." + _base(trace)
        result = base + ".db"
        words = ["-a '%s'" % allocator for allocator in allocators] + [
            "--measure " + ",".join(measure),
            "--reps %d" % repetitions,
        ] + options
        native.genrule(
            name = base,
            srcs = [
                trace,
                program,  # not a tool: it need not be built for the host as well
            ],
            outs = [result],
            # What it says is of interest only when it failed.
            cmd = "$(execpath %s) replay $(execpath %s) %s -o $@ >$@.log 2>&1 || { cat $@.log >&2; exit 1; }" %
                  (program, trace, " ".join(words)),
            message = "Replaying",
            tags = tags,
            visibility = visibility,
        )
        results.append(result)
        if not fail_if:
            continue
        native.sh_test(
            name = base + "_gate",
            size = "small",
            srcs = [str(Label("//replay:gate.sh"))],
            data = [program, result],
            args = ["$(rootpath %s)" % program, "$(rootpath %s)" % result] +
                   (["--baseline", "'%s'" % baseline] if baseline else []) +
                   [word for condition in fail_if for word in ["--fail-if", "'%s'" % condition]],
            tags = tags,
        )
        tests.append(base + "_gate")
    native.filegroup(
        name = name,
        srcs = results,
        tags = tags,
        visibility = visibility,
    )
    if tests:
        native.test_suite(
            name = name + "_gates",
            tests = tests,
            tags = tags,
        )
