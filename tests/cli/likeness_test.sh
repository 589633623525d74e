#!/usr/bin/env bash
# generate --like on recordings of real programs: the replays of what is made come near the original's, in another order.
. "${BASH_SOURCE[0]%/*}/lib.sh"
python=/usr/bin/python3

cat >document.py <<'END'
import json, random
random.seed(5)
def make(depth):
    if depth == 0:
        return random.choice([random.random(), random.randrange(10**6), "word%d" % random.randrange(10**9), None])
    if random.random() < 0.5:
        return [make(depth - 1) for _ in range(random.randrange(1, 9))]
    return {"key%d" % random.randrange(1000): make(depth - 1) for _ in range(random.randrange(1, 9))}
json.dump([make(5) for _ in range(25)], open("document.json", "w"))
END
cat >compile.py <<'END'
import glob
keep = [compile(open(path).read(), path, "exec") for path in sorted(glob.glob("/usr/lib/python3.11/[a-c]*.py"))[:12]]
END
"$python" document.py || problem "cannot make a document"
expect 0 '' "$REHEAP" record -o json.rht -- "$python" -c 'import json; json.dumps(json.load(open("document.json")), indent=1)'
expect 0 '' "$REHEAP" record -o compile.rht -- "$python" compile.py
recordings="json compile"
if command -v jq >/dev/null; then
    expect 0 '' "$REHEAP" record --malloc -o jq.rht -- jq -c 'map(tostring)' document.json
    recordings+=" jq"
else
    echo "SKIP: jq is not installed"
fi

# Within 8 % for each number: the peak of best fit moves in steps of a twentieth, by one large block here. Pools recycled hang
# on the exact order, and are only in the score.
for name in $recordings; do
    expect 0 '' "$REHEAP" generate --like $name.rht -o like.rht --json
    cp out report
    expect 0 sound "$REHEAP" check like.rht
    expect 0 '' "$REHEAP" fidelity $name.rht like.rht --at-least 95 --json
    "$python" - <<'END' || problem "$name: too far from the original"
import json
report, fidelity = json.load(open("report")), json.load(open("out"))
far = [f"{a['spec']}: {name} by {100 * n['difference']:.1f} %" for a in fidelity["allocators"] for name, n in a["numbers"].items()
       if n["difference"] is not None and name != "pools_recycled" and n["difference"] > 0.08]
print(f"score {100 * fidelity['score']:.2f}, moved {100 * report['moved_share']:.0f} %")
assert report["moved_share"] > 0.5, "hardly shuffled"
assert not far, far
END
done
expect 1 'below 90' "$REHEAP" fidelity json.rht compile.rht --at-least 90
finish
