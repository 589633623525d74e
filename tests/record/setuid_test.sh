#!/usr/bin/env bash
# A program that runs as another user is refused, and the message says why: the loader keeps preloaded libraries out of it.
# Not in a sandbox, in which there may be no other user.
. "${BASH_SOURCE[0]%/*}/record_lib.sh"

program=$(command -v su)
if [ ! -u "$program" ] || [ "$(stat -c %u "$program")" = "$(id -u)" ]; then
    cp /bin/true owned
    program=./owned
    { chown 12345 owned && chmod u+s owned; } 2>/dev/null || skip "no program here runs as another user, and none can be made"
fi
for capture in --malloc --python; do
    refuses 4 'runs as another user .set-user-ID.*preloaded libraries out' "$REHEAP" record $capture -o no.rht -- "$program"
done
absent no.rht
finish
