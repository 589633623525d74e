#!/usr/bin/env bash
# The commands of the README, run as they stand and in their order, but the two that build and test everything.
. "${BASH_SOURCE[0]%/*}/lib.sh"

readme=$runfiles/README.md
ln -s "$REHEAP" reheap
sed -n '/^```sh$/,/^```$/{/^```/d;p}' "$readme" >commands
[ "$(grep -c '^\./reheap' commands)" -ge 6 ] || problem "the README has $(grep -c '^\./reheap' commands) commands"
while IFS= read -r line; do
    case $line in
    '' | '#'* | './reheap demo'* | './dev '*) ;;
    *) expect 0 '' bash -c "$line" ;;
    esac
done <commands

# The links and pictures it shows are there.
for target in $(grep -oE '\]\([^)#]+\)' "$readme" | tr -d '()]'); do
    case $target in
    http*) ;;
    *) [ -e "$runfiles/$target" ] || problem "README.md leads to $target, which is not there" ;;
    esac
done
finish
