#!/usr/bin/env bash
# Pieces of traces: cut, filter, merge.
. "${BASH_SOURCE[0]%/*}/lib.sh"

number() { # FILE NAME: of info --json
    "$REHEAP" info --json "$1" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}
lines() { # FILE: its events as text, without header and end
    "$REHEAP" export --to text "$1" | sed '/^reheap-text/d; /^header/d; /^end/d'
}
is() { # FILE: its events are those on standard input
    expect 0 sound "$REHEAP" check "$1"
    diff - <(lines "$1") || problem "$1: other events than expected"
}

cat >whole.txt <<'END'
reheap-text 1
header {"command":"a program","capture":"python","allocator":"pymalloc","timestamps":"coarse","addresses":true,"domains":true}
@1000 arena-alloc 1048576 0x7f0000100000
@1000 obj malloc 100 #0 0x7f0000100030 pooled
@2000 t1 raw malloc 2000 #1 0x5000
@3000 obj malloc 300 #2 0x7f0000100130 pooled
@4000 mark "loading"
@5000 raw realloc 2500 #1 0x6000
@6000 obj free #0
@7000 mem malloc 50 #0 0x7f0000100230 pooled
@8000 mark "done"
@9000 obj free #2
@9000 obj free null
@10000 t1 raw free #1
END
expect 0 '' "$REHEAP" import --from text whole.txt -o whole.rht

expect 0 '7 events' "$REHEAP" cut whole.rht --from 5 --to 8 -o middle.rht
is middle.rht <<'END'
@5000 obj malloc 100 #1 0x7f0000100030
@5000 t1 raw malloc 2000 #2 0x5000
@5000 obj malloc 300 #3 0x7f0000100130
@5000 mark "cut"
@5000 raw realloc 2500 #2 0x6000
@6000 obj free #1
@7000 mem malloc 50 #1 0x7f0000100230
END
same "cut: what it says of itself" "python, cut" "$(number middle.rht capture)"
expect 0 '' "$REHEAP" cut whole.rht --after loading --until done -o phase.rht
diff <(lines middle.rht | tail -n 3) <(lines phase.rht | tail -n 3) || problem "cut by phase and by event differ"
refuses 2 'the mark `never` does not come' "$REHEAP" cut whole.rht --after loading --until never -o never.rht
absent never.rht
expect 0 '' "$REHEAP" cut whole.rht --from 9us --to 1ms -o late.rht
is late.rht <<'END'
@9000 raw malloc 2500 #1 0x6000
@9000 obj malloc 300 #2 0x7f0000100130
@9000 mem malloc 50 #3 0x7f0000100230
@9000 mark "cut"
@9000 obj free #2
@9000 obj free null
@10000 t1 raw free #1
END
expect 0 '' "$REHEAP" cut whole.rht --to 3 -o first.rht
is first.rht <<'END'
@1000 mark "cut"
@1000 obj malloc 100 #1 0x7f0000100030
@2000 t1 raw malloc 2000 #2 0x5000
END
refuses 2 'no such mark' "$REHEAP" cut whole.rht --after nothing -o none.rht
refuses '[23]' '' "$REHEAP" cut whole.rht --from 500 -o none.rht
refuses 2 'ends before it begins' "$REHEAP" cut whole.rht --from 5 --to 4 -o none.rht
refuses 2 'say where' "$REHEAP" cut whole.rht -o none.rht
refuses 2 'neither' "$REHEAP" cut whole.rht --from soon -o none.rht
refuses 3 '' "$REHEAP" cut missing.rht --from 1 -o none.rht
absent none.rht

expect 0 '' "$REHEAP" filter whole.rht --size ..300 -o small.rht
is small.rht <<'END'
@1000 obj malloc 100 #1 0x7f0000100030
@3000 obj malloc 300 #2 0x7f0000100130
@4000 mark "loading"
@6000 obj free #1
@7000 mem malloc 50 #1 0x7f0000100230
@8000 mark "done"
@9000 obj free #2
@9000 obj free null
END
expect 0 '' "$REHEAP" filter whole.rht --domain raw --domain mem --size 51.. -o raw.rht
is raw.rht <<'END'
@2000 raw malloc 2000 #1 0x5000
@4000 t1 mark "loading"
@5000 t1 raw realloc 2500 #1 0x6000
@8000 t1 mark "done"
@10000 raw free #1
END
expect 0 '' "$REHEAP" filter whole.rht --thread 1 -o thread.rht
same "filter: by thread" 1 "$(number thread.rht allocations)"
refuses 2 'one of raw, mem, obj and libc' "$REHEAP" filter whole.rht --domain x -o none.rht
refuses 2 'a range of sizes' "$REHEAP" filter whole.rht --size 9..3 -o none.rht
absent none.rht

# A recording: what is cut off here is there; the parts fit together.
expect 0 '' "$REHEAP" record -o python.rht -- /usr/bin/python3 -c 'import json; print(len(json.dumps(list(range(30000)))))'
events=$("$REHEAP" check python.rht | sed 's/.*sound, \([0-9,]*\) events.*/\1/; s/,//g')
expect 0 '' "$REHEAP" cut python.rht --to $((events / 3)) -o a.rht
expect 0 '' "$REHEAP" cut python.rht --from $((events / 3)) -o b.rht
same "cut: what lives at the cut" "$(number a.rht end_live_blocks)" \
    "$(lines b.rht | sed '/mark "cut"/q' | grep malloc | grep -vc nested)"
same "cut: frees" "$(number python.rht frees)" $(($(number a.rht frees) + $(number b.rht frees)))
same "cut: what lives at the end" "$(number python.rht end_requested_bytes)" "$(number b.rht end_requested_bytes)"
refuses 2 'not a whole recording' "$REHEAP" verify b.rht
expect 0 '' "$REHEAP" filter python.rht --size ..512 -o small.rht
expect 0 '' "$REHEAP" filter python.rht --size 513.. -o large.rht
expect 0 '0 events; no block is like that' "$REHEAP" filter python.rht --thread 99 -o nothing.rht
same "filter: frees" "$(number python.rht frees)" $(($(number small.rht frees) + $(number large.rht frees)))
same "filter: allocations" "$(number python.rht allocations)" $(($(number small.rht allocations) + $(number large.rht allocations)))

expect 0 '' "$REHEAP" merge small.rht large.rht -o both.rht
same "merge: allocations" "$(number python.rht allocations)" "$(number both.rht allocations)"
same "merge: what lives at the end" "$(number python.rht end_requested_bytes)" "$(number both.rht end_requested_bytes)"
expect 0 sound "$REHEAP" check both.rht
expect 0 '' "$REHEAP" merge late.rht whole.rht -o times.rht
same "merge: threads" 4 "$(number times.rht threads)"
lines times.rht | sed 's/^@\([0-9]*\) .*/\1/' | sort -n -c || problem "merge: times go back"
refuses 2 'not alike' sh -c 'echo "Alloc(5)," | "$0" import --from wee - -o wee.rht >/dev/null 2>&1; exec "$0" merge whole.rht wee.rht -o none.rht' "$REHEAP"
refuses 2 'at least two' "$REHEAP" merge whole.rht -o none.rht
absent none.rht

# Nothing is written over what is read, under whatever name, nor a trace over what is none, nor the other way round.
cp whole.rht kept.rht
ln kept.rht other_name.rht
echo 'a letter' >letter.txt
for command in "cut --to 5" "filter --size 1..2" "merge late.rht" "export --to text"; do
    refuses 2 'kept.rht is (among )?what is read|other_name.rht is (among )?what is read' "$REHEAP" $command kept.rht -o other_name.rht
done
echo "Alloc(5)," >wee.txt
refuses 2 'is what is read' "$REHEAP" import --from wee wee.txt -o wee.txt
for command in "cut --to 5" "filter --size 1..2" "merge late.rht"; do
    refuses 2 'letter.txt: a file is there that is not a trace' "$REHEAP" $command whole.rht -o letter.txt
done
refuses 2 'letter.txt: a file is there that is not a trace' "$REHEAP" import --from wee wee.txt -o letter.txt
refuses 2 'kept.rht: a trace is there' "$REHEAP" export --to text whole.rht -o kept.rht
cmp whole.rht kept.rht || problem "a file was replaced"
same "what stood there" 'a letter' "$(cat letter.txt)"
expect 0 '' "$REHEAP" cut --to 5 whole.rht -o kept.rht
expect 0 '' "$REHEAP" export --to text whole.rht -o letter.txt
# Standard output is a place too.
expect 0 '^reheap-text' "$REHEAP" export --to text whole.rht -o -
absent -
"$REHEAP" cut whole.rht --to 5 -o - >piped.rht || problem "cannot cut to standard output"
expect 0 '' "$REHEAP" check piped.rht
# Getting to a place reads nothing before the key block in front of it: what is damaged there does not matter.
/usr/bin/python3 - >long.txt <<'END'
import random
random.seed(1)
print('reheap-text 1\nheader {"timestamps":"coarse","domains":true}')
alive = 0
for i in range(200000):
    if alive and random.random() < .5:
        alive -= 1
        print(f"@{i * 1000} obj free #{alive}")
    else:
        print(f"@{i * 1000} obj malloc {random.randrange(1, 10**7)} #{alive}")
        alive += 1
END
expect 0 '' "$REHEAP" import --from text long.txt -o long.rht
/usr/bin/python3 - long.rht broken.rht <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[data.index(b"RHBK", data.index(b"RHBK") + 1) - 100] ^= 1
open(sys.argv[2], "wb").write(data)
END
cp broken.rht bare.rht
truncate -s -10 bare.rht
expect 3 'damaged' "$REHEAP" check broken.rht
for command in "dump --from 190000 --count 5" "dump --json --from 190000 --count 5" \
    "cut --from 190000 --to 190100 -o piece.rht" "cut --from 190ms --to 190100us -o piece.rht"; do
    for file in long broken bare; do
        rm -f piece.rht
        expect 0 '' "$REHEAP" ${command%% *} $file.rht ${command#* }
        if [ -e piece.rht ]; then
            "$REHEAP" dump piece.rht
        else
            sed "s/$file.rht/FILE/" out
        fi >"$file.said"
        [ -s "$file.said" ] || problem "$command: nothing came out of $file.rht"
        diff long.said "$file.said" >/dev/null || problem "$command: $file.rht gives something else"
    done
done
refuses 3 'damaged|checksum' "$REHEAP" cut broken.rht --from 1 --to 190100 -o piece.rht


# A merged trace tells of all that is in it.
expect 0 '' "$REHEAP" record --malloc -o one.rht -- sh -c ': one'
expect 0 '' "$REHEAP" record --malloc -o two.rht -- bash -c ': two'
expect 0 '' "$REHEAP" merge one.rht two.rht -o merged.rht
same "merge: the command lines" "sh -c ': one'; bash -c ': two'" "$(number merged.rht command)"
! "$REHEAP" info --json merged.rht | grep -q '"program"' || problem "merge: one of two programs is told as that of both"
same "merge: the allocator of both" libc.so.6 "$(number merged.rht allocator)"
finish
