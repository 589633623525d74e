#!/bin/sh
# The contract suite on a malloc of one's own, and the refusal of half a one: PROGRAM TINY HALF.
"$1" "preload,so=./$2" || exit 1
"$1" "preload,so=./$3" >"$TEST_TMPDIR/log" 2>&1 && { echo "half a malloc was not refused"; exit 1; }
grep -q "replaces malloc but not calloc" "$TEST_TMPDIR/log" || { cat "$TEST_TMPDIR/log"; exit 1; }
