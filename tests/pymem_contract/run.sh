#!/bin/sh
# The suite in one configuration, with the debug hooks set up on top and without, traced and not: PROGRAM NAME VERSION
failed=0
for extra in "" hooks traced "hooks traced"; do
    echo "== $2 of $3 ${extra}"
    # shellcheck disable=SC2086 # words
    "$1" "$2" "$3" $extra || failed=1
done
exit $failed
