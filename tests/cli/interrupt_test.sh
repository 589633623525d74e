#!/usr/bin/env bash
# Ctrl-C at each stage: code 130, and a complete, valid file or none. The moment varies, so that different stages are met.
. "${BASH_SOURCE[0]%/*}/lib.sh"
python=/usr/bin/python3
set -m # each background job is a process group of its own, as in a shell

program='import json, sys
for i in range(100000): json.loads(json.dumps([str(i * j) for j in range(1000)]))'

# interrupt SECONDS COMMAND...: sends SIGINT to the whole group after that time, as a terminal does. Sets `status`.
interrupt() {
    local after=$1 job
    shift
    "$@" >out 2>err </dev/null &
    job=$!
    sleep "$after"
    kill -INT -- -$job 2>/dev/null
    wait $job
    status=$?
}

# The same, and sooner if the command was done before.
interrupt_in_time() {
    local after
    for after in $1 $(awk "BEGIN { for (t = $1 / 2; t > 0.001; t /= 2) print t }"); do
        interrupt "$after" "${@:2}"
        [ $status = 0 ] || return
    done
}

for after in 0.05 0.3 1; do
    rm -f a.rht
    interrupt $after "$REHEAP" record -o a.rht -- "$python" -c "$program"
    # Once there is a recording it is completed, which is a success.
    if [ -e a.rht ]; then
        same "record, interrupted after $after s" 0 $status
        expect 0 '' "$REHEAP" check a.rht
    else
        same "record, interrupted after $after s, no file" 130 $status
    fi
done
[ -s a.rht ] || problem "record left nothing after a whole second"
expect 0 '' "$REHEAP" verify a.rht

# SIGTERM to the recorder alone, and to the program alone.
timeout -s TERM 1 "$REHEAP" record -o b.rht -- "$python" -c "$program" >out 2>err </dev/null
expect 0 '' "$REHEAP" check b.rht

"$REHEAP" record -o long.rht -- "$python" -c "${program/100000/10000}" >out 2>err || problem "cannot record"
for after in 0.05 0.5; do
    for command in "verify long.rht" "check long.rht" "replay long.rht -o c.db --reps 50 -a pymalloc -a malloc" \
        "tune long.rht --vary arena=64K:64M --vary pool=4K:64K -o c.db"; do
        rm -f c.db*
        interrupt_in_time $after "$REHEAP" $command
        same "$command, interrupted after $after s" 130 $status
        # What replay and tune keep are the runs that were complete.
        if [ -e c.db ]; then
            expect 0 '' "$REHEAP" compare c.db
            rm c.db
        fi
        absent c.db
    done
done
"$REHEAP" dump long.rht 2>err | head -n 3 >out
same "dump into a closed pipe: lines" 3 "$(wc -l <out)"
same "dump into a closed pipe says nothing" "" "$(cat err)"
finish
