"""The suite over the documented functions, for each configuration."""

_VERSIONS = ["3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
_NAMES = ["default", "debug", "malloc", "malloc_debug", "pymalloc", "pymalloc_debug"]
_NEW_NAMES = ["mimalloc", "mimalloc_debug"]  # since 3.13

# For the sanitizers: each name once, the two versions that differ in more than a number in turn.
_SANITIZED = {
    "3.7": ["malloc", "pymalloc", "pymalloc_debug"],
    "3.14": ["debug", "default", "malloc_debug"],
}

def suite_tests():
    """Declares a test for each name of PYTHONMALLOC and each version that has it."""
    for version in _VERSIONS:
        names = _NAMES + (_NEW_NAMES if version in ["3.13", "3.14", "3.15"] else [])
        for name in names:
            native.sh_test(
                name = name + "_" + version + "_test",
                size = "medium",
                srcs = ["run.sh"],
                args = ["$(location :suite)", name, version],
                data = [":suite"],
                tags = [] if name in _SANITIZED.get(version, []) else ["no-asan", "no-tsan"],
            )
