#!/usr/bin/env bash
# The commands of docs/adding-an-allocator.md, as they stand there and in their order: they lead to plug-ins that run.
. "${TEST_SRCDIR:?}/${TEST_WORKSPACE:?}/tests/cli/lib.sh"

page=$runfiles/docs/adding-an-allocator.md
command -v gcc >/dev/null || skip "there is no gcc"
ln -s "$REHEAP" reheap
mkdir alloc
cp "$runfiles"/alloc/reheap_plugin.h "$runfiles"/alloc/kingsley_plugin.c alloc/
awk '/^```sh$/ {n++; inside = 1; next} /^```$/ {inside = 0} inside {print > sprintf("block%02d", n)}' "$page"
[ "$(cat block* | grep -c '^\./reheap')" -ge 7 ] || problem "the page has $(cat block* | grep -c '^\./reheap') commands"
for block in block*; do
    expect 0 '' bash -e "$block"
    ! grep -q 'failed' "$TMP/out" || grep -q refused "$TMP/out" || problem "a run failed: $(cat "$TMP/both")"
    cat "$TMP/both" >>said
done
grep -q 'plugin,so=mine/first.so .*complete' said || problem "the first plug-in did not run"
grep -q 'plugin,so=mine/kingsley.so .*complete' said || problem "the example did not run"
grep -q 'refused, with exit code 4' said || problem "bad options were not refused"
grep -q "'reserve=none': give reserve=GIGABYTES" said || problem "the plug-in's own words are not shown"
ls mine/figures/*.svg >/dev/null || problem "nothing was drawn"

# What a plug-in does not tell is null; what it tells is stored, and what it is with it.
"$REHEAP" replay ast.rht -a plugin,so=mine/first.so -a plugin,so=mine/kingsley.so --reps 1 --json >told.json
/usr/bin/python3 - mine/counted.json told.json <<'PYTHON' || problem "the JSON is not as documented"
import json, os, sys
counted, told = (json.load(open(name)) for name in sys.argv[1:])
metrics = counted["runs"][0]["metrics"]
assert metrics["count_obj_mallocs"] > 1000 and metrics["mapped_bytes"] > 1 << 20
first, kingsley = (next(r for r in told["runs"] if name in r["allocator"]["spec"]) for name in ("first.so", "kingsley.so"))
assert first["metrics"]["header_bytes"] is None and first["metrics"]["free_page_bytes"] is None
assert first["metrics"]["peak_mapped_bytes"] > 0  # what the kernel says
m = kingsley["metrics"]
parts = "requested rounding header page_header page_tail free_block free_page free_arena metadata other"
assert sum(m[p + "_bytes"] or 0 for p in parts.split()) == m["mapped_bytes"], m
assert m["arenas_current"] is None and m["failed_allocations"] == 0
assert kingsley["allocator"]["version"].startswith("kingsley 1.0, file "), kingsley["allocator"]
assert first["allocator"]["version"].startswith("first 0.1, file ")
for run in (first, kingsley):
    for each in run["passes"].values():
        assert each["provenance"]["library"] == os.path.realpath(run["allocator"]["spec"].split("=")[1])
PYTHON

# The contract suite, on the plug-in that gcc built.
expect 0 '' "$runfiles/tests/contract/contract" "plugin,so=$PWD/mine/kingsley.so"
expect 0 '' "$runfiles/tests/contract/contract" "plugin,so=$PWD/mine/first.so" shared

# Layers over a heap that tells nothing of itself.
for layers in +count +debug +freelist +trace +freelist+debug +debug+trace; do
    expect 0 '' "$runfiles/tests/contract/contract" "plugin,so=$PWD/mine/first.so$layers" shared
done

# One that crashes, and one that never returns, fail alone.
cat >mine/bad.c <<'END'
#include <stdlib.h>
#include <string.h>
#include "reheap_plugin.h"
static int hangs;
static void *open_bad(const char *options, char *message, size_t capacity)
{
    (void)message, (void)capacity;
    hangs = strcmp(options, "hang") == 0;
    while (strcmp(options, "hang-open") == 0) {
    }
    return &hangs;
}
static void close_bad(void *heap) { (void)heap; }
static void *bad_malloc(void *heap, size_t size)
{
    static int calls;
    (void)heap;
    while (hangs && calls > 999) {
    }
    return ++calls > 1000 ? abort(), NULL : malloc(size ? size : 1);
}
static void *bad_calloc(void *heap, size_t n, size_t m) { (void)heap; return calloc(n ? n : 1, m ? m : 1); }
static void *bad_realloc(void *heap, void *p, size_t n) { (void)heap; return realloc(p, n ? n : 1); }
static void bad_free(void *heap, void *p) { (void)heap; free(p); }
const reheap_plugin_table reheap_plugin = {REHEAP_PLUGIN_HEAD, .open = open_bad, .close = close_bad,
    .functions = {bad_malloc, bad_calloc, bad_realloc, bad_free}};
END
gcc -O1 -shared -fPIC -o mine/bad.so mine/bad.c || problem "gcc fails"
expect 4 'bad.so failed.*signal 6' "$REHEAP" replay ast.rht -a plugin,so=mine/bad.so -a bump --reps 1 --measure memory
grep -q 'bump .*complete' "$TMP/out" || problem "a crash takes others with it"
for way in hang hang-open; do
    expect 4 'no progress for 2 seconds' "$REHEAP" replay ast.rht -a plugin,so=mine/bad.so,options=$way -a bump --reps 1 \
        --measure throughput --patience 2
    grep -q 'bump .*complete' "$TMP/out" || problem "a run that hangs takes others with it"
done
# So does a malloc that never returns, which the loader meets before anything else.
cat >mine/spin.c <<'END'
#include <stddef.h>
void *malloc(size_t n) { for (;;) (void)n; }
void *calloc(size_t n, size_t m) { for (;;) (void)n, (void)m; }
void *realloc(void *p, size_t n) { for (;;) (void)p, (void)n; }
void free(void *p) { (void)p; }
END
gcc -O0 -fno-builtin -shared -fPIC -o mine/spin.so mine/spin.c || problem "gcc fails"
expect 4 'no progress for 1 second' "$REHEAP" replay ast.rht -a preload,so=mine/spin.so -a bump --reps 1 --measure memory \
    --patience 1
refuses 2 '--patience is a number' "$REHEAP" replay ast.rht -a bump --patience 0
finish
