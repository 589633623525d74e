#!/usr/bin/env bash
# The test of a replay_suite: gate.sh PROGRAM RESULTS WORD... holds the results against conditions.
exec "$1" compare "${@:2}"
