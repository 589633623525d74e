#!/usr/bin/env bash
# The front door and every command behind it: help with an example, wrong words refused.
. "${BASH_SOURCE[0]%/*}/lib.sh"

expect 2 'Usage: reheap COMMAND' "$REHEAP"
expect 0 'Usage: reheap COMMAND' "$REHEAP" --help
[ ! -s err ] || problem "--help talks on stderr"
expect 0 '^build [0-9a-f]{32}$' "$REHEAP" --version
grep -qE '^reheap [0-9]+\.[0-9]+$' out || problem "the version is not told"
refuses 2 "no command 'frobnicate'.*reheap --help" "$REHEAP" frobnicate

commands=$("$REHEAP" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || problem "no commands listed"
for command in $commands; do
    expect 0 "reheap $command" "$REHEAP" "$command" --help
    grep -qiE '^ *(Example|For example)' out || problem "$command --help shows no example"
    refuses 2 '' "$REHEAP" "$command" --no-such-option
done
finish
