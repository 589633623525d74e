#!/usr/bin/env bash
# What cannot be recorded: a message, the right exit code, and no file.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
programs=$runfiles/tests/record/programs.py
record=("$REHEAP" record -o no.rht)

refuses 2 'no program is given' "${record[@]}"
refuses 2 'is empty' "$REHEAP" record -o '' -- "$debian" -c 'print("must not run")'
refuses 2 'none, coarse and exact' "${record[@]}" --timestamps=often -- "$debian" -c 1
refuses 4 'malloc of its own built in' "${record[@]}" --malloc -- "$(readlink -f "$runfiles/tests/record/own_malloc_program")"
refuses 4 'no such program' "${record[@]}" -- no-such-program-anywhere
refuses 4 'No such file' "${record[@]}" -- ./missing
refuses 4 'not executable' "${record[@]}" -- "$programs"
refuses 4 'not a file' "${record[@]}" -- /tmp
refuses 4 'is not a CPython 3.7 or later' "${record[@]}" --python -- /bin/true
refuses 4 'is not a CPython 3.7 or later.*--children' "${record[@]}" --python -- /bin/sh -c 'exit 3'
printf '#!/no/such/interpreter\n' >script
chmod +x script
refuses 4 'its interpreter' "${record[@]}" -- ./script
printf 'not a program' >text
chmod +x text
refuses 4 '' "${record[@]}" --python -- ./text
static=$(readlink -f "$runfiles/tests/record/static_program")
refuses 4 'statically linked' "${record[@]}" -- "$static"
refuses 5 'cannot write it' "$REHEAP" record -o /no/such/folder/x.rht -- "$debian" -c 'print("must not run")'
absent no.rht
# A pipe by name: with no reader it is no place for a recording; with one it carries the whole.
mkfifo pipe
refuses 5 'nothing reads' "$REHEAP" record -o pipe -- "$debian" -c 'print("must not run")'
refuses 3 'not a regular file' "$REHEAP" info pipe
# The reader says when it has the pipe open; `cat pipe` could come too late.
cat >reader.py <<'END'
import os, select, sys
pipe, left = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK), int(sys.argv[1])
open("reading", "w").close()
poll = select.poll()
poll.register(pipe, select.POLLIN)
while left and poll.poll():
    data = os.read(pipe, min(left, 1 << 16))
    if not data:
        break
    left -= len(data)
    sys.stdout.buffer.write(data)
END
"$debian" reader.py 1000000000 >carried.rht &
reader=$!
await [ -e reading ]
expect 0 '0 dropped' "$REHEAP" record -o pipe -- "$debian" "$programs" plain
wait $reader
expect 0 sound "$REHEAP" check carried.rht
# A reader that leaves costs the recording, not the program.
rm reading
"$debian" reader.py 8 >/dev/null &
reader=$!
await [ -e reading ]
expect 5 'Broken pipe' "$REHEAP" record -o pipe -- "$debian" "$programs" plain
wait $reader
grep -q 'ended with status 0' err || problem "the program did not end by itself"
expect 0 'reheap record -o' "$REHEAP" record --help

# A full disk: the program goes on to its end, and the device stays what it is.
expect 5 'No space left' "$REHEAP" record -o /dev/full -- "$debian" "$programs" plain
grep -q 'ended with status 0' err || problem "the program did not end by itself"
[ -c /dev/full ] || problem "/dev/full is gone"
# What a limit on file sizes stops is kept under another name.
"$REHEAP" record -o limited.rht -- "$debian" "$programs" patient "$TMP/go" >program.out 2>program.err &
recorder=$!
await [ -s limited.rht.partial ]
expect 5 'another recording' "$REHEAP" record -o limited.rht -- "$debian" -c 'print("must not run")'
prlimit --pid $recorder --fsize=20000
touch go
wait $recorder
judge 5 '' $? "a limit on file sizes"
grep -q 'File too large.*limited.rht.partial' program.err || problem "the message: $(cat program.err)"
grep -q finished program.out || problem "the program did not run to its end"
[ ! -e limited.rht ] || problem "a part of a recording stands under its final name"
expect 0 'ended early' "$REHEAP" check limited.rht.partial

# What stands at the place: another recording is replaced, once this one is complete; what is no recording is kept.
echo 'not a recording' >notes.rht
refuses 2 'not a trace' "$REHEAP" record -o notes.rht -- "$debian" -c 'print("must not run")'
same "what stood there" 'not a recording' "$(cat notes.rht)"
: >empty.rht
records empty.rht -- "$debian" -c 1
records empty.rht -- "$debian" -c 1
ln -s empty.rht link.rht
records link.rht -- "$debian" -c 2
[ -L link.rht ] && [ "$(fact empty.rht command)" = "$debian -c 2" ] || problem "a link was not followed: $(fact empty.rht command)"
# A name that nobody gave never replaces anything.
for i in 1 2 3; do expect 0 '' "$REHEAP" record -- "$debian" -c 1; done
same "recordings without a name" 'python3.2.rht python3.3.rht python3.rht' "$(echo python3*)"

# Built with a sanitizer, which has to come before every other library.
if command -v gcc >/dev/null; then
    echo 'int main(void) { return 0; }' >plain.c
    for sanitizer in address thread leak; do
        gcc -fsanitize=$sanitizer -o sanitized plain.c 2>/dev/null || { echo "SKIP: gcc has no -fsanitize=$sanitizer"; continue; }
        refuses 4 'built with a sanitizer' "${record[@]}" --malloc -- ./sanitized
        refuses 4 'built with a sanitizer' "${record[@]}" -- ./sanitized
    done
    # The one that brings nothing with it is like any other.
    gcc -fsanitize=undefined -o sanitized plain.c 2>/dev/null && records fine.rht --malloc -- ./sanitized
fi

# Limits that shared memory meets: each message says which.
refuses 5 'ulimit -f' bash -c 'ulimit -f 100; exec "$@"' bash "${record[@]}" -- "$debian" -c 1
refuses 5 'ulimit -n' bash -c 'ulimit -n 4; exec "$@"' bash "${record[@]}" -- "$debian" -c 1
# A soft limit on open files is raised for the recorder, and not for the program.
expect 0 '^20$' bash -c 'ulimit -Sn 20; exec "$@"' bash "$REHEAP" record -o files.rht -- "$debian" -c \
    'import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])'
absent no.rht
finish
