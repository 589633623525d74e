#!/usr/bin/env bash
# Settings of the interpreter that come between its allocators and the hooks, and what the file says of them.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
find_pythons "$1"
programs=$runfiles/tests/record/programs.py

for python in "${pythons[@]}"; do
    version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
    minor=$(cut -d. -f2 <<<"$version")
    records plain.rht -- "$python" "$programs" plain
    same "$python: its version" "$version" "$(fact plain.rht python_version)"
    same "$python: its allocator" pymalloc "$(fact plain.rht allocator)"
    plain=$(fact plain.rht events)
    names=(default malloc pymalloc debug malloc_debug pymalloc_debug)
    wanted=(pymalloc malloc pymalloc pymalloc_debug malloc_debug pymalloc_debug)
    if [ "$minor" -ge 13 ]; then
        names+=(mimalloc)
        wanted+=(mimalloc)
    fi
    for i in "${!names[@]}"; do
        PYTHONMALLOC=${names[i]} records set.rht -- "$python" "$programs" plain
        same "$python: PYTHONMALLOC=${names[i]}" "${wanted[i]}" "$(fact set.rht allocator)"
        [ "$(fact set.rht events)" -gt $((plain * 9 / 10)) ] || problem "$python: hooks were lost"
        same "$python: PYTHONMALLOC is seen" "PYTHONMALLOC ${names[i]}" "$(PYTHONMALLOC=${names[i]} "$REHEAP" record \
            -o set.rht -- "$python" "$programs" environment 2>/dev/null | grep PYTHONMALLOC)"
    done
    PYTHONMALLOC=malloc records set.rht -- "$python" -E "$programs" plain
    same "$python: PYTHONMALLOC is ignored" pymalloc "$(fact set.rht allocator)"
    if [ "$minor" -ge 8 ]; then
        records set.rht -- "$python" -X dev "$programs" plain
        same "$python: development mode" pymalloc_debug "$(fact set.rht allocator)"
    else
        refuses 4 'development mode' "$REHEAP" record -o no.rht -- "$python" -X dev "$programs" plain
        absent no.rht
    fi
    # Above the recorder's hooks, tracemalloc's; taken out again.
    records set.rht -- "$python" -X tracemalloc "$programs" plain
    # Statistics that the program itself asked for come out as if nobody recorded it: at each arena and, where the heap
    # outlives the interpreter, at the end.
    texts=$(PYTHONMALLOCSTATS=1 "$REHEAP" record -o set.rht -- "$python" "$programs" arenas 2>&1 | grep -c '^Small block')
    arenas=$("$REHEAP" dump set.rht | grep -c arena-alloc)
    [ "$minor" -ge 12 ] || arenas=$((arenas + 1))
    same "$python: texts that PYTHONMALLOCSTATS asks for" $arenas "$texts"
    [ "$arenas" -ge 8 ] || problem "$python: the program has hardly any arenas"
    [ "$(fact set.rht checkpoints)" -ge 3 ] || problem "$python: no checkpoints"
    # Columns.
    for timestamps in coarse exact; do
        records times.rht --timestamps=$timestamps --addresses -- "$python" "$programs" plain
        same "$python: timestamps" $timestamps "$(fact times.rht timestamps)"
        same "$python: addresses" True "$(fact times.rht addresses)"
        [ "$(fact times.rht wall_ns)" -gt 1000000 ] || problem "$python: no time has passed"
    done
    # Interpreters beside the main one.
    cat >second.py <<'END'
import sys
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
legacy = {"isolated": False} if sys.version_info < (3, 13) else {"config": "legacy"}
try:
    one = interpreters.create(**(legacy if sys.argv[1] == "shared" else {}))
except TypeError:
    one = interpreters.create()
interpreters.run_string(one, "kept = [str(i) for i in range(100000)]")
interpreters.destroy(one)
print("both done")
END
    if [ "$minor" -ge 8 ]; then
        records shared.rht -- "$python" second.py shared
        grep -q 'both done' words || problem "$python: the second interpreter did not run"
    fi
    if [ "$minor" -ge 12 ]; then
        expect 4 'second interpreter' "$REHEAP" record -o own.rht -- "$python" second.py own
        grep -q 'both done' both || problem "$python: the refused program did not go on"
        absent own.rht
    fi
done
finish
