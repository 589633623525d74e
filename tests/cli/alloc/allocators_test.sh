#!/usr/bin/env bash
# reheap allocators: the listing, one entry of it, and its JSON.
. "${TEST_SRCDIR:?}/${TEST_WORKSPACE:?}/tests/cli/lib.sh"

expect 0 '^pymalloc ' "$REHEAP" allocators
for name in pymalloc cpython python bestfit mimalloc malloc jemalloc tcmalloc scudo tbb preload plugin bump +count +debug +freelist +fault +trace; do
    grep -qF "$name  " <(cut -c1-14 out) || problem "$name is not listed"
done
grep -q '@3\.7 .*@3\.15' out || problem "pymalloc's presets are not listed"
grep -q 'linear\[:STEP\], geometric:N, 16:32:48' out || problem "the forms of classes= are not listed"
grep -q '4K to 1G, a power of two' out || problem "the range of arena= is not listed"

expect 0 '^bump ' "$REHEAP" allocators bump
[ "$(grep -c '^[a-z]' out)" = 1 ] || problem "one name lists others, too"
expect 0 '^\+fault ' "$REHEAP" allocators fault
expect 0 '^\+fault ' "$REHEAP" allocators +fault
refuses 2 "no allocator or layer 'pymaloc'" "$REHEAP" allocators pymaloc
refuses 2 "one name at a time" "$REHEAP" allocators malloc bump

expect 0 '"schema": "reheap.allocators/1"' "$REHEAP" allocators --json
/usr/bin/python3 - out <<'PYTHON' || problem "the JSON is not as documented"
import json, sys
whole = json.load(open(sys.argv[1]))
by_name = {a["name"]: a for a in whole["allocators"]}
pymalloc = by_name["pymalloc"]
assert "3.11" in pymalloc["presets"] and pymalloc["many"] and pymalloc["deterministic"] and pymalloc["installed"]
arena = [k for k in pymalloc["keys"] if k["name"] == "arena"][0]
assert arena["kind"] == "size" and arena["min"] == 4096 and arena["power_of_two"]
policy = [k for k in pymalloc["keys"] if k["name"] == "policy"][0]
assert "most-full" in policy["choices"] and policy["default"] == "most-full"
classes = [k for k in pymalloc["keys"] if k["name"] == "classes"][0]
assert classes["kind"] == "text" and "geometric:N" in classes["forms"] and classes["default"] == "linear"
assert by_name["jemalloc"]["preloaded"] and not by_name["mimalloc"]["preloaded"]
assert by_name["jemalloc"]["package"] == "libjemalloc2"
nth = [l for l in whole["layers"] if l["name"] == "fault"][0]["keys"][0]
assert nth["min"] == 1 and "max" not in nth
PYTHON

"$REHEAP" allocators >/dev/full 2>err
[ $? = 5 ] || problem "a full disk is not noticed"
finish
