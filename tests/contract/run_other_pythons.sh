#!/bin/sh
# The contract suite on every other libpython of the machine: PROGRAM. 3.7 to 3.11 must pass, later
# and earlier ones must be refused.
if [ -z "${REHEAP_PYTHONS:-}" ] || [ ! -d "$REHEAP_PYTHONS" ]; then
    echo "SKIP: REHEAP_PYTHONS names no folder of Python installations"
    exit 0
fi
failed=0
for library in "$REHEAP_PYTHONS"/*/lib/libpython3.*.so.1.0; do
    [ -e "$library" ] || continue
    case $library in
    */libpython3.7*|*/libpython3.8*|*/libpython3.9*|*/libpython3.10*|*/libpython3.11*)
        "$1" "cpython,so=$library" unguarded >"$TEST_TMPDIR/log" 2>&1 ||
            { cat "$TEST_TMPDIR/log"; echo "FAILED: $library"; failed=1; } ;;
    *)
        "$1" "cpython,so=$library" unguarded >"$TEST_TMPDIR/log" 2>&1
        grep -q "only 3.7 to 3.11 work without an interpreter" "$TEST_TMPDIR/log" ||
            { cat "$TEST_TMPDIR/log"; echo "NOT REFUSED: $library"; failed=1; } ;;
    esac
    echo "tried $library"
done
exit $failed
