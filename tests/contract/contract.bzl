"""The contract suite over many specs."""

def _target_name(spec):
    spec = spec.replace("$(location //alloc:", "").replace(")", "")
    letters = [c if c.isalnum() else "_" for c in spec.elems()]
    return "contract_" + "".join(letters)

# These take the place of malloc in the whole process, or leave memory that only they know.
_PRELOADED = ["jemalloc", "tcmalloc", "scudo", "tbb", "preload"]
_FOREIGN = ["cpython", "mimalloc"]

def contract_tests(specs, data = []):
    """Declares a test for each spec.

    Args:
      specs: from a spec to what the suite must know of it: "virtual" (addresses are numbers),
        "forgetful" (contents may be lost and blocks may overlap), "unguarded" (sizes that overflow
        are the caller's to refuse, as in CPython), "shared" (blocks may lie with the C library, where
        neither counters nor close reach them). A spec may hold $(location ...).
      data: what those name.
    """
    for spec, traits in specs.items():
        name = spec.split(",")[0].split("@")[0].split("+")[0]
        tags = []
        if name in _PRELOADED:
            tags = ["preload"]
        elif name in _FOREIGN:
            tags = ["no-asan", "no-tsan"]
        native.sh_test(
            name = _target_name(spec),
            size = "medium",
            srcs = ["run_contract.sh"],
            args = ["$(location :contract)", "'" + spec + "'"] + traits,
            data = [":contract"] + data,
            tags = tags,
        )
