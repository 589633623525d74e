#!/usr/bin/env bash
# update.sh PRODUCER...: puts what each producer writes into the folder `expected` beside it in the source tree.
set -eu
for producer; do
    folder=$BUILD_WORKSPACE_DIRECTORY/$(dirname "$producer")
    made=$(mktemp -d)
    "$producer" "$made"
    rm -rf "$folder/expected"
    mkdir "$folder/expected"
    cp "$made"/* "$folder/expected"
    rm -rf "$made"
    echo "written: $folder/expected"
done
