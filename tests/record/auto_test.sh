#!/usr/bin/env bash
# Without --python and --malloc the program decides, also behind launchers of all kinds.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"
programs=$runfiles/tests/record/programs.py

# kind FILE CAPTURE PROGRAM
kind() {
    same "what $1 is" "$2 of $3" "$(fact "$1" capture) of $(basename "$(fact "$1" program)")"
    [ "$2" != python ] || expect 0 'all equal' "$REHEAP" verify "$1"
}
python=$(basename "$(readlink -f "$debian")")
printf '#!/bin/bash\nold=$(%s -c "print(1)")\n[ -n "$old" ] && %s "$@"\nls >/dev/null\n' "$debian" "$debian" >starts
printf '#!/bin/sh\nold=$(%s -c "print(1)")\n[ -n "$old" ] && exec "$@"\n' "$debian" >becomes
printf '#!/bin/bash\n. ./becomes\n' >nested
printf '#!%s\nprint("a script")\n' "$debian" >script
chmod +x starts becomes nested script

records direct.rht -- "$debian" "$programs" plain
kind direct.rht python "$python"
whole=$(fact direct.rht allocations)
records script.rht --auto -- ./script
kind script.rht python "$python"
records other.rht -- ls
kind other.rht malloc ls
records through.rht -- env X=1 nice ls
kind through.rht malloc ls
records env.rht -- env X=1 timeout 100 "$debian" "$programs" plain
kind env.rht python "$python"
records became.rht -- ./becomes "$debian" "$programs" plain
kind became.rht python "$python"
records nested.rht -- ./nested "$debian" "$programs" plain
kind nested.rht python "$python"
records different.rht -- ./becomes ls
kind different.rht malloc ls
# A shell that starts several: the one with the work in it, and not the one that was asked for something.
records started.rht -- ./starts "$programs" plain
kind started.rht python "$python"
grep -q 'the largest of 2 Python programs' words || problem "it is not said that there were two"
for file in env became nested started; do
    more=$(($(fact $file.rht allocations) - whole)) # an environment of other variables
    [ $((more * more)) -lt 10000 ] || problem "$file.rht: $more allocations more than there should be"
done
# One that starts no interpreter is a program like others.
records shell.rht -- sh -c 'ls >/dev/null; :'
kind shell.rht malloc "$(basename "$(readlink -f /bin/sh)")"
same "files" "became.rht different.rht direct.rht env.rht nested.rht other.rht script.rht shell.rht started.rht through.rht" \
    "$(ls *.rht* | xargs)"
# What is started sees nothing of it, interpreter or not.
for way in "$debian $programs environment" "./starts $programs environment" "sh -c env"; do
    same "$way sees nothing" "" "$(env -u LD_PRELOAD "$REHEAP" record -o seen.rht -- $way 2>/dev/null | grep -aE 'REHEAP_RECORD=|libreheap_record')"
done
# Children: all of them, each by what it is.
records family.rht --auto --children -- ./starts "$programs" plain
same "kinds of children" "malloc 2 python" "$(for file in family.rht.[0-9]*; do fact "$file" capture; done | grep -v fork |
    sort | uniq -c | sed 's/^ *//;s/^1 //' | xargs)"
refuses 2 'give it alone' "$REHEAP" record -o no.rht --auto --malloc -- ls
finish
