#!/bin/bash
# The contract suite on SPEC under layers: CONTRACT REHEAP single|pairs SPEC [TRAIT...]. The layers are those that REHEAP
# lists, so that a new one is in it from the start. `single`: each by itself, and all on top of each other; `pairs`: every
# two in both orders, and each on itself.
contract=$1 reheap=$2 how=$3 spec=$4
shift 4
layers=$("$reheap" allocators | sed -n 's/^+\([a-z]*\).*/\1/p')
failed=0 tried=0

# What a layer must be told so that it changes nothing that the suite would see.
quiet() {
    case $1 in
    fault) echo fault,nth=1000000000 ;;
    *) echo "$1" ;;
    esac
}

try() { # LAYERS TRAIT...
    local stack=$1
    shift
    "$contract" "$spec$stack" "$@" >"$TEST_TMPDIR/log" 2>&1 || {
        echo "FAILED: $spec$stack"
        grep -v '^\[  *\(OK\|RUN\) ' "$TEST_TMPDIR/log" | tail -n 25
        failed=$((failed + 1))
    }
    grep '^SKIP:' "$TEST_TMPDIR/log"
    tried=$((tried + 1))
}

all=
for layer in $layers; do
    all=$all+$(quiet "$layer")
    case $how in
    single) try "+$(quiet "$layer")" "$@" ;;
    pairs) for outer in $layers; do try "+$(quiet "$layer")+$(quiet "$outer")" "$@"; done ;;
    esac
done
[ "$how" != single ] || try "$all" "$@"
echo "$tried stacks, $failed failed"
[ "$tried" -gt 2 ] && [ "$failed" = 0 ]
