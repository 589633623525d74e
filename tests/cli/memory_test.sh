#!/usr/bin/env bash
# The memory of a command that reads a trace grows with what is alive in it, never with its length: a trace ten times as
# long, of as many live blocks, takes as much, with one thread and with several.
. "${BASH_SOURCE[0]%/*}/lib.sh"

expect 0 '' "$REHEAP" generate random,live=20000,lifetimes=bimodal --events=400000 -o short.rht
expect 0 '' "$REHEAP" generate random,live=20000,lifetimes=bimodal --events=4000000 -o long.rht

peak() { # COMMAND...: the most memory it had resident, in KiB
    /usr/bin/python3 - "$@" <<'END'
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss if status == 0 else "failed")
END
}

# What a thread of several takes at most (zstd's windows, a live set), and what the C library's malloc keeps for it, differs a
# little from run to run: the long trace has more key intervals to read at once.
bounded() { # KIB COMMAND...: with FILE for the trace
    local allowed=$1 short long
    shift
    short=$(peak "$REHEAP" "${@/FILE/short.rht}")
    long=$(peak "$REHEAP" "${@/FILE/long.rht}")
    if [[ $short = *failed* || $long = *failed* ]]; then
        problem "$*: it failed"
    elif [ "$long" -gt $((short + allowed)) ]; then
        problem "$*: $short KiB for 400,000 events, $long KiB for 4,000,000"
    else
        echo "ok: $*: $short KiB, $long KiB"
    fi
}

bounded 4096 info --jobs 1 FILE
bounded 4096 check --jobs 1 FILE
bounded 65536 info FILE
bounded 65536 check FILE
bounded 131072 info --jobs 8 FILE
bounded 131072 check --jobs 8 FILE
# After the first trace the C library keeps what the second takes from it.
bounded 49152 diff --jobs 1 FILE FILE
bounded 4096 dump --from 300000 FILE
bounded 8192 cut --from 100000 --to 350000 FILE -o piece.rht
bounded 8192 cut --to 10000000 FILE -o piece.rht
bounded 8192 filter --size ..512 FILE -o piece.rht
bounded 4096 export --to text FILE
bounded 4096 export --to android FILE
bounded 4096 export --to dsa FILE
bounded 8192 merge short.rht FILE -o piece.rht

# A large live set is not held once for each processor.
expect 0 '' "$REHEAP" generate ramp,live=1000000 --events=4000000 -o large.rht
alone=$(peak "$REHEAP" info --jobs 1 large.rht)
standard=$(peak "$REHEAP" info large.rht)
[ "$standard" -le $((alone + 262144)) ] || problem "info: $alone KiB with one thread, $standard KiB by itself"

finish
