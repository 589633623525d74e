#!/usr/bin/env bash
# Formats in and out: what the importers make of small files, what they say of bad ones, and that nothing is lost on the
# way there and back.
. "${BASH_SOURCE[0]%/*}/lib.sh"

number() { # FILE NAME: of info --json
    "$REHEAP" info --json "$1" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}

# figures FILE ALLOCATIONS REALLOCATIONS FREES PEAK-BYTES PEAK-BLOCKS
figures() {
    local file=$1 got="" name
    shift
    for name in allocations reallocations frees peak_requested_bytes peak_live_blocks; do
        got+="$(number "$file" $name) "
    done
    same "$file: figures" "$* " "$got"
    expect 0 sound "$REHEAP" check "$file"
}

# and_back FILE: as text and again as a trace, it is the same.
and_back() {
    expect 0 '' "$REHEAP" export --to text "$1" -o back.txt
    expect 0 '' "$REHEAP" import --from text back.txt -o back.rht
    cmp -s "$1" back.rht || problem "$1: export and import make another file of it"
}

imports() { # FORMAT OUTPUT: from standard input
    cat >"$2.in"
    expect 0 'events from' "$REHEAP" import --from "$1" "$2.in" -o "$2"
    and_back "$2"
}

imports android android.rht <<'END'
7: malloc 0x1000 100
8: calloc 0x2000 4 25
7: realloc 0x3000 0x1000 250
9: memalign 0x4000 64 10
7: realloc 0x5000 0x0 5
8: free 0x3000
8: free 0x0
9: malloc 0x0 99999999999
8: thread_done 0x0
END
figures android.rht 4 1 1 365 4
same "android: threads" 3 "$(number android.rht threads)"
same "android: a failure" 1 "$(number android.rht failed_allocations)"
expect 0 '' "$REHEAP" export --to android android.rht
diff <(sed 's/0x[0-9a-f]*//g; s/^[789]: *//; /thread_done/d; s/  */ /g' android.rht.in) <(sed 's/0x[0-9a-f]*//g; s/^[0-9]: *//; s/  */ /g' out) ||
    problem "android: there and back"

imports wee wee.rht <<'END'
Alloc(100),
Alloc(7),
Free(0),
Alloc(50),
Free(1),
END
figures wee.rht 3 0 2 107 2

imports malloclab lab.rht <<'END'
20000000
2
5
1
a 0 512
a 1 128
r 0 640
f 1
f 0
END
figures lab.rht 2 1 2 768 2

imports mtrace mtrace.rht <<'END'
= Start
@ ./a.out:[0x55d0c8e4b1a6] + 0x55d0ca1dd6a0 0x64
@ /lib/libc.so.6:(fopen+0x1)[0x7f00] + 0x55d0ca1dd710 0x10
@ ./a.out:[0x55d0c8e4b1a6] < 0x55d0ca1dd710
@ ./a.out:[0x55d0c8e4b1a6] > 0x55d0ca1dd800 0x20
- 0x99999
@ ./a.out:[0x55d0c8e4b1a6] - 0x55d0ca1dd6a0
@ ./a.out:[0x55d0c8e4b1a6] ! 0x55d0ca1dd800 0xffffff
= End
END
figures mtrace.rht 2 1 2 132 2
same "mtrace: blocks from before" 1 "$(number mtrace.rht foreign_frees)"

imports heaptrack raw.rht <<'END'
v 10400 3
x 8 /bin/app
X ./app 1
t 1 0
+ 64 1 1000
c 5
+ 10 1 2000
- 1000
- 7777
END
figures raw.rht 2 0 2 116 2
same "heaptrack: the command" "./app 1" "$(number raw.rht command)"
imports heaptrack interpreted.rht <<'END'
v 10400 3
X ./app 1
a 64 1
+ 0
+ 0
a 10 2
+ 1
- 0
END
figures interpreted.rht 3 0 1 216 3
zstd -q raw.rht.in -o raw.zst
expect 0 '4 events' "$REHEAP" import --from heaptrack raw.zst -o packed.rht
cmp -s raw.rht packed.rht || problem "a packed file makes another trace"
expect 0 '4 events' sh -c '"$1" import --from heaptrack - -o piped.rht <raw.zst' sh "$REHEAP"

# All that a trace of ours can say.
imports text every.rht <<'END'
reheap-text 1
header {"command":"a b","capture":"python","allocator":"pymalloc","timestamps":"exact","addresses":true,"domains":true}
# a remark
@10 arena-alloc 1048576 0x7f0000100000
@20 obj malloc 56 #0 0x7f0000100030 pooled
@30 t1 raw calloc 10 100 #1 0x5000
@30 t1 raw realloc 2000 #1 0x6000
@40 mem aligned 100 64 #2 0x7040
@40 mem realloc 9 #3 0x8000 null
@41 raw realloc 10 #4 0x9000 foreign nested
@42 obj malloc 18446744073709551615 failed
@50 mark "a phase: \"one\"\n"
@55 checkpoint "class size\n"
@60 obj free #0
@60 obj free null
@60 raw free foreign
@70 arena-free 1048576 0x7f0000100000
end {"exit_status":256,"dropped_events":3,"undecided_events":2}
END
figures every.rht 4 2 2 2165 4
same "text: totals that are not counted" "256 3 2" "$(number every.rht exit_status) $(number every.rht dropped_events) $(number every.rht undecided_events)"
expect 0 '' "$REHEAP" export --to dsa wee.rht
same "dsa" "id,lower,upper,size b0,0,2,100 b1,1,4,7 b2,3,5,50 " "$(tr '\n' ' ' <out)"

# A recording with addresses is the same after it, to the address.
expect 0 '' "$REHEAP" record --addresses --timestamps=exact -o python.rht -- /usr/bin/python3 -c 'print(len([str(i) for i in range(20000)]))'
and_back_of_recording() {
    expect 0 '' "$REHEAP" export --to text python.rht -o python.txt
    expect 0 '' "$REHEAP" import --from text python.txt -o python2.rht
    expect 0 '' "$REHEAP" export --to text python2.rht -o python2.txt
    diff -q <(sed 's/"elapsed_ns":[0-9]*//' python.txt) <(sed 's/"elapsed_ns":[0-9]*//' python2.txt) || problem "a recording is another after export and import"
    expect 0 'all equal' "$REHEAP" verify python2.rht
}
and_back_of_recording

# Complaints: the line and the reason.
complains() { # FORMAT PATTERN: from standard input
    cat >bad.in
    refuses 3 "$2" "$REHEAP" import --from "$1" bad.in -o bad.rht
    absent bad.rht
}
complains android 'bad.in: line 2: .*allocated while it lives' <<<$'1: malloc 0x10 1\n1: malloc 0x10 1'
complains android 'line 1: .*freed but does not live' <<<'1: free 0x10'
complains android 'line 1: it is not' <<<'hello'
complains android 'line 1: there is no call `frob' <<<'1: frob 0x10 1 1'
complains android 'power of two' <<<'1: memalign 0x10 3 1'
complains android 'more bytes than there are' <<<'1: calloc 0x10 9999999999999 9999999999999'
complains wee 'line 1: it is neither' <<<'Alloc 5'
complains wee 'line 1: .*does not live' <<<'Free(0),'
complains malloclab 'header tells of 3' <<<$'1\n1\n3\n1\na 0 1'
complains malloclab 'number of the header is missing' <<<'a 0 1'
complains mtrace 'none of' <<<'@ what is this'
complains mtrace 'without the line of its old' <<<'@ x > 0x10 0x10'
complains heaptrack 'begins with a line' <<<'+ 10 1 10'
complains heaptrack 'no `a` line has that number' <<<$'v 1 1\na 10 1\n+ 5'
complains text 'first line is not' <<<'malloc 1 #0'
complains text 'line 2: .*no operation' <<<$'reheap-text 1\nfrob'
complains text 'line 2: the block is not named' <<<$'reheap-text 1\nmalloc 5'
complains text 'line 2: threads are numbered' <<<$'reheap-text 1\nt5 malloc 5 #0'
complains text 'line 2: the slot' <<<$'reheap-text 1\nmalloc 5 #4294967295'
complains text 'line 2: ' <<<$'reheap-text 1\nheader {"command":5}'
complains text 'there is no event' <<<'reheap-text 1'
printf 'reheap-text 1\nmalloc 1 \0 #0\n' >nul.in
refuses 3 'line 2 has a NUL' "$REHEAP" import --from text nul.in -o bad.rht
head -c 3000000 /dev/zero | tr '\0' x >long.in
refuses 3 'line 1 is longer' "$REHEAP" import --from text long.in -o bad.rht
head -c 40 raw.zst >cut.zst
refuses 3 'cut short' "$REHEAP" import --from heaptrack cut.zst -o bad.rht
refuses 3 'cannot read it' "$REHEAP" import --from text missing -o bad.rht
refuses 2 'no such format' "$REHEAP" import --from nosuch raw.zst -o bad.rht
refuses 2 'name the format' "$REHEAP" import raw.zst
refuses 5 '' "$REHEAP" import --from heaptrack raw.zst -o /no/such/folder/x.rht
absent bad.rht
# A file of another format is told as such: leaving lines out would not help.
echo 'something else' >else.in
for format in heaptrack malloclab text; do
    for lenient in "" --lenient; do
        refuses 3 'line 1: ' "$REHEAP" import $lenient --from $format else.in -o no.rht
        ! grep -q -- --lenient err || problem "$format: --lenient is offered, which would not help"
    done
done
absent no.rht
printf '1: malloc 0x10 1\n1: malloc 0x10 1\nwhat\n1: free 0x10\n' >lenient.in
expect 0 '2 lines left out; the first: line 2: ' "$REHEAP" import --lenient --from android lenient.in -o lenient.rht
figures lenient.rht 1 0 1 1 1
printf '1: malloc 0x10 72057594037927936\n1: malloc 0x10 1\n1: realloc 0x10 0x10 18446744073709551615\n1: free 0x10\n' >huge.in
refuses 3 'huge.in: line 1: a block of 72057594037927936 bytes, more than' "$REHEAP" import --from android huge.in -o bad.rht
expect 0 '2 lines left out; the first: line 1: a block' "$REHEAP" import --lenient --from android huge.in -o lenient.rht
figures lenient.rht 1 0 1 1 1
absent bad.rht

# Traces from elsewhere, where they are.
data=${REHEAP_TEST_DATA:-}
if [ -d "$data/wee_alloc" ] && [ -f "$data/android/systemui.zip" ]; then
    expect 0 '' "$REHEAP" import --from wee "$data/wee_alloc/dogfood.trace" -o dogfood.rht
    figures dogfood.rht 32472 0 13604 1359176 18869
    expect 0 '' "$REHEAP" import --from wee "$data/wee_alloc/gcc-hello.trace" -o gcc.rht
    figures gcc.rht 11431 0 6344 9303005 5732
    and_back gcc.rht
    /usr/bin/python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); sys.stdout.buffer.write(z.read(next(n for n in z.namelist() if n.endswith(".txt"))))' \
        "$data/android/systemui.zip" >systemui.txt
    expect 0 '786,097 events from 786,454 lines' "$REHEAP" import --from android systemui.txt -o systemui.rht
    figures systemui.rht 402690 18544 349045 10441709 60097
    same "systemui: frees, of NULL too" 364863 $(($(number systemui.rht frees) + $(number systemui.rht null_frees)))
    and_back systemui.rht
elif [ "$failures" = 0 ]; then
    echo "SKIP: REHEAP_TEST_DATA names no folder with android/ and wee_alloc/ (the rest was tested)"
fi
finish
