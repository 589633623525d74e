#!/usr/bin/env bash
# PYTHONTRACEMALLOC: what libpymem.so makes of it when it is loaded, beside what real interpreters make of it.
# usage: tracemalloc_test.sh PROGRAM
set -u
. tests/pymem/pymem_lib.sh
program=$1

# traced WANTED VARIABLE=VALUE...: "tracing frames traced-bytes peak"
traced() {
    local wanted=$1
    shift
    run 0 env "$@" "$program"
    [ "$(cat "$out")" = "$wanted" ] || complain "$*: $(cat "$out") instead of $wanted"
}

# Of OBJ's large block the arena's tables are RAW calls within a traced call: not counted.
traced "0 1 0 0" PYTHONTRACEMALLOC=
traced "0 1 0 0" PYTHONTRACEMALLOC=0
traced "1 1 4020 4520" PYTHONTRACEMALLOC=1
traced "1 25 4020 4520" PYTHONTRACEMALLOC=" 25"
traced "1 65535 4020 4520" PYTHONTRACEMALLOC=65535
# The hooks' own bytes lie below.
traced "1 1 4020 4520" PYTHONTRACEMALLOC=1 PYTHONMALLOC=debug
traced "1 1 4020 4520" PYTHONTRACEMALLOC=1 PYTHONMALLOC=malloc

run 0 env PYTHONTRACEMALLOC=1 "$program" report
holds "$out" "           3,000            1      3,000.0  3,000"

# The same words of refusal, up to the threads that only an interpreter has.
compared=0
for python in /usr/bin/python3 "${REHEAP_PYTHONS:-/nowhere}"/*/bin/python3; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
    case $version in 3.[789] | 3.1[0-5]) ;; *) continue ;; esac
    for value in x -1 0x10 "3 " 99999999999 70000 0 7; do
        # Any number of frames was right until 3.8.
        case $version:$value in 3.[78]:70000) continue ;; esac
        PYTHONTRACEMALLOC=$value "$python" -c \
            'import tracemalloc as t; print(t.is_tracing() + 0, t.get_traceback_limit())' \
            >"$TEST_TMPDIR/theirs.out" 2>"$TEST_TMPDIR/theirs"
        status=$?
        sed -i '/^Current thread/,$d' "$TEST_TMPDIR/theirs"
        run $status env PYTHONTRACEMALLOC="$value" REHEAP_PYTHON_VERSION="$version" "$program"
        cmp -s "$TEST_TMPDIR/theirs" "$err" ||
            complain "$version, $value: $(cat "$TEST_TMPDIR/theirs"); we: $(cat "$err")"
        [ "$(cut -d' ' -f1,2 "$out")" = "$(cat "$TEST_TMPDIR/theirs.out")" ] ||
            complain "$version, $value: $(cat "$TEST_TMPDIR/theirs.out"); we: $(cat "$out")"
        compared=$((compared + 1))
    done
done
echo "$compared starts compared"
[ "$compared" -ge 8 ] || complain "too few"
[ -n "${REHEAP_PYTHONS:-}" ] || echo "SKIP: REHEAP_PYTHONS names no folder with other versions; compared with /usr/bin/python3 alone"
exit $failed
