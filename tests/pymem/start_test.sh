#!/usr/bin/env bash
# What libpymem.so makes of the environment when it is loaded, beside what real interpreters make of it.
# usage: start_test.sh PROGRAM
set -u
. tests/pymem/pymem_lib.sh
program=$1

# named WANTED VARIABLE=VALUE...: the program runs with these, and finds this configuration.
named() {
    local wanted=$1
    shift
    run 0 env "$@" "$program"
    [ "$(head -1 "$out")" = "$wanted" ] || complain "$*: $(head -1 "$out") instead of $wanted"
}

named pymalloc
named pymalloc PYTHONMALLOC=
named pymalloc PYTHONMALLOC=default
named malloc PYTHONMALLOC=malloc
named malloc_debug PYTHONMALLOC=malloc_debug
named pymalloc_debug PYTHONMALLOC=debug
named pymalloc_debug PYTHONMALLOC=pymalloc_debug
named pymalloc_debug PYTHONDEVMODE=1
named pymalloc_debug PYTHONDEVMODE=0
named pymalloc PYTHONDEVMODE=
named malloc PYTHONDEVMODE=1 PYTHONMALLOC=malloc
named pymalloc_debug PYTHONDEVMODE=1 PYTHONMALLOC=
named pymalloc REHEAP_PYTHON_VERSION=3.9
named pymalloc_debug REHEAP_PYTHON_BUILD=debug
named malloc REHEAP_PYTHON_BUILD=without-pymalloc
named malloc_debug REHEAP_PYTHON_BUILD=debug,without-pymalloc
named malloc_debug REHEAP_PYTHON_BUILD=without-pymalloc PYTHONMALLOC=debug

if [ -e /usr/lib/x86_64-linux-gnu/libmimalloc.so.2 ]; then
    for version in 3.13 3.14 3.15; do
        named mimalloc REHEAP_PYTHON_VERSION=$version PYTHONMALLOC=mimalloc
        named mimalloc_debug REHEAP_PYTHON_VERSION=$version PYTHONMALLOC=mimalloc_debug
        named mimalloc REHEAP_PYTHON_VERSION=$version REHEAP_PYTHON_BUILD=free-threaded
        named mimalloc_debug REHEAP_PYTHON_VERSION=$version REHEAP_PYTHON_BUILD=free-threaded,debug
    done
else
    echo "SKIP: libmimalloc is not installed"
fi

# refused VARIABLE=VALUE...: the program does not come to run.
refused() {
    run 1 env "$@" "$program"
    [ ! -s "$out" ] || complain "$*: it ran"
}

for name in nosuch MALLOC "pymalloc " debug_ mimalloc; do
    refused PYTHONMALLOC="$name"
    printf '%s\n' "Fatal Python error: preconfig_init_allocator: PYTHONMALLOC: unknown allocator" \
        "Python runtime state: preinitializing" "" | cmp -s - "$err" || complain "$name: $(cat "$err")"
done
refused PYTHONMALLOC=pymalloc REHEAP_PYTHON_BUILD=without-pymalloc
refused PYTHONMALLOC=malloc REHEAP_PYTHON_BUILD=free-threaded REHEAP_PYTHON_VERSION=3.13
refused REHEAP_PYTHON_VERSION=3.6
holds "$err" "REHEAP_PYTHON_VERSION: CPython 3.6 is not known"
refused REHEAP_PYTHON_VERSION=3.12 REHEAP_PYTHON_BUILD=free-threaded
refused REHEAP_PYTHON_BUILD=debugging
holds "$err" "'debugging' is not known"

# The words of the refusal are each interpreter's own.
compared=0
for python in /usr/bin/python3 "${REHEAP_PYTHONS:-/nowhere}"/*/bin/python3; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
    case $version in 3.[789] | 3.1[0-5]) ;; *) continue ;; esac
    PYTHONMALLOC=nosuch "$python" -c 1 2>"$TEST_TMPDIR/theirs"
    refused PYTHONMALLOC=nosuch REHEAP_PYTHON_VERSION="$version"
    cmp -s "$TEST_TMPDIR/theirs" "$err" || complain "$version says: $(cat "$TEST_TMPDIR/theirs"); we: $(cat "$err")"
    compared=$((compared + 1))
done
echo "$compared interpreters compared"
[ -n "${REHEAP_PYTHONS:-}" ] || echo "SKIP: REHEAP_PYTHONS names no folder with other versions; compared with /usr/bin/python3 alone"

# ---- PYTHONMALLOCSTATS ----

dumps() { grep -c '^Small block threshold' "$err"; }

run 0 env PYTHONMALLOCSTATS= "$program" live
[ ! -s "$err" ] || complain "an empty PYTHONMALLOCSTATS prints"
# Before the first arena, before the second, and at the end; the first shows none.
run 0 env PYTHONMALLOCSTATS=1 "$program" live
[ "$(dumps)" = 3 ] || complain "$(dumps) dumps instead of 3"
grep '^# arenas allocated current' "$err" | awk '{print $NF}' | paste -sd' ' | grep -qx '0 1 2' ||
    complain "the arenas of the dumps: $(grep 'allocated current' "$err")"
run 0 env PYTHONMALLOCSTATS=1 PYTHONMALLOC=debug "$program" live
[ "$(dumps)" = 3 ] || complain "under the hooks $(dumps) dumps instead of 3"
run 0 env PYTHONMALLOCSTATS=1 PYTHONMALLOC=malloc "$program" live
[ ! -s "$err" ] || complain "malloc has no statistics, but: $(cat "$err")"
run 0 env PYTHONMALLOCSTATS=1 REHEAP_PYTHON_VERSION=3.9 "$program" live
holds "$err" "5 arenas * 262144 bytes/arena"
lacks "$err" "arena map counts"

# ---- huge pages ----

huge="REHEAP_PYTHON_VERSION=3.15 REHEAP_PYTHON_BUILD=hugepages PYTHONMALLOCSTATS=1"
for value in "" 0 1 7 -1 yes; do
    run 0 env $huge PYTHON_PYMALLOC_HUGEPAGES="$value" "$program" live
    holds "$err" "1 arenas * 2097152 bytes/arena"
done
run 0 env PYTHONMALLOCSTATS=1 REHEAP_PYTHON_VERSION=3.15 PYTHON_PYMALLOC_HUGEPAGES=1 "$program" live
holds "$err" "2 arenas * 1048576 bytes/arena"
refused REHEAP_PYTHON_VERSION=3.14 REHEAP_PYTHON_BUILD=hugepages
exit $failed
