#!/usr/bin/env bash
# met_condition_test.sh GATE PROGRAM RESULTS: the gate passes what holds, and ends with 1 where a condition is met.
"$@" --fail-if 'peak_mapped_bytes > 1T' || { echo "FAIL: a condition that is not met"; exit 1; }
"$@" --fail-if 'peak_mapped_bytes > 1'
status=$?
[ $status = 1 ] || { echo "FAIL: status $status where a condition is met"; exit 1; }
