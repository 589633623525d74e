"""Repositories that Debian's Bazel asks for and that nothing here needs.

Bazel's embedded tools load rules from a few external repositories. Debian's package ships none of them and a build must
not need the network, so each is stood in for by a folder that re-exports Bazel's native rules. A released Bazel brings
repositories of its own and names its version; Debian's reports an empty version, which is what tells them apart.
"""

_STAND_INS = [
    "rules_cc",
    "rules_java",
    "rules_proto",
    "remote_coverage_tools",
]

def stand_in_repositories(folder = "third_party/bazel"):
    """Declares the stand-ins when the running Bazel is Debian's.

    Args:
      folder: where this folder lies, seen from the workspace.
    """
    if native.bazel_version:
        return
    for name in _STAND_INS:
        if name not in native.existing_rules():
            native.local_repository(name = name, path = folder + "/" + name)
