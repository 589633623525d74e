# For tests of the recorder, on top of tests/cli/lib.sh.
. "${TEST_SRCDIR:?run me with bazel test}/${TEST_WORKSPACE:?}/tests/cli/lib.sh"

counter=$(readlink -f "$runfiles/tests/record/libcount_hook.so")
debian=/usr/bin/python3

# Sets `pythons`: Debian's ("debian"), or every other from 3.7 on that REHEAP_PYTHONS has ("others").
find_pythons() {
    local python
    pythons=()
    if [ "$1" = debian ]; then
        pythons=("$debian")
        return
    fi
    for python in "${REHEAP_PYTHONS:-/nonexistent}"/3.*/bin/python3; do
        [ -x "$python" ] && "$python" -c 'import sys; sys.exit(not (3, 7) <= sys.version_info < (3, 16))' &&
            pythons+=("$python")
    done
    [ ${#pythons[@]} -gt 0 ] || skip "REHEAP_PYTHONS names no folder with other CPython versions"
}

# fact FILE NAME: what `info` says.
fact() {
    "$REHEAP" info --json "$1" | "$debian" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}

# records FILE OPTION... -- PROGRAM...: a complete recording that `check` finds sound.
records() {
    local file=$1
    shift
    expect 0 '0 dropped' "$REHEAP" record -o "$file" "$@"
    cp "$TMP/both" "$TMP/words"
    expect 0 'sound' "$REHEAP" check "$file"
}

# Waits until a command succeeds, for as long as the test may take.
await() {
    until "$@"; do sleep 0.05; done
}
