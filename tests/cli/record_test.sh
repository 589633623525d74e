#!/usr/bin/env bash
# What `record` does with programs of every kind, and with programs and places that will not do.
. "${BASH_SOURCE[0]%/*}/lib.sh"
python=/usr/bin/python3

number() { # FILE.rht NAME: a number of `info --json`
    "$REHEAP" info --json "$1" | "$python" -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1]))' "$2"
}
sound() { # FILE.rht: whole, nothing dropped, verified
    expect 0 '' "$REHEAP" check "$1"
    same "$1: events dropped" 0 "$(number "$1" dropped_events)"
}

# Words that are wrong.
refuses 2 '' "$REHEAP" record
refuses 2 '' "$REHEAP" record -o a.rht
refuses 2 'timestamps' "$REHEAP" record -o a.rht --timestamps=often -- "$python" -c pass
absent a.rht

# Programs that cannot be recorded: each says why, and leaves no file.
echo 'not a program' >text
printf '#!/no/such/interpreter\n' >script && chmod +x script
refuses 4 'no/such/program' "$REHEAP" record -o a.rht -- /no/such/program
refuses 4 'no-such-program' "$REHEAP" record -o a.rht -- no-such-program
refuses 4 'text' "$REHEAP" record -o a.rht -- ./text
refuses 4 'script' "$REHEAP" record -o a.rht -- ./script
refuses 4 '/tmp|folder|directory|ermission' "$REHEAP" record -o a.rht -- /tmp
refuses 4 'static' "$REHEAP" record -o a.rht -- "$runfiles/tests/cli/static_program"
refuses 4 '[Pp]ython' "$REHEAP" record --python -o a.rht -- /bin/true
refuses 2 'give it alone' "$REHEAP" record --auto --python -o a.rht -- "$python" -c pass
absent a.rht

# Places that cannot be written.
refuses 5 'no/such/folder' "$REHEAP" record -o no/such/folder/a.rht -- "$python" -c pass
absent no

# One that ends at once, one that fails, one that is killed.
expect 0 '' "$REHEAP" record -o a.rht -- "$python" -c pass
sound a.rht
expect 0 '' "$REHEAP" verify a.rht
expect 0 '7' "$REHEAP" record -o b.rht -- "$python" -c 'raise SystemExit(7)'
sound b.rht
expect 7 '' "$REHEAP" record --pass-status -o b.rht -- "$python" -c 'raise SystemExit(7)'
expect 0 '' "$REHEAP" record -o c.rht -- "$python" -c 'import os; os._exit(0)'
expect 0 '' "$REHEAP" check c.rht
expect 0 '' "$REHEAP" record -o c.rht -- "$python" -c 'import os, json; os.kill(os.getpid(), 9)'
expect 0 '' "$REHEAP" check c.rht

# Its input and output are its own.
printf 'one\ntwo\n' | "$REHEAP" record -o d.rht -- "$python" -c '
import sys
print(len(sys.stdin.readlines()), "lines"); print("talk", file=sys.stderr)' >out 2>err
same "standard output" "2 lines" "$(cat out)"
grep -q talk err || problem "the program's standard error is lost"

# Through a shell, env and a script with #!; recording begins at the first image that is Python.
printf '#!%s\nimport json\nprint(json.dumps([1]))\n' "$python" >tool && chmod +x tool
for way in "$PWD/tool" "/usr/bin/env $python tool" "sh -c 'exec $python tool'"; do
    rm -f e.rht
    expect 0 '^\[1\]$' bash -c "exec '$REHEAP' record -o e.rht -- $way"
    sound e.rht
    expect 0 '' "$REHEAP" verify e.rht
done

# One that forks: the child goes on unrecorded, or with --children into a file of its own.
cat >forks.py <<'END'
import json, os
child = os.fork()
text = json.dumps(list(range(20000)))
if child == 0:
    os._exit(0 if json.loads(text)[-1] == 19999 else 1)
_, status = os.waitpid(child, 0)
print("child", os.WEXITSTATUS(status))
END
expect 0 'child 0' "$REHEAP" record -o f.rht -- "$python" forks.py
sound f.rht
expect 0 '' "$REHEAP" verify f.rht
expect 0 'child 0' "$REHEAP" record --children -o g.rht -- "$python" forks.py
for file in g*.rht; do sound "$file"; done

# One that starts others, and one that becomes another.
expect 0 '^3$' "$REHEAP" record -o h.rht -- "$python" -c \
    'import subprocess, sys; print(subprocess.run([sys.executable, "-c", "raise SystemExit(3)"]).returncode)'
sound h.rht
expect 0 '^became$' "$REHEAP" record -o i.rht -- "$python" -c \
    'import os, sys; os.execv(sys.executable, [sys.executable, "-c", "print(\"became\")"])'
expect 0 '' "$REHEAP" check i.rht

# One with threads.
cat >threads.py <<'END'
import json, threading
def work():
    for _ in range(50):
        json.loads(json.dumps([str(i) for i in range(500)]))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
END
expect 0 '' "$REHEAP" record -o j.rht -- "$python" threads.py
sound j.rht
expect 0 '' "$REHEAP" verify j.rht
[ "$(number j.rht threads)" -ge 5 ] || problem "five threads ran, $(number j.rht threads) recorded"
finish
