#!/usr/bin/env bash
# record --pid: processes that run already, wherever they are at that moment, are recorded and go on unharmed.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
program=$runfiles/tests/record/visited_program
library=$(readlink -f "$runfiles/tests/record/libvisited.so")

# start WORDS...: runs a program whose input is descriptor 8; sets `visited`. It has begun when it has printed something.
start() {
    rm -f in && mkfifo in && : >said
    "$@" <in >said 2>&1 &
    visited=$!
    exec 8>in
    await grep -q . said
}

# ends STATUS [SAID]: the program has gone on and ends as it would have.
ends() {
    local got
    exec 8>&-
    wait $visited
    got=$?
    [ "$got" = "$1" ] || problem "the program ended with $got, not $1"
    [ -z "${2-}" ] || grep -q "^$2$" said || problem "the program did not say '$2': $(tail -n 2 said)"
}

# Records in the background from now on, until `leave`; the program's answer to a first line is in the file then.
visit() { # FILE OPTION...
    local file=$1
    shift
    : >visit.err
    "$REHEAP" record --pid $visited -o "$file" "$@" 2>visit.err &
    record=$!
}
leave() {
    kill -INT $record
    wait $record || problem "the recording ended with $?: $(cat visit.err)"
}
redirected() { # the recorder's library is there
    grep -q libreheap_record /proc/$visited/maps
}
say() {
    local count
    count=$(grep -c '^did' said)
    echo "$1" >&8
    await eval '[ "$(grep -c "^did" said)" -gt '$count' ]'
}

# May this test attach to anything at all?
start "$program" lines
"$REHEAP" record --malloc --pid $visited --duration 1ms -o may.rht 2>may.err
if grep -qE 'ptrace_scope|does not let us' may.err; then
    echo end >&8
    skip "$(cat may.err)"
fi
echo end >&8
ends 7 whole

# A program that waits for input: every call from then on, and none twice. The library it opens later is recorded as well.
start "$program" lines "$library"
visit lines.rht --malloc
await redirected
sleep 0.2 # between the library's coming and the first call that is recorded
say one
say two
say open
for i in $(seq 100); do
    say plugin
    sleep 0.01
done
say whose
leave
say three
say whose
same "whose malloc it calls" "libreheap_record_malloc.so libc.so.6" \
    "$(sed -n 's/malloc of //p' said | tr '\n' ' ' | sed 's/ $//')"
echo end >&8
ends 7 whole
expect 0 'sound' "$REHEAP" check lines.rht
same "why it ended" "on request" "$(fact lines.rht ended)"
same "how it was captured" "malloc, attached" "$(fact lines.rht capture)"
foreign=$(fact lines.rht foreign_frees)
[ "$foreign" -ge 1 ] && [ "$foreign" -le 3 ] || problem "frees of blocks from before: $foreign"
"$REHEAP" dump lines.rht >dump
for size in 2,?000 3,?000 4,?000 105,?000; do
    [ "$(grep -cE "malloc +$size " dump)" = 1 ] || problem "the block of $size bytes: $(grep -cE "malloc +$size " dump) births"
done
grep -qE "malloc +106,?000 " dump && problem "what came after the recording is in it"
[ "$(grep -cE 'malloc +4,?321 ' dump)" -ge 10 ] || problem "of the library that came later $(grep -cE 'malloc +4,?321 ' dump) calls are there"

# Threads at work, and again: another copy of the recorder each time.
start "$program" threads 4
for how in --malloc --auto ''; do
    expect 0 'at the limit of 200,000 events' "$REHEAP" record $how --pid $visited --max-events 200000 -o threads.rht
    expect 0 'sound' "$REHEAP" check threads.rht
    same "threads" 4 "$(fact threads.rht threads)"
done
kill -TERM $visited
ends 7 whole
# One that ends while it is recorded.
start "$program" threads 2
visit ending.rht --malloc
await redirected
kill -TERM $visited
ends 7 whole
wait $record || problem "the recording of a program that ends: $(cat visit.err)"
expect 0 'sound' "$REHEAP" check ending.rht
same "it ended with the program" None "$(fact ending.rht ended)"

# Threads that are nowhere but in the allocator, or wait for one another there: one is let run until it comes out.
start env MALLOC_ARENA_MAX=1 "$program" allocators 64
expect 0 'at the limit of 200,000 events' "$REHEAP" record --malloc --pid $visited --max-events 200000 -o threads.rht
expect 0 'sound' "$REHEAP" check threads.rht
kill -TERM $visited
ends 7 whole

# C++ on an allocator that has operators of its own: a thousand strings live, of which the recording saw no birth.
jemalloc=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2
cat >strings.cpp <<'END'
#include <csignal>
#include <cstdio>
#include <string>
#include <unistd.h>
int main() {
    static std::string strings[1000];
    signal(SIGTERM, [](int) { _exit(7); });
    puts("ready");
    fflush(stdout);
    for (long i = 0;; i++) {
        strings[i % 1000] = std::string(40 + i % 50, 'x');
        if (i % 1000 == 999)
            usleep(1000);
    }
}
END
if [ -e $jemalloc ] && command -v g++ >/dev/null && g++ -O1 -w -o strings strings.cpp; then
    start env LD_PRELOAD=$jemalloc ./strings
    for again in no yes; do
        expect 0 'at the limit of 50,000 events' "$REHEAP" record --malloc --pid $visited --max-events 50000 -o strings.rht
        same "births, undecided" "25000 0" "$(fact strings.rht allocations) $(fact strings.rht undecided_events)"
        foreign=$(fact strings.rht foreign_frees)
        [ "$foreign" = 1000 ] || [ "$foreign" = 1001 ] || problem "frees of strings from before: $foreign"
    done
    kill -TERM $visited
    ends 7 ready
else
    echo "SKIP: g++ or libjemalloc2 is not installed"
fi

# Python: its main thread at work, asleep, and waiting for a thread that works.
cat >visited.py <<'END'
import signal, sys, threading, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
def work():
    while True:
        kept = [str(i) * 3 for i in range(300)]
        time.sleep(0.0005)
print("ready", flush=True)
if sys.argv[1] == "thread":
    threading.Thread(target=work, daemon=True).start()
    threading.Event().wait()
elif sys.argv[1] == "sleep":
    threading.Thread(target=work, daemon=True).start()
    while True:
        time.sleep(1000)
work()
END
for mode in work sleep thread; do
    start "$debian" visited.py $mode
    expect 0 'at the limit of 50,000 events' "$REHEAP" record --pid $visited --max-events 50000 -o python.rht
    expect 0 'sound' "$REHEAP" check python.rht
    same "$mode: how it was captured" "python, attached" "$(fact python.rht capture)"
    refuses 2 'not a whole recording' "$REHEAP" verify python.rht
    expect 0 'at the limit of 20,000 events' "$REHEAP" record --pid $visited --max-events 20000 --malloc -o python.rht
    expect 0 'sound' "$REHEAP" check python.rht
    kill -TERM $visited
    ends 7
done

# Its allocators are the recorder's for as long as it records, and then its own again.
cat >whose.py <<'END'
import ctypes, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
class Allocator(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]
class Place(ctypes.Structure):
    _fields_ = [("file", ctypes.c_char_p), ("base", ctypes.c_void_p), ("symbol", ctypes.c_char_p), ("at", ctypes.c_void_p)]
def owner(function):
    place = Place()
    ctypes.CDLL(None).dladdr(ctypes.c_void_p(function), ctypes.byref(place))
    return "the recorder" if b"libreheap" in place.file else "itself"
def owners():
    found, one = [], Allocator()
    for domain in range(3):
        ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(one))
        found.append(owner(one.malloc))
    ctypes.pythonapi.PyObject_GetArenaAllocator(ctypes.byref(one))
    return found + [owner(one.malloc)]
last = None
while True:
    now = set(owners())
    if len(now) == 1 and now != last: # else they changed while they were looked at
        print(*now, flush=True)
        last = now
    time.sleep(0.0005)
END
for allocator in default debug; do
    PYTHONMALLOC=$allocator start "$debian" whose.py
    "$REHEAP" record --pid $visited -o whose.rht 2>visit.err &
    record=$!
    await grep -q recorder said
    leave
    await eval '[ "$(wc -l <said)" -ge 3 ]'
    kill -TERM $visited
    ends 7
    same "$allocator: whose allocators" "itself the recorder itself" "$(tr '\n' ' ' <said | sed 's/ $//')"
    expect 0 'sound' "$REHEAP" check whose.rht
done

# What cannot be.
refuses 4 'process 99999999: there is none' "$REHEAP" record --pid 99999999 -o no.rht
refuses 2 'either a program or --pid' "$REHEAP" record --pid 1 -o no.rht -- true
refuses 2 'and not its children' "$REHEAP" record --pid 1 --children -o no.rht
start "$program" lines
refuses 4 'there is no CPython' "$REHEAP" record --python --pid $visited -o no.rht
kill -STOP $visited
refuses 4 'it is stopped; let it go on first' "$REHEAP" record --malloc --pid $visited -o no.rht
kill -CONT $visited
echo end >&8
ends 7 whole
absent no.rht
finish
