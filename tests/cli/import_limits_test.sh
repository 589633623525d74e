#!/usr/bin/env bash
# What an importer does not take has a malformed line here, and the message that it gets: with the file, the line and the
# reason. With --lenient the line is left out and counted.
. "${BASH_SOURCE[0]%/*}/lib.sh"

# Each row: the format, the message, and the lines ("\n" between them), of which the last is the bad one.
rows() {
    cat <<'END'
android|it is not `TID: CALL POINTER|hello
android|it is not `TID: CALL POINTER|7:
android|the pointer is not a hexadecimal number|7: malloc
android|the thread is not a number|x: malloc 0x10 1
android|the pointer is not a hexadecimal number|7: malloc 0xzz 1
android|the pointer is not a hexadecimal number|7: malloc 0x11112222333344445 1
android|what follows the pointer is not a number|7: malloc 0x10 x
android|what follows the pointer is not a number|7: malloc 0x10 18446744073709551616
android|the size is not a number|7: memalign 0x10 16
android|there is no call `frob`|7: frob 0x10 1 1
android|an alignment that is no power of two|7: memalign 0x10 3 1
android|a calloc of more bytes than there are|7: calloc 0x10 9999999999999 9999999999999
android|a block of 72057594037927936 bytes, more than|7: malloc 0x10 72057594037927936
android|block 0x10 is allocated while it lives|7: malloc 0x10 1\n7: malloc 0x10 1
android|block 0x10 is freed but does not live|7: free 0x10
android|block 0x20 is resized but does not live|7: realloc 0x10 0x20 5
android|block 0x10 is moved to 0x20, where another lives|7: malloc 0x10 1\n7: malloc 0x20 1\n7: realloc 0x20 0x10 5
wee|it is neither `Alloc|Alloc 5
wee|it is neither `Alloc|Realloc(5),
wee|what is in brackets is not a number|Alloc(x),
wee|what is in brackets is not a number|Alloc(99999999999999999999),
wee|more than a trace can say|Alloc(72057594037927936),
wee|block 0 is freed but does not live|Free(0),
malloclab|a number of the header is missing|a 0 1
malloclab|it is none of `a ID SIZE`|1\n1\n1\n1\nq 0 1
malloclab|the id is not a number|1\n1\n1\n1\na x 1
malloclab|the size is not a number|1\n1\n1\n1\na 0 x
malloclab|block 0 is freed but does not live|1\n1\n1\n1\nf 0
malloclab|the file ends after 1 operations, its header tells of 3|1\n1\n3\n1\na 0 1
mtrace|there is none of + - < > ! in it|@ what is this
mtrace|the pointer is not a hexadecimal number|@ x + one 0x10
mtrace|the pointer is not a hexadecimal number|@ x + 0xffffffffffffffff 0x10
mtrace|the size is not a hexadecimal number|@ x + 0x10
mtrace|more than a trace can say|@ x + 0x10 0xffffffffffffffff
mtrace|without the line of its old one|@ x > 0x10 0x10
mtrace|block 0x10 is allocated while it lives|@ x + 0x10 0x10\n@ x + 0x10 0x10
heaptrack|begins with a line `v VERSION`|+ 10 1 10
heaptrack|the time is not a hexadecimal number|v 1 1\nc x
heaptrack|the time is not a hexadecimal number|v 1 1\nc ffffffffffffffff
heaptrack|the size is not a hexadecimal number|v 1 1\na x 1
heaptrack|there is no hexadecimal number behind the sign|v 1 1\n+
heaptrack|the pointer is not a hexadecimal number|v 1 1\n+ 10 1
heaptrack|the pointer is not a hexadecimal number|v 1 1\n+ 10 1 0
heaptrack|the pointer is not a hexadecimal number|v 1 1\n+ 10 1 8000000000000000
heaptrack|no `a` line has that number|v 1 1\na 10 1\n+ 5
heaptrack|a block dies that does not live|v 1 1\na 10 1\n- 0
heaptrack|is allocated while it lives|v 1 1\n+ 10 1 10\n+ 10 1 10
text|the first line is not `reheap-text 1`|malloc 1 #0
text|it has no operation|reheap-text 1\nfrob 5 #0
text|it has no operation|reheap-text 1\nobj
text|the time is not a number|reheap-text 1\n@x malloc 5 #0
text|there are not so many threads|reheap-text 1\nt4294967295 malloc 5 #0
text|threads are numbered in the order|reheap-text 1\nt5 malloc 5 #0
text|the size is not a number|reheap-text 1\nmalloc #0
text|the second number is missing|reheap-text 1\ncalloc 5 #0
text|the alignment is no power of two|reheap-text 1\naligned 5 0 #0
text|a calloc of more bytes than there are|reheap-text 1\ncalloc 9999999999999 9999999999999 #0
text|the block is not named|reheap-text 1\nmalloc 5
text|the slot is not a number|reheap-text 1\nmalloc 5 #x
text|the slot is not a number|reheap-text 1\nmalloc 5 #4294967295
text|the address is not a hexadecimal number below 2^48|reheap-text 1\nmalloc 5 #0 0x1000000000000
text|a word is neither #SLOT, nor an address, nor a flag|reheap-text 1\nmalloc 5 #0 quickly
text|the text is not a JSON string|reheap-text 1\nmark loading
text|more than a trace can say|reheap-text 1\nmalloc 72057594037927936 #0
text|block #0 is allocated while it lives|reheap-text 1\nmalloc 5 #0\nmalloc 5 #0
text|block #0 is freed but does not live|reheap-text 1\nfree #0
text|is of the wrong kind|reheap-text 1\nheader {"command":5}
text|it is not JSON|reheap-text 1\nheader {
text|the header comes after events|reheap-text 1\nmalloc 5 #0\nheader {}
END
}

while IFS='|' read -r format message text; do
    printf '%b' "$text\n" >bad.in
    line=$(wc -l <bad.in)
    [[ $message = 'the file ends'* ]] && where="" || where="line $line: "
    refuses 3 "" "$REHEAP" import --from "$format" bad.in -o bad.rht
    grep -qF "bad.in: $where" err && grep -qF "$message" err ||
        problem "$format: $text: '$where…$message' is not in: $(head -c 300 err)"
    absent bad.rht
    # One that lives, and then the bad line: that is what is left out.
    expect '0|3' '' "$REHEAP" import --lenient --from "$format" bad.in -o lenient.rht
    if [ -e lenient.rht ]; then
        grep -qF "the first: $where" both && grep -qF "$message" both || problem "$format: $text: left out in silence: $(cat both)"
        expect 0 sound "$REHEAP" check lenient.rht
        rm lenient.rht
    fi
done < <(rows)

# Files as a whole.
: >empty.in
printf 'reheap-text 1\nmalloc 1 \0 #0\n' >nul.in
head -c 3000000 /dev/zero | tr '\0' x >long.in
printf '\x28\xb5\x2f\xfdrubbish and more of it' >rubbish.in
/usr/bin/python3 -c 'print("v 10400 3"); [print("+ 10 1 %x" % (16 * i + 16)) for i in range(50000)]' | zstd -q -c >whole.zst
head -c "$(($(stat -c %s whole.zst) / 2))" whole.zst >cut.zst
refuses 3 'nul.in: line 2 has a NUL' "$REHEAP" import --from text nul.in -o bad.rht
refuses 3 'cut.zst: .*cut short' "$REHEAP" import --from heaptrack cut.zst -o bad.rht
for format in text android heaptrack malloclab mtrace wee; do
    refuses 3 'empty.in: ' "$REHEAP" import --from $format empty.in -o bad.rht
    refuses 3 'long.in: line 1 is longer than' "$REHEAP" import --from $format long.in -o bad.rht
    refuses 3 'rubbish.in: ' "$REHEAP" import --from $format rubbish.in -o bad.rht
done
absent bad.rht
finish
