#!/usr/bin/env bash
# Runs the model on copies of pymalloc that have one rule broken each. The first, `nothing`, is whole
# and must agree with the twin; every other must be found out, by a difference and not by a crash.
failures=0
for program; do
    name=${program##*/sabotaged_}
    said=$("./$program" 2>&1)
    status=$?
    wanted=1
    [ "$name" = nothing ] && wanted=0
    if [ "$status" != "$wanted" ]; then
        echo "$name: exit status $status, not $wanted; it said: $said"
        failures=$((failures + 1))
    else
        echo "$name: ${said##*$'\n'}"
    fi
done
[ $# -gt 1 ] || { echo "nothing was tried"; exit 1; }
exit $((failures > 0))
