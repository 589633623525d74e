#!/usr/bin/env bash
# reheap plot: its files, that they are the same each time and redraw, and what it does when it cannot draw.
. "$TEST_SRCDIR/$TEST_WORKSPACE/tests/cli/lib.sh"
make_results=$runfiles/tests/unit/analysis/make_results

"$make_results" runs.db grid
refuses 2 'name the folder' "$REHEAP" plot runs.db
refuses 2 'name the results file' "$REHEAP" plot -o figures
refuses 3 'absent\.db: ' "$REHEAP" plot absent.db -o figures
echo "some text, and more of it" >text
refuses 3 'text: ' "$REHEAP" plot text -o figures
absent figures

# Without gnuplot: scripts and tables, and the name of the package.
mkdir no-tools
refuses 4 'gnuplot-nox' env PATH="$TMP/no-tools" "$REHEAP" plot runs.db -o scripts
[ -s scripts/memory.gp ] && [ -s scripts/memory.tsv ] || problem "no script is left to draw elsewhere"
[ -z "$(ls scripts/*.png scripts/*.svg 2>/dev/null)" ] || problem "pictures without gnuplot"

refuses 5 'nowhere/figures: ' "$REHEAP" plot runs.db -o nowhere/figures
: >file
refuses 5 'file: .*not a folder' "$REHEAP" plot runs.db -o file

# A tool that fails leaves nothing.
mkdir bad-tools && printf '#!/bin/sh\necho "cannot draw today" >&2\nexit 3\n' >bad-tools/gnuplot && chmod +x bad-tools/gnuplot
refuses 4 'memory\.gp: cannot draw today' env PATH="$TMP/bad-tools:$PATH" "$REHEAP" plot runs.db -o broken
absent broken

command -v gnuplot >/dev/null || skip "gnuplot is not installed"
expect 0 '^figures/memory\.svg ' "$REHEAP" plot runs.db -o figures
for name in memory fragmentation arenas waterfall waterfall-time latency-malloc latency-free speed-memory grid-memory grid-speed; do
    for ending in gp tsv svg png; do
        [ -s "figures/$name.$ending" ] || problem "figures/$name.$ending is not there"
    done
    head -c 8 "figures/$name.png" | grep -q PNG || problem "figures/$name.png is no picture"
    grep -q '</svg>' "figures/$name.svg" || problem "figures/$name.svg is cut"
    grep -q "$name.svg" figures/figures.html || problem "figures.html does not show $name"
done
absent figures.
[ -z "$(ls -A figures | grep -vE '\.(gp|tsv|svg|png|html)$')" ] || problem "something else is left in the folder"

# The parts of every sample sum to what is held.
same "samples whose parts do not sum" 0 "$(awk -F'\t' '/^[0-9]/ { sum = 0; for (i = 2; i < NF - 1; i++) sum += $i; n++; bad += sum != $(NF - 1) }
    END { print n ? bad + 0 : "none" }' figures/waterfall-time.tsv)"

# The same results, the same bytes; into a folder that is there.
mkdir again && echo mine >again/note
expect 0 '' "$REHEAP" plot runs.db -o again/
for file in figures/*; do
    cmp "$file" "again/${file#*/}" || problem "$file is not the same a second time"
done
[ "$(cat again/note)" = mine ] || problem "a file of the user was touched"

# A person changes a script and draws again.
cp figures/memory.png before.png
sed -i 's/Memory held over time/Another title/' figures/memory.gp
(cd figures && gnuplot memory.gp) || problem "the script does not redraw"
cmp -s before.png figures/memory.png && problem "the change is not seen"
grep -q 'Another title' figures/memory.svg || problem "the change is not in the SVG"

# Numbers that cannot be, in a file from a stranger, are gaps: every figure that is left still draws.
for change in "UPDATE metric SET value = -1e300" "UPDATE metric SET value = 1e308" \
    "UPDATE metric SET value = 0" "UPDATE metric SET value = NULL" "UPDATE sample SET mapped_bytes = NULL" \
    "UPDATE sample SET arenas_reused = NULL" "UPDATE sample SET free_page_bytes = NULL, block_bytes = 0" "UPDATE sample SET metadata_bytes = -2" "UPDATE sample SET event = 0" \
    "UPDATE sample SET requested_bytes = 9223372036854775807" "UPDATE histogram SET lower_ns = 0, upper_ns = 0" \
    "UPDATE histogram SET operation = NULL" "UPDATE run SET spec = 'x%s''\`id\`'" "DELETE FROM run WHERE spec <> 'malloc'"; do
    cp runs.db odd.db
    /usr/bin/python3 -c 'import sqlite3, sys
c = sqlite3.connect("odd.db"); c.execute(sys.argv[1]); c.commit()' "$change" || problem "cannot change: $change"
    rm -rf odd
    expect 0 '' "$REHEAP" plot odd.db -o odd
    expect 0 '' "$REHEAP" compare odd.db
done

# A program of large blocks alone needs no arena: nothing to draw of them, and all else is drawn. Titles say how it was replayed.
printf 'reheap-text 1\nmalloc 1000 #0\nmalloc 5000 #1\nfree #0\nmalloc 100000 #2\n' >large.txt
expect 0 '' "$REHEAP" import -f text large.txt -o large.rht
expect 0 '' "$REHEAP" replay large.rht -a pymalloc --measure memory --touch read --age 1 -o large.db
expect 0 '^large/memory\.svg ' "$REHEAP" plot large.db -o large
absent large/occupancy.svg large/occupancy-bands.svg
for name in memory fragmentation waterfall waterfall-time; do
    grep -q -e '--touch read --age 1,keep=10%,seed=1' "large/$name.svg" || problem "$name does not say how it was replayed"
done
expect 0 '^replayed with --touch read --age 1,keep=10%,seed=1$' "$REHEAP" compare large.db

# What a stranger wrote into the results is text, never a command.
[ -z "$(find . -name ran)" ] || problem "gnuplot ran a command out of the results"
grep -q 'touch ran; echo of it' figures/memory.svg || problem "the command line is not in the title"
finish
