#!/usr/bin/env bash
# break_rule.sh FILE OUT TEXT REPLACEMENT: copies FILE with TEXT, which must be in it exactly once,
# replaced.
set -eu
content=$(cat "$1")
without=${content//"$3"/}
if [ $((${#content} - ${#without})) -ne ${#3} ]; then
    echo "$1: this must be in it exactly once, and is not: $3" >&2
    exit 1
fi
printf '%s\n' "${content/"$3"/"$4"}" >"$2"
