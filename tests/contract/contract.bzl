"""The contract suite over many specs."""

def _target_name(spec):
    spec = spec.replace("$(location //alloc:", "").replace(")", "")
    letters = [c if c.isalnum() else "_" for c in spec.elems()]
    return "contract_" + "".join(letters)

# These take the place of malloc in the whole process, or leave memory that only they know.
_PRELOADED = ["jemalloc", "tcmalloc", "scudo", "tbb", "preload"]
_FOREIGN = ["cpython", "mimalloc"]

def _tags(spec):
    name = spec.split(",")[0].split("@")[0].split("+")[0]
    if name in _PRELOADED:
        return ["preload"]
    if name in _FOREIGN:
        return ["no-asan", "no-tsan"]
    return []

def contract_tests(specs, data = [], tags = []):
    """Declares a test for each spec.

    Args:
      specs: from a spec to what the suite must know of it: "virtual" (addresses are numbers),
        "forgetful" (contents may be lost and blocks may overlap), "unguarded" (sizes that overflow
        are the caller's to refuse, as in CPython), "shared" (blocks may lie with the C library, where
        neither counters nor close reach them). A spec may hold $(location ...).
      data: what those name.
      tags: of every test.
    """
    for spec, traits in specs.items():
        native.sh_test(
            name = _target_name(spec),
            size = "medium",
            srcs = ["run_contract.sh"],
            args = ["$(location :contract)", "'" + spec + "'"] + traits,
            data = [":contract"] + data,
            tags = _tags(spec) + tags,
        )

def layer_contract_tests(specs, pairs, sanitized, data = []):
    """Declares tests of every layer that there is over each spec, and of stacks of two.

    Args:
      specs: as in contract_tests.
      pairs: those of them under every two layers in both orders, too.
      sanitized: those of them for the address sanitizer; a layer is the same code over each.
      data: as in contract_tests.
    """
    for spec, traits in specs.items():
        for how in ["single", "pairs"] if spec in pairs else ["single"]:
            native.sh_test(
                name = _target_name(spec).replace("contract_", "layers_" + how + "_"),
                size = "large",
                timeout = "long",
                srcs = ["run_layers.sh"],
                args = ["$(location :contract)", "$(location //:reheap_program)", how, "'" + spec + "'"] + traits,
                data = [
                    ":contract",
                    "//:reheap_program",
                ] + data,
                # Threads meet in the contract of the specs themselves; what a sanitizer sees in a stack of two layers it
                # sees in one. Under them these take many times as long.
                tags = _tags(spec) + ["no-tsan"] + (["no-asan"] if how == "pairs" or spec not in sanitized else []),
            )
    native.sh_test(
        name = "layers_over_every_allocator",
        size = "small",
        srcs = ["run_coverage.sh"],
        args = ["$(location //:reheap_program)"] + ["'" + spec + "'" for spec in specs],
        data = ["//:reheap_program"] + data,
    )
