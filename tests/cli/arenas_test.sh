#!/usr/bin/env bash
# arenas from the command line. The program of waste: four million objects of 64 bytes, of which one in a hundred outlives
# the rest. Its numbers follow from pymalloc's geometry: a pool of 16 KiB less 48 bytes holds 255 such blocks, an arena 64
# pools, 16,320 blocks; 4,000,000 need 15,687 pools, which are 246 arenas. Every hundredth object leaves two or three in each
# pool, so that no arena is released, while the 40,000 survivors would fit into 157 pools, which are 3 arenas.
. "${BASH_SOURCE[0]%/*}/lib.sh"

[ -x /usr/bin/python3 ] || skip "there is no /usr/bin/python3"
# Objects are born by calls 1 to 4,000,000; then those whose number is no multiple of 100 are freed, and at last the others.
expect 0 '' "$REHEAP" generate pinning,objects=4000000,stays=spaced --events 8000000 -o waste.rht

# json EXPRESSION: of the last command's output, called `it`; prints its value
json() {
    /usr/bin/python3 -c '
import json, sys
it = json.load(open(sys.argv[1]))
run = it["runs"][0]
def rows(table, **wanted):
    return [r for r in run[table] if all(r[k] == v for k, v in wanted.items())]
def one(table, **wanted):
    found = rows(table, **wanted)
    assert len(found) == 1, found
    return found[0]
def point(name):
    return one("pin_point", name=name)
print(eval(sys.argv[2]))' "$TMP/out" "$1"
}

expect 0 'less than 25 % in use: 246 arenas, 246 MiB, kept by blocks: 40,000, of 2.44 MiB together; .* fill 3' \
    "$REHEAP" arenas waste.rht --at pinned -o waste.db
grep -qE '^ +64 B +40,000 +2.44 MiB +246 +246 +246 MiB +243 MiB$' "$TMP/out" || problem "the size is not in the tables"
grep -qE '^allocate +40,000 ' "$TMP/out" || problem "the phase is not in the tables"
expect 0 '' "$REHEAP" arenas waste.rht --at pinned --json --list
same "schema" reheap.arenas/1 "$(json 'it["schema"]')"
same "full at the peak" "246 0 246" \
    "$(json '"%d %d %d" % tuple(point("peak")[k] for k in ("arenas", "empty_arenas", "packed_arenas"))')"
same "at the mark all are nearly empty" "7960000 246 0 246 246 246 3 40000 2560000" \
    "$(json '" ".join(str(point("pinned")[k]) for k in ("event", "arenas", "empty_arenas", "under_10_arenas",
        "under_25_arenas", "under_50_arenas", "packed_arenas", "blocks", "block_bytes"))')"
same "none is pinned once all are freed" "1 1 0 0 0" \
    "$(json '" ".join(str(point("end")[k]) for k in ("arenas", "empty_arenas", "under_50_arenas", "packed_arenas", "blocks"))')"
same "one size pins them all" "64 40000 246 246 246.0 243" "$(json '"{} {} {} {} {} {}".format(*[
    (r["block_size_bytes"], r["blocks"], r["arenas"], r["alone_arenas"], r["pinned_bytes"] / 2**20,
     r["apart_bytes"] // 2**20) for r in rows("pin", point=point("pinned")["point"], under_percent=10, by="size")][0])')"
# Number n is freed by call 7,960,000 + n / 100: up to 4^11 calls are left to those from 3,803,800 on.
same "lifetimes" "[('1048577-4194304', 1963), ('4194305-16777216', 38037)]" \
    "$(json 'sorted((r["lifetime"], r["blocks"]) for r in rows("pin", point=point("pinned")["point"], under_percent=10,
        by="lifetime"))')"
same "lives of arenas" "246 245 True 246" "$(json '"{} {} {} {}".format(len(run["arena"]),
    sum(a["died_event"] is not None for a in run["arena"]), all(a["exact"] for a in run["arena"]),
    len({a["slot"] for a in run["arena"]}))')"
# The nth arena comes with the first block that the ones before it have no room for.
same "births are exact" True "$(json '[a["born_event"] for a in run["arena"]] == [16320 * n + 1 for n in range(246)]')"
same "every pinned arena is one of the list" True "$(json 'sorted(r["arena"] for r in rows("pin_arena",
    point=point("pinned")["point"])) == list(range(246))')"
same "metrics" "0 1 244" "$(json '"{packed_arenas} {empty_arenas} {}".format(run["metrics"]["worst_excess_arenas"] + 2,
    **run["metrics"])')"

# Another geometry: 4 KiB pools hold 63 blocks, 256 KiB arenas 64 pools.
expect 0 '' "$REHEAP" arenas waste.rht -a pymalloc@3.9 --at pinned --json
same "3.9" "993 993 10" "$(json '"{arenas} {under_10_arenas} {packed_arenas}".format(**point("pinned"))')"

# What was kept is the same as what was printed.
same "results have it all" "246 3 246" "$(/usr/bin/python3 - <<'END'
import sqlite3
d = sqlite3.connect("waste.db")
arenas = d.execute("select count(*) from arena").fetchone()[0]
packed = d.execute("select packed_arenas from pin_point where name = 'pinned'").fetchone()[0]
alone = d.execute("""select alone_arenas from pin join pin_point using (run, point) where name = 'pinned' and "by" = 'size'
                     and under_percent = 25""").fetchone()[0]
print(arenas, packed, alone)
END
)"
same "each look sums up its arenas" "0" "$(/usr/bin/python3 - <<'END'
import sqlite3
d = sqlite3.connect("waste.db")
print(d.execute("""select count(*) from arena_look l where
    block_bytes != (select sum(block_bytes) from arena_sample s where s.event = l.event)
    or arenas != (select count(*) from arena_sample s where s.event = l.event)
    or arenas != (select count(*) from arena where born_event <= l.event and (died_event is null or died_event > l.event))
    or under_10_arenas != (select count(*) from arena_sample s join (select rowid - 1 as place, size_bytes from arena) a
                           on a.place = s.arena where s.event = l.event and pools_in_use > 0
                           and block_bytes * 10 < size_bytes)""").fetchone()[0])
END
)"
# A replay's memory pass has the arenas as well, but not what keeps them.
expect 0 '' "$REHEAP" replay waste.rht -a pymalloc --measure memory --reps 1 -o replay.db
same "a replay keeps lives and looks" "246 True 0" "$(/usr/bin/python3 - <<'END'
import sqlite3
d = sqlite3.connect("replay.db")
n = lambda table: d.execute("select count(*) from " + table).fetchone()[0]
print(n("arena"), n("arena_look") > 100, n("pin"))
END
)"

# The same of a real program, on an interpreter's heap that has other blocks as well: 400,000 floats, 24 bytes each, fill some
# 12 arenas of 1 MiB (their list is in no pool). Nearly all arenas are pinned, and released once the last float is gone.
cat >waste.py <<'END'
import ctypes
mark = getattr(ctypes.CDLL(None), "reheap_mark", lambda text: None)
count = 400000
kept = [float(i) for i in range(count)]
for i in range(count):
    if i % 100:
        kept[i] = None
mark(b"pinned")
kept.clear()
mark(b"freed")
END
if "$REHEAP" record --python -o program.rht -- /usr/bin/python3 waste.py 2>err; then
    expect 0 '' "$REHEAP" arenas program.rht --at pinned --at freed --json
    same "a program of waste" "True True" "$(json '"%s %s" % (point("pinned")["under_10_arenas"] >= 10, point("pinned")["arenas"] -
        point("pinned")["under_10_arenas"] <= 3)')"
    same "one size pins, by 32 bytes a block" "32 True" "$(json '(lambda r: "%d %s" % (r["block_size_bytes"], 3500 <= r["blocks"] <= 4500))(max(
        rows("pin", point=point("pinned")["point"], under_percent=10, by="size"), key=lambda r: r["pinned_bytes"]))')"
    same "and none when all is freed" True "$(json 'point("freed")["arenas"] <= 4')"
else
    echo "SKIP the real program: $(head -c 200 err)"
fi

printf 'reheap-text 1\nheader {"domains":true}\nobj malloc 64 #0\n' | "$REHEAP" import --from text - -o one.rht 2>/dev/null

# The real pymalloc: its arenas lie where the kernel puts them, and hold 63 or 64 pools. (libpython cannot be run under every build.)
if "$REHEAP" arenas waste.rht -a cpython --at pinned --json --list >out 2>err; then
    same "cpython's arenas are pinned as well" "True True 40000 3" "$(json '"{} {} {blocks} {packed_arenas}".format(
        246 <= point("pinned")["arenas"] <= 250, point("pinned")["arenas"] == point("pinned")["under_10_arenas"], **point("pinned"))')"
    same "and are the library's" "True True" "$(json '"{} {}".format(all(a["exact"] for a in run["arena"]),
        [a["slot"] for a in run["arena"]] == list(range(len(run["arena"]))))')"
    same "of two passes, arenas are not named" "{None}" "$(json '{r["arena"] for r in run["pin_arena"]}')"
else
    echo "SKIP cpython: $(head -c 200 err)"
fi

# mimalloc's segments: a page of 64 KiB less 384 bytes holds 1,018 such blocks, a segment 511 pages; 4,000,000 need 3,930, which are 8
# segments. The survivors lie in all of them, and would fill 40 pages. What is noted of it is the same every time, but for addresses.
without_addresses() { /usr/bin/python3 -c '
import json, sys
it = json.load(sys.stdin)
for table in it["runs"][0].values():
    for row in table if isinstance(table, list) else []:
        row.pop("address", None)
print(it["runs"][0])'; }
if "$REHEAP" arenas waste.rht -a mimalloc@3.13t --at pinned --json --list >"$TMP/out" 2>err; then
    same "mimalloc's segments are pinned as well" "8 8 40000 1" \
        "$(json '"{arenas} {under_10_arenas} {blocks} {packed_arenas}".format(**point("pinned"))')"
    same "one size pins them" "64 40000 8 8 256.0" "$(json '"{block_size_bytes} {blocks} {arenas} {alone_arenas} {}".format(
        *[r["pinned_bytes"] / 2**20 for r in rows("pin", point=point("pinned")["point"], under_percent=10, by="size")],
        **rows("pin", point=point("pinned")["point"], under_percent=10, by="size")[0])')"
    same "the nth comes with the first block that the others have no room for" True \
        "$(json '(all(a["exact"] for a in run["arena"]) and
        [a["born_event"] for a in run["arena"]][1:3] == [510 * 1018 + 1, (510 + 511) * 1018 + 1])')"
    without_addresses <"$TMP/out" >first.txt
    expect 0 '' "$REHEAP" arenas waste.rht -a mimalloc@3.13t --at pinned --json --list
    without_addresses <"$TMP/out" | cmp - first.txt || problem "two runs of mimalloc differ"
else
    echo "SKIP mimalloc: $(head -c 200 err)"
fi

# Those that do not tell say so.
expect 0 '' "$REHEAP" generate pinning,objects=10000 -o small.rht
expect 0 'malloc: does not tell' "$REHEAP" arenas small.rht -a malloc
expect 0 '' "$REHEAP" arenas small.rht -a bestfit --json
same "and null is not 0" "None None" "$(json '"{} {}".format(run["pin_point"], run["metrics"]["packed_arenas"])')"

# Twice the same, and alone as in company.
expect 0 '' "$REHEAP" arenas small.rht -a pymalloc@3.9 -a pymalloc,arena=64K --at pinned --json
cp "$TMP/out" first.json
expect 0 '' "$REHEAP" arenas small.rht -a pymalloc@3.9 -a pymalloc,arena=64K --at pinned --json
cmp "$TMP/out" first.json || problem "two runs differ"
expect 0 '' "$REHEAP" arenas small.rht -a pymalloc,arena=64K --at pinned --json
same "alone as in company" True "$(json 'it["runs"] == json.load(open("first.json"))["runs"][1:]')"
# Survivors of an aged heap: a tenth of the 10,000 blocks that live at once. They are left in the end beside the recording's own, and a
# group by themselves.
expect 0 '' "$REHEAP" arenas small.rht --at end --json
own=$(json 'point("end")["blocks"]')
expect 0 '' "$REHEAP" arenas small.rht --age 2 --at end --under 100 --json
same "survivors" "$((own + 1000)) 1000" "$(json '"{} {blocks}".format(point("end")["blocks"],
    **one("pin", point=point("end")["point"], by="birth", under_percent=100, birth="(before, by --age)"))')"
cp "$TMP/out" first.json
expect 0 '' "$REHEAP" arenas small.rht --age 2 --at end --under 100 --json
cmp "$TMP/out" first.json || problem "two aged runs differ"
# A heap that always needs what it holds has no worst moment.
expect 0 'no such moment' "$REHEAP" arenas one.rht

# What is refused.
refuses 2 'no such mark' "$REHEAP" arenas waste.rht --at nowhere
refuses 2 'from 1 to 8000000' "$REHEAP" arenas waste.rht --at 8000001
refuses 2 'from 1 to 8000000' "$REHEAP" arenas waste.rht --at 0
refuses 2 "no grouping 'colour'" "$REHEAP" arenas waste.rht --by size,colour
refuses 2 'from 1 to 100' "$REHEAP" arenas waste.rht --under 0
refuses 2 'name the recording' "$REHEAP" arenas
refuses 3 'nothing.rht' "$REHEAP" arenas nothing.rht
refuses 2 'gives are in no count' "$REHEAP" arenas waste.rht -a pymalloc,large=libc
# The figures say so, too: 246 arenas below 10 %, and 3 if packed; all of them kept by one size.
if ! command -v gnuplot >/dev/null; then
    echo "SKIP the figures: there is no gnuplot"
    finish
fi
expect 0 'occupancy-bands' "$REHEAP" plot waste.db -o figures
same "figures" "figures/occupancy-bands.png figures/occupancy.png figures/pins.png" \
    "$(echo figures/occupancy*.png figures/pins.png)"
same "bands at the peak" "246 246" "$(awk -F'\t' '$1 == 4000000 { print $6, $7 }' figures/occupancy-bands.tsv)"
same "bands before all are freed" "244 246 4" "$(awk -F'\t' '$1 == 7936000 { print $3, $6, $7 }' figures/occupancy-bands.tsv)"
same "bands at the end" "1 1 0" "$(awk -F'\t' '$1 == 8000000 { print $2, $6, $7 }' figures/occupancy-bands.tsv)"
same "one size keeps them" "0 $((244 << 20)) $((241 << 20)) 41257" \
    "$(awk -F'\t' '/^# index 1/ { exit } /^[0-9]/ { print $1, $2, $3, $4 }' figures/pins.tsv)"
finish
