#!/usr/bin/env bash
# Which process is recorded: the one that was started, through exec, and its children only where that is asked for.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
programs=$runfiles/tests/record/programs.py

# Through a shell, env and a script's first line.
printf '#!/bin/sh\necho on the way\nexec env "$@"\n' >launcher
printf '#!/usr/bin/env -S %s\nprint("a script")\n' "$debian" >script
chmod +x launcher script
records launched.rht -- ./launcher "$debian" "$programs" plain
records script.rht -- ./script
same "the recorded program" "$(readlink -f "$debian")" "$(fact launched.rht program)"

# The program sees nothing of the recorder, and an LD_PRELOAD of its own is kept.
same "what a program sees" "$(env -u LD_PRELOAD "$debian" "$programs" environment)" \
    "$(env -u LD_PRELOAD "$REHEAP" record -o seen.rht -- "$debian" "$programs" environment 2>/dev/null)"
same "its own LD_PRELOAD" "LD_PRELOAD $counter" \
    "$(LD_PRELOAD=$counter "$REHEAP" record -o seen.rht -- "$debian" "$programs" environment 2>/dev/null | head -n 1)"

# Children: not in the parent's file, whose events are the same with and without them.
records alone.rht -- "$debian" "$programs" forks
same "children see nothing" 3 "$(grep -c 'child sees None None' words)"
absent alone.rht.
records family.rht --children -- "$debian" "$programs" forks
# One forked; one forked, with next to nothing in its file, that then became another program with a file of its own; three
# started afresh.
files=(family.rht.*)
same "files of children" 6 ${#files[@]}
large=0
for file in "${files[@]}"; do
    expect 0 sound "$REHEAP" check "$file"
    [ "$(fact "$file" events)" -gt 1000 ] && large=$((large + 1))
    case $(fact "$file" capture) in
    *fork*) expect 2 'forked child' "$REHEAP" verify "$file" ;;
    *) expect 0 'all equal' "$REHEAP" verify "$file" ;;
    esac
done
same "files of children that did something" 5 $large

# What a process becomes is recorded too, however it gets there, and whatever it does to its environment.
printf '#!/bin/bash\nexec "$@"\n' >wrapper
chmod +x wrapper
records became.rht --malloc -- env -i X=1 nice ./wrapper "$debian" -c 'import os; print(sorted(os.environ))'
same "what it became sees" "$(env -i X=1 nice ./wrapper "$debian" -c 'import os; print(sorted(os.environ))')" "$(head -n 1 words)"
same "programs that it was" "env nice bash python3.11" "$(for file in became.rht.image* became.rht; do
    basename "$(fact "$file" program)"; done | xargs)"
for file in became.rht.image*; do expect 0 sound "$REHEAP" check "$file"; done
records again.rht -- env -i "$debian" -c \
    'import os, sys; os.execv(sys.executable, [sys.executable, "-c", "print(list(os.environ) if 0 else 2)"]) '
expect 0 'all equal' "$REHEAP" verify again.rht
expect 0 'all equal' "$REHEAP" verify again.rht.image1
same "an interpreter that became another" "$debian -c 'print(list(os.environ) if 0 else 2)'" "$(fact again.rht command)"
# Children that clear their environment, or preload something else.
records cleared.rht --malloc --children -- sh -c "env -i ls; LD_PRELOAD=$counter ls; env -u LD_PRELOAD ls; :"
same "children that ran ls" 3 "$(for file in cleared.rht.*; do "$REHEAP" info "$file"; done | grep -c 'program .*/ls$')"
# A pipe takes one recording. (Its reader is there soon, or the recorder would not begin.)
mkfifo pipe
cat pipe >carried.rht &
reader=$!
status=5
while [ $status = 5 ]; do
    "$REHEAP" record --malloc -o pipe -- sh -c 'exec sh -c "echo it ran"' >out 2>err
    status=$?
done
wait $reader
judge 4 'takes one recording, and the program has become another' $status "a pipe and a program that becomes another"
grep -q 'it ran' out || problem "the program did not run"
expect 0 sound "$REHEAP" check carried.rht

# That others were started, and are not in the recording, is told; where they are, it is not.
for command in 'timeout 100 true' "sh -c '/bin/true & wait; :'" "$debian -c 'import subprocess; subprocess.run([\"true\"])'"; do
    eval "records others.rht --malloc -- $command"
    grep -q 'started other processes, which are not recorded' words || problem "$command: others are not told of"
    eval "records others.rht --malloc --children -- $command"
    ! grep -q 'started other processes' words || problem "$command: others are told to be missing"
done
records alone.rht --malloc -- env true
! grep -q 'started other processes' words || problem "a program that became another has not started others"
finish
