#!/bin/bash
# Every allocator that REHEAP lists is among the specs that layers are tested on: REHEAP SPEC...
reheap=$1
shift
status=0
for name in $("$reheap" allocators | sed -n 's/^\([a-z][a-z]*\)  .*/\1/p'); do
    found=
    for spec; do
        case $spec in
        "$name" | "$name",* | "$name"@*) found=1 ;;
        esac
    done
    [ -n "$found" ] || { echo "no layer is tested on $name"; status=1; }
done
exit $status
