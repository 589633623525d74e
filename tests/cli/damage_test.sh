#!/usr/bin/env bash
# Files that are no traces, or damaged ones: every command that reads says which file and what is wrong, with code 3, and
# none crashes, hangs or fills the memory.
. "${BASH_SOURCE[0]%/*}/lib.sh"
python=/usr/bin/python3
ulimit -v 8000000

"$REHEAP" record -o good.rht -- "$python" -m json.tool --help >/dev/null 2>&1 || problem "cannot record"
size=$(stat -c %s good.rht)
commands=("info" "check" "dump" "verify" "replay -a bump --measure memory -o r.db")

every_command_refuses() { # FILE PATTERN
    local command
    for command in "${commands[@]}"; do
        refuses 3 "$2" timeout 60 "$REHEAP" ${command%% *} $1 ${command#${command%% *}}
        grep -q "$1" err || problem "$command: the message does not name $1: $(head -c 200 err)"
        absent r.db
    done
}

: >empty.rht
echo 'once upon a time' >text.rht
cp /bin/true program.rht
head -c 100000 /dev/zero >zeros.rht
for file in empty.rht text.rht program.rht zeros.rht; do
    every_command_refuses "$file" 'trace|empty'
done
for command in "${commands[@]}"; do
    refuses '[35]' 'missing.rht' "$REHEAP" ${command%% *} missing.rht ${command#${command%% *}}
    refuses '[35]' '' "$REHEAP" ${command%% *} /tmp ${command#${command%% *}}
done

# A version to come: its number follows the eight bytes of the magic.
{ head -c 8 good.rht; printf '\002\000'; tail -c +11 good.rht; } >future.rht
every_command_refuses future.rht 'version 2'

# A flipped bit, anywhere: `check` finds each. Positions are spread over the whole file.
flip() { # FROM TO POSITION BIT
    "$python" - "$@" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[3])] ^= 1 << int(sys.argv[4])
open(sys.argv[2], "wb").write(data)
END
}
for i in $(seq 0 59); do
    flip good.rht flipped.rht $((i < 30 ? i : i * (size - 1) / 59)) $((i % 8))
    # What is damaged is the result of `check`, on stdout, unless nothing could be read.
    expect 3 '^(reheap check: )?flipped.rht: .*[a-z]' timeout 60 "$REHEAP" check flipped.rht
    ! grep -q '(null)' both || problem "the message is not whole: $(cat both)"
done

# Cut short, anywhere: what was whole is recovered or the damage is told; never a crash.
for i in $(seq 1 30); do
    head -c $((i * size / 31)) good.rht >cut.rht
    for command in "${commands[@]}"; do
        timeout 60 "$REHEAP" ${command%% *} cut.rht ${command#${command%% *}} >out 2>err
        status=$?
        rm -f r.db
        case $status in
        0 | 3) ;;
        *)
            problem "$command on a file cut at $((i * size / 31)) of $size: exit code $status"
            head -n 5 err
            ;;
        esac
    done
done
finish
