#!/usr/bin/env bash
# Records real programs, replays each recording into pymalloc of the recorded version, and demands the same address for
# every block and the same text at every checkpoint.
#
# verify_test.sh debian PROGRAM...     with /usr/bin/python3
# verify_test.sh 3.9 PROGRAM...        with the CPython of that version below $REHEAP_PYTHONS
#
# PROGRAM+debug runs it with PYTHONMALLOC=debug, PROGRAM+dev in development mode.
. "${TEST_SRCDIR:?}/${TEST_WORKSPACE:?}/tests/cli/lib.sh"
. "$runfiles/tests/verify/programs.sh"
least_events=1000000

version=$1
shift
if [ "$version" = debian ]; then
    python=/usr/bin/python3
else
    [ -n "${REHEAP_PYTHONS:-}" ] || skip "CPython $version: REHEAP_PYTHONS names no folder of interpreters"
    python=$(compgen -G "$REHEAP_PYTHONS/$version.*/bin/python3" | sort -V | tail -n 1)
    [ -n "$python" ] || skip "CPython $version: none below REHEAP_PYTHONS=$REHEAP_PYTHONS"
fi
export HOME=$TMP PYTHONHASHSEED=random

number() { # FILE NAME: a number of a JSON object, or nothing
    /usr/bin/python3 -c '
import json, sys
value = json.load(open(sys.argv[1])).get(sys.argv[2])
print("" if value is None else value)' "$1" "$2"
}

row() { printf '%-18s %-8s %12s %12s %6s %11s %6s %8s\n' "$@"; }

verify_program() { # PROGRAM[+debug|+dev]
    local name=${1%+*} hooks=${1#"${1%+*}"} events dropped compared different checkpoints unlike
    command=() reason=
    work=$TMP/work
    rm -rf "$work" && mkdir "$work" && cd "$work" || exit 1
    if ! "program_$name"; then
        [ "$version" = debian ] && skip "$name: $reason"
        return # this version does not come with it
    fi
    case $hooks in
    +debug) command=(env PYTHONMALLOC=debug "${command[@]}") ;;
    +dev) command=("${command[0]}" -X dev -W ignore "${command[@]:1}") ;;
    esac
    expect 0 '' "$REHEAP" record --python -o "$TMP/$name.rht" -- "${command[@]}" || return
    expect 0 '' "$REHEAP" check "$TMP/$name.rht"
    expect 0 '' "$REHEAP" info --json "$TMP/$name.rht" && cp "$TMP/out" "$TMP/info.json"
    expect 0 '' "$REHEAP" verify --json "$TMP/$name.rht"
    cp "$TMP/out" "$TMP/verify.json"
    [ -z "$hooks" ] || grep -q '"spec": "pymalloc@.*+debug' "$TMP/verify.json" ||
        problem "$name: not verified against the debug hooks"
    events=$(number "$TMP/info.json" events)
    dropped=$(number "$TMP/info.json" dropped_events)
    compared=$(number "$TMP/verify.json" addresses_compared)
    different=$(number "$TMP/verify.json" addresses_different)
    checkpoints=$(number "$TMP/verify.json" checkpoints_compared)
    unlike=$(number "$TMP/verify.json" checkpoints_different)
    [ "${events:-0}" -ge $least_events ] || problem "$name: only ${events:-no} events"
    [ "${compared:-0}" -ge $((least_events / 4)) ] || problem "$name: only ${compared:-no} addresses were compared"
    [ "${checkpoints:-0}" -ge 1 ] || problem "$name: no checkpoint was compared"
    same "$name: events dropped" 0 "$dropped"
    same "$name: addresses that differ" 0 "$different"
    same "$name: checkpoints that differ" 0 "$unlike"
    row "$name$hooks" "$("$python" -c 'import platform; print(platform.python_version())')" "$events" "$compared" "$different" \
        "$checkpoints" "$unlike" "$(number "$TMP/info.json" bytes_per_event | cut -c 1-6)" >>"$TMP/table"
    rm -f "$TMP/$name.rht"
}

for program; do
    verify_program "$program"
done
echo
row program python events addresses differ checkpoints differ bytes/ev
cat "$TMP/table" 2>/dev/null
finish
