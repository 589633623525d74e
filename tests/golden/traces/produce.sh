#!/usr/bin/env bash
# produce.sh DIR: what is read out of the golden traces of every version of the format, and whether the bytes that
# docs/trace-format.md explains are those of its example.
set -eu
tree=$PWD
cd "$tree/tests/golden/traces"
for trace in version*/*.rht; do
    to=$1/$(dirname "$trace")-$(basename "$trace" .rht)
    "$tree/reheap_program" dump "$trace" >"$to.dump"
    "$tree/reheap_program" info --json "$trace" >"$to.info"
    "$tree/reheap_program" check "$trace" >"$to.check"
done
explained=$(sed -nE 's/^[0-9a-f]{6}  ([0-9a-f ]+)$/\1/p' "$tree/docs/trace-format.md" | tr -d ' \n')
stored=$(od -An -v -tx1 version1/example.rht | tr -d ' \n')
if [ -n "$explained" ] && [[ $stored == "$explained"* ]]; then
    echo "the document explains the first $((${#explained} / 2)) bytes of version1/example.rht"
else
    echo "the document explains other bytes than those of version1/example.rht"
fi >"$1/document.txt"
