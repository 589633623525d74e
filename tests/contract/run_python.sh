#!/usr/bin/env bash
# Runs the contract suite over what a version of CPython makes of every value of PYTHONMALLOC that it knows, and sees that
# it knows no other.
# usage: run_python.sh CONTRACT VERSION
set -u
contract=$1 version=$2 failed=0 ran=0
mimalloc="mimalloc mimalloc_debug"
[ "${version#3.}" -ge 13 ] && unknown="" || { unknown=$mimalloc mimalloc=""; }

suite() {
    "$contract" "$@" >"$TEST_TMPDIR/log" 2>&1 || {
        echo "== $*"
        cat "$TEST_TMPDIR/log"
        failed=1
    }
    grep -h '^SKIP:' "$TEST_TMPDIR/log"
    ran=$((ran + 1))
}

# Under the sanitizers (tests/share.h) those two that have all of the others in them.
names="default debug malloc malloc_debug pymalloc pymalloc_debug $mimalloc"
[ "${REHEAP_TEST_SHARE:-1}" = 1 ] || names="malloc_debug pymalloc_debug"
for name in $names; do
    suite "python@$version,malloc=$name"
done
case $version in 3.1[3-5])
    suite "python@$version,gil=no"
    suite "python@$version,gil=no,build=debug,malloc=mimalloc"
    ;;
esac
suite "python@$version,build=debug"
for name in $unknown; do
    "$contract" "python@$version,malloc=$name" >"$TEST_TMPDIR/log" 2>&1 && failed=1
    grep -q "CPython $version does not know '$name'" "$TEST_TMPDIR/log" || {
        echo "python@$version,malloc=$name is not refused: $(cat "$TEST_TMPDIR/log")"
        failed=1
    }
done
echo "$ran configurations"
exit $failed
