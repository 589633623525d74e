#!/usr/bin/env bash
# golden_test.sh PRODUCER FOLDER: what the producer writes equals, file by file, what FOLDER/expected holds.
set -u
producer=$PWD/$1
expected=$PWD/$2/expected
made=$(mktemp -d "${TEST_TMPDIR:?}/golden.XXXXXX")
"$producer" "$made" || { echo "FAIL: the producer ended with $?"; exit 1; }
if diff -r -u "$expected" "$made"; then
    echo "ok: $(find "$made" -type f | wc -l) files are as expected"
else
    echo "FAIL: see above; if the change is meant, \`./dev golden\` and look at the difference it makes"
    exit 1
fi
