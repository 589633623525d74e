#!/usr/bin/env bash
# A delay that is planted is found where it was planted: of 500 calls one takes 10 µs longer, which the 99.9th percentile must
# show, and the 99th must not.
. "$TEST_SRCDIR/$TEST_WORKSPACE/tests/cli/lib.sh"
"$REHEAP" record -o a.rht -- /usr/bin/python3 -c 'x = [str(i) for i in range(100000)]' >out 2>err || problem "cannot record"
expect 0 '' "$REHEAP" replay a.rht -a bump+delay,every=500,ns=10000 -a bump+delay,ns=0 --measure latency,memory --reps 1 --json
/usr/bin/python3 - out <<'END' || problem "the delay is not where it was planted"
import json, sys
runs = {r["allocator"]["spec"]: r["metrics"] for r in json.load(open(sys.argv[1]))["runs"]}
slow = runs["bump+delay,every=500,ns=10000"]
calls = slow["allocations"] + slow["reallocations"]
assert slow["delay_calls"] == calls // 500, (slow["delay_calls"], calls)
assert slow["malloc_p999_ns"] >= 10000 > slow["malloc_p99_ns"], slow
assert runs["bump+delay,ns=0"]["delay_calls"] == calls // 500, runs
END
finish
