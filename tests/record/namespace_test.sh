#!/usr/bin/env bash
# Processes that do not see the collector as others do: with another number of themselves, another /proc, another user or
# another root. Each has its recording under the number that is seen from outside.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"

# An ordinary user may do so in a namespace of his own, root also without.
if [ "${1:-}" != inside ] && unshare -r true 2>/dev/null; then
    exec unshare -r bash "${BASH_SOURCE[0]}" inside
fi
unshare -pf true 2>/dev/null || skip "unshare -pf is not allowed here"

# family WHAT COMMAND...: COMMAND starts a shell that starts others; all have a recording, none under the number 1.
family() {
    local what=$1 file
    shift
    rm -f family.rht*
    records family.rht --malloc --children -- "$@" bash -c '/bin/true; ls / | sort >/dev/null; echo $$'
    for file in family.rht*; do
        expect 0 sound "$REHEAP" check "$file"
        case $file in family.rht.[1-9] | family.rht.[1-9].*) problem "$what: $file is numbered from inside" ;; esac
    done
    for name in bash true ls sort; do
        grep -qs "program.*/$name\"" <(for file in family.rht*; do "$REHEAP" info --json "$file"; done) ||
            problem "$what: $name has no recording: $(ls family.rht*)"
    done
}
family "no namespace" env
family "another process namespace" unshare -pf
if unshare -pf --mount-proc true 2>/dev/null; then
    family "another /proc" unshare -pf --mount-proc
    expect 0 'cannot be reached from this namespace' "$REHEAP" record --malloc --children -o far.rht -- \
        unshare -npf --mount-proc "$debian" -c 'print("it ran")'
    grep -q 'it ran' out || problem "a program out of reach did not run"
    records far.rht --children -- unshare -pf --mount-proc "$debian" -c 'print("it ran")'
else
    echo "SKIP: unshare --mount-proc is not allowed here"
fi
if unshare -n true 2>/dev/null; then
    family "another network" unshare -n
else
    echo "SKIP: unshare -n is not allowed here"
fi

# Another user, who may not look at the collector, and has a descriptor from it all the same.
if setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null && setpriv --reuid 65534 test -x "$REHEAP"; then
    chmod 755 "$TMP"
    family "another user" setpriv --reuid 65534 --regid 65534 --clear-groups
else
    echo "SKIP: it is not allowed to become another user here"
fi
finish
