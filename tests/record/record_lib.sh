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

# compare_counts FILE SLACK: in FILE are as many calls as libcount_malloc.so saw; when the program was killed, each thread
# may have been between the one and the other.
compare_counts() {
    "$REHEAP" info --json "$1" >info.json
    "$debian" - counts info.json "$2" >compared <<'END' || problem "$1: $(cat compared)"
import json, struct, sys
names = "allocations", "reallocations", "frees", "null_frees", "failed_allocations"
counts = dict(zip(names, struct.unpack("=5Q", open(sys.argv[1], "rb").read())))
info, slack = json.load(open(sys.argv[2])), int(sys.argv[3])
different = {name: (value, info[name]) for name, value in counts.items() if abs(info[name] - value) > slack}
print("counted and recorded differ:", different, "dropped:", info["dropped_events"])
sys.exit(bool(different) or counts["allocations"] < 1000 or info["dropped_events"] != 0)
END
}
