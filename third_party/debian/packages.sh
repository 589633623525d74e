# Which Debian packages are needed for what, and how missing ones come in. Sourced by ./reheap, ./dev and .ci/run.

# Building the program, recording a Python program, replaying under every allocator, drawing.
packages_to_run=(
    bazel-bootstrap build-essential
    libzstd-dev libsqlite3-dev libjansson-dev libxxhash-dev
    python3 python3.11 libpython3.11 python3-lib2to3
    libmimalloc2.0 libjemalloc2 libtcmalloc-minimal4
    gnuplot-nox
)

# Testing, checking, measuring.
packages_to_develop=(
    libcmocka-dev clang libclang-rt-14-dev clang-format valgrind hyperfine zstd
    # one more allocator to test against
    libtbbmalloc2
    # peers of the recorder, for ./dev bench record, and what it records
    heaptrack lttng-tools liblttng-ust1 jq
    # programs that the tests record
    black pylint scons python3-pyflakes python3-pygments
    git make perl sqlite3
)

# install_packages WHO PACKAGE...: names those that are missing and installs them; where this user may not, prints the
# command that would and returns 4. WHO begins every message.
install_packages() {
    local who=$1 package missing=() installed
    shift
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "$who: this system has no apt-get; reheap builds with the packages of Debian 12: $*" >&2
        return 4
    fi
    installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null) "
    for package; do
        [[ $installed == *" installed:$package "* ]] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "$who: missing Debian packages: ${missing[*]}" >&2

    local install=(apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}") as_root=()
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            as_root=(sudo)
        else
            echo "$who: only root may install them; run: apt-get update && ${install[*]}" >&2
            return 4
        fi
    fi
    echo "$who: installing them: ${as_root[*]} ${install[*]}" >&2
    local log
    log=$(mktemp) || return 5
    # The package lists of a fresh machine are empty, and old ones name files that are gone.
    if ! { "${as_root[@]}" apt-get update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}"; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        echo "$who: that failed; put it right, or run yourself: ${as_root[*]} apt-get update && ${as_root[*]} ${install[*]}" >&2
        return 4
    fi
    rm -f "$log"
}
