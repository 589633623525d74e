#!/usr/bin/env bash
# A real recording through +freelist: what the layer counts is what a reader of the dump counts who keeps a number for each
# size and knows nothing of addresses. And the parts of the waterfall still add up.
. "${TEST_SRCDIR:?}/${TEST_WORKSPACE:?}/tests/cli/lib.sh"

[ -x /usr/bin/python3 ] || skip "there is no /usr/bin/python3 to record"
cat >program.py <<'END'
import ast, json
table = {str(i): [i, i / 7, "x" * (i % 50)] for i in range(3000)}
for _ in range(3):
    table = json.loads(json.dumps(table))
compile(ast.parse("\n".join("def f%d(a, b=%d): return [a, b]" % (i, i) for i in range(200))), "made", "exec")
END
"$REHEAP" record --python -o program.rht -- /usr/bin/python3 program.py 2>record.err ||
    problem "cannot record: $(cat record.err)"
"$REHEAP" dump program.rht >program.txt

cat >recount.py <<'END'
import sys
most, small, grain = map(int, sys.argv[1:4])
kept, size_of = {}, {}
hits = misses = rejected = 0

def rounded(size):
    up = -(-size // grain) * grain
    return up if 0 < up <= -(-small // grain) * grain else None

def born(size):
    global hits, misses
    up = rounded(size)
    if up is None:
        return
    if kept.get(up):
        kept[up] -= 1
        hits += 1
    else:
        misses += 1

def died(size):
    global rejected
    up = rounded(size)
    if up is None:
        return
    if kept.get(up, 0) < most:
        kept[up] = kept.get(up, 0) + 1
    else:
        rejected += 1

for line in open("program.txt"):
    words = line.split()[2:]
    if words[0] != "obj" or "nested" in words or "failed" in words:
        continue
    slots = [word for word in words if word.startswith("#")]
    if not slots:
        continue # free of NULL
    slot, sizes = slots[0], words[2:words.index(slots[0])]
    if words[1] == "free":
        if slot in size_of:
            died(size_of.pop(slot))
        continue
    size = int(sizes[0]) * int(sizes[2]) if words[1] == "calloc" else int(sizes[-1])
    if words[1] != "realloc" or "null" in words:
        born(size)
    size_of[slot] = size
print(hits, misses, rejected, sum(kept.values()))
END

# json EXPRESSION: of the last command's output, called `it`
json() {
    /usr/bin/python3 -c 'import json, sys; it = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$TMP/out" "$1"
}

for settings in "80 512 16" "3 100 8" "2000 4096 64"; do
    read -r max small grain <<<"$settings"
    layer=+freelist,max=$max,small=$small,grain=$grain
    counted=$(/usr/bin/python3 recount.py $settings)
    echo "$layer: hits, misses, rejected, kept: $counted"
    for spec in "pymalloc$layer" "pymalloc,source=virtual,metadata=side$layer" "malloc$layer" "pymalloc+debug$layer+count"; do
        expect 0 '' "$REHEAP" replay program.rht -a "$spec" --measure memory --reps 1 --json
        same "$spec counts" "$counted" "$(json '" ".join("%d" % it["runs"][0]["metrics"]["free_list_" + n] for n in
            ("hits", "misses", "rejected", "blocks"))')"
        [[ $spec == malloc* ]] || same "$spec adds up" True "$(json '(lambda m: sum(m[p + "_bytes"] for p in ("requested",
            "rounding", "header", "page_header", "page_tail", "free_block", "free_page", "free_arena", "metadata",
            "other")) == m["mapped_bytes"])(it["runs"][0]["metrics"])')"
    done
done
expect 0 '' "$REHEAP" replay program.rht -a pymalloc --measure memory --reps 1 --json
same "without the layer nothing is known" None "$(json 'it["runs"][0]["metrics"]["free_list_hits"]')"
finish
