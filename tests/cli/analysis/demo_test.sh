#!/usr/bin/env bash
# reheap demo: what it refuses before it starts. (What it does is tested command by command.)
. "$TEST_SRCDIR/$TEST_WORKSPACE/tests/cli/lib.sh"

refuses 2 'one too many' "$REHEAP" demo some-file
refuses 2 'needs the name' "$REHEAP" demo -o ''
[ -x /usr/bin/python3 ] && [ -r /usr/lib/python3.11/lib2to3/main.py ] || skip "python3-lib2to3 is not installed"
mkdir no-tools
refuses 4 'gnuplot-nox' env PATH="$TMP/no-tools" "$REHEAP" demo -o made
absent made reheap-demo
command -v gnuplot >/dev/null || skip "gnuplot is not installed"
: >file
refuses 5 'file/made: cannot create it' "$REHEAP" demo -o file/made
finish
