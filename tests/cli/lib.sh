# For tests of the command line: run something, and say what its exit code and words must be.
#
# A test is a shell script that sources this, calls `expect` and friends, and ends with `finish`. Every check is made; the
# test fails at the end if any did. $REHEAP is the program, $TMP an empty folder that is removed.
set -u
export LC_ALL=C
failures=0

runfiles=${TEST_SRCDIR:?run me with bazel test}/${TEST_WORKSPACE:?}
REHEAP=$runfiles/reheap_program
TMP=$(mktemp -d "${TEST_TMPDIR:?}/cli.XXXXXX")
trap 'rm -rf "$TMP"' EXIT
cd "$TMP" || exit 1

skip() { # REASON: the whole test cannot be done
    echo "SKIP: $1"
    exit 0
}

problem() {
    echo "FAIL: $1"
    failures=$((failures + 1))
}

# expect STATUS PATTERN COMMAND...: runs the command; its exit code is STATUS, and its output and error together match
# PATTERN (extended regular expression; empty: anything). They stay in $TMP/out, $TMP/err and $TMP/both.
expect() {
    local status=$1 pattern=$2 got
    shift 2
    "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
    got=$?
    judge "$status" "$pattern" "$got" "$*"
}

judge() { # STATUS PATTERN GOT WHAT
    cat "$TMP/out" "$TMP/err" >"$TMP/both"
    if ! [[ $3 =~ ^($1)$ ]]; then
        problem "$4: exit code $3, expected $1"
    elif [ -n "$2" ] && ! grep -qE -- "$2" "$TMP/both"; then
        problem "$4: nothing matches '$2'"
    else
        echo "ok: $4"
        return 0
    fi
    sed 's/^/    | /' "$TMP/both" | head -n 20
    return 1
}

# refuses STATUS PATTERN COMMAND...: as expect, and an error must be one to the user: nothing on stdout, one message.
refuses() {
    expect "$@" || return
    shift 2
    [ ! -s "$TMP/out" ] || problem "$*: an error put text on stdout: $(head -c 200 "$TMP/out")"
    grep -q '^reheap' "$TMP/err" || problem "$*: the message does not begin with reheap: $(head -c 200 "$TMP/err")"
}

# absent PATH...: nothing stands there, nor a temporary file of it.
absent() {
    local path
    for path; do
        [ -z "$(compgen -G "$path*")" ] || problem "left behind: $(compgen -G "$path*")"
    done
}

# same WHAT EXPECTED GOT
same() {
    if [ "$2" = "$3" ]; then echo "ok: $1"; else problem "$1: expected '$2', got '$3'"; fi
}

finish() {
    [ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
    exit 0
}
