#!/usr/bin/env bash
# Spec strings that will not do: the bad part is named with what is allowed, and no results file is left.
. "${BASH_SOURCE[0]%/*}/lib.sh"

"$REHEAP" record -o a.rht -- /usr/bin/python3 -c pass >/dev/null 2>&1 || problem "cannot record"
replay() { "$REHEAP" replay a.rht -o runs.db --measure memory -a "$@"; }

refuses 2 'nosuch' replay nosuch
refuses 2 '3\.6' replay pymalloc@3.6
refuses 2 'color' replay pymalloc,color=red
refuses 2 'arena' replay pymalloc,arena=3
refuses 2 'arena' replay pymalloc,arena=5000
refuses 2 'pool' replay pymalloc,pool=huge
refuses 2 'arena|pool' replay pymalloc,arena=64K,pool=1M
refuses 2 'policy' replay pymalloc,policy=sometimes
refuses 2 'nosuch' replay pymalloc+nosuch
refuses 2 '' replay ''
refuses 2 '' replay ,
refuses 2 '' replay pymalloc,arena
refuses 2 "does not know 'mimalloc'" replay python@3.12,malloc=mimalloc
refuses 2 'preload needs so=' replay preload
refuses 2 'plugin needs so=' replay plugin+count
refuses 2 "fault has no key 'nht'; did you mean 'nth'" replay malloc+fault,nht=2
absent runs.db

# A configuration of CPython's is the allocator that it stands for, in every number.
for pair in python@3.9/pymalloc@3.9 python@3.9,malloc=debug/pymalloc@3.9+debug; do
    for spec in "${pair%/*}" "${pair#*/}"; do
        "$REHEAP" replay a.rht --measure memory --reps 1 --json -a "$spec" \
            >out 2>err || problem "$spec: $(cat err)"
        /usr/bin/python3 -c 'import json, sys
metrics = json.load(sys.stdin)["runs"][0]["metrics"]
for name in sorted(metrics):
    if "resident" not in name:
        print(name, metrics[name])' <out >"numbers.${spec%%[@,]*}" || problem "$spec: no JSON"
    done
    cmp numbers.python numbers.pymalloc || problem "$pair differ"
    [ -s numbers.python ] || problem "$pair: no numbers"
done

# Libraries that are not there, or are something else.
echo 'not a library' >lib.so
for library in ./missing.so ./lib.so; do
    expect 4 "${library#./}" replay "preload,so=$library"
    expect 4 "${library#./}" replay "plugin,so=$library"
    rm -f runs.db
done

# One bad allocator among good ones: the good runs are kept, the code tells.
expect 4 'missing' "$REHEAP" replay a.rht -o runs.db --measure memory -a bump -a preload,so=./missing.so

refuses 2 '' "$REHEAP" replay
refuses 2 'touch' "$REHEAP" replay a.rht -o x.db --touch sometimes -a bump
refuses 2 'measure' "$REHEAP" replay a.rht -o x.db --measure beauty -a bump
refuses 2 'reps' "$REHEAP" replay a.rht -o x.db --reps -3 -a bump
refuses 2 '' "$REHEAP" replay a.rht -o x.db --reps many -a bump
refuses 5 'no/such' "$REHEAP" replay a.rht -o no/such/x.db --measure memory -a bump
absent x.db
finish
