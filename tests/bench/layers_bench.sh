#!/usr/bin/env bash
# What each layer costs: ./dev bench layers [FILE.rht]. Without a file, a recording of Debian's Python that parses a module.
# Times come from layers_timer; instructions, where valgrind is installed, from the difference of playing a load thrice and
# once under cachegrind, which is the same every time.
set -eu
runfiles=$(readlink -f "${RUNFILES_DIR:-$0.runfiles}/reheap")
timer=$(readlink -f "$runfiles/tests/bench/layers_timer")
reheap=$(readlink -f "$runfiles/reheap_program")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
file=${1:-$folder/ast.rht}
[ $# -gt 0 ] || "$reheap" record --python -o "$file" -- /usr/bin/python3 -m ast /usr/lib/python3.11/typing.py >/dev/null
echo "$file: $("$reheap" info "$file" | sed -n '1s/^[^:]*: *//p')"
"$timer" "$file"

command -v valgrind >/dev/null || { echo "valgrind is not installed: no instructions counted"; exit 0; }
counted() { # SPEC LOAD TIMES: instructions, and the calls of one time
    local calls
    calls=$(setarch -R valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null --log-file="$folder/log" \
        "$timer" "$file" "$1" "$2" "$3") || return
    echo "$(sed -n 's/.*I *refs: *//p' "$folder/log" | tr -d ,) $calls"
}
echo
echo "instructions a call, over pymalloc,large=libc: the loop's own included, the same every time"
layers=$("$reheap" allocators | sed -n 's/^+\([a-z]*\).*/\1/p')
{
    echo "heap random recording"
    for layer in '' $layers; do
        [ "$layer" != fault ] || layer=fault,nth=1000000000000
        [ "$layer" != delay ] || layer=delay,ns=0
        line="pymalloc,large=libc${layer:++$layer}"
        spec=$line
        for load in random recording; do
            read -r once calls < <(counted "$spec" "$load" 1)
            read -r thrice calls < <(counted "$spec" "$load" 3)
            line+=" $(awk -v a="$once" -v b="$thrice" -v n="$calls" 'BEGIN {printf "%.1f", (b - a) / 2 / n}')"
        done
        echo "$line"
    done
} | column -t
