"""Does `reheap compare` tell apart what is different, and only that?  alike_bench.py REHEAP [--rounds N] [--reps N]

A recording is made. Then, --rounds times each:
  same, one file    an allocator beside itself under two spellings, in one experiment (pairs)
  same, two files   an allocator replayed twice, one experiment after the other (no pairs)
  ..., reference    the same, with another allocator in both files, to whose times they are held
  slower, ...       the same, one of them with 5 % of its time added by the layer `delay`
What should come out: "not distinguishable" or "same" for 19 of 20 of the first two, "slower" for the others. The machine
has to be idle, or the intervals say less, as they should."""
import argparse
import json
import math
import os
import sqlite3
import subprocess
import tempfile

EVERY = 100  # of so many calls for memory, one is delayed: long enough for the clock's grain to be small beside it
PROGRAM = """import json
text = json.dumps([{"name": str(i), "value": [i, i * 2, str(i) * 3]} for i in range(20000)])
for i in range(6): json.loads(text)"""

parser = argparse.ArgumentParser()
parser.add_argument("reheap")
parser.add_argument("--rounds", type=int, default=20)
parser.add_argument("--reps", type=int, default=9)
parser.add_argument("--allocator", default="pymalloc")
parser.add_argument("--only", default="", metavar="WORDS", help="only the kinds with WORDS in their names")
options = parser.parse_args()
folder = tempfile.TemporaryDirectory(prefix="reheap-alike.")
os.chdir(folder.name)


def reheap(*words):
    made = subprocess.run([options.reheap, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if made.returncode != 0:
        raise SystemExit(f"reheap {' '.join(words)}: {made.stderr}")
    return made.stdout


def replay(output, seed, *specs):
    words = [word for spec in specs for word in ("-a", spec)]
    reheap("replay", "a.rht", *words, "--measure", "throughput", "--reps", str(options.reps), "--seed", str(seed), "-o", output)


def judged(spec, *words):
    found = json.loads(reheap("compare", *words, "--json"))["workloads"][0]["allocators"]
    return next(one["numbers"]["ns_per_event"] for one in found if one["spec"] == spec)


reheap("record", "-o", "a.rht", "--", "/usr/bin/python3", "-c", PROGRAM)
plain = options.allocator + f"+delay,ns=0,every={EVERY}"  # as slow as the layer itself, which reads the clock
run = json.loads(reheap("replay", "a.rht", "-a", plain, "--measure", "throughput", "--reps", "9", "--json"))["runs"]
nanoseconds = sorted(one["metrics"]["ns_per_event"] for one in run)[len(run) // 2]
share = (run[0]["metrics"]["allocations"] + run[0]["metrics"]["reallocations"]) / run[0]["metrics"]["events"]
added = round(0.05 * nanoseconds * EVERY / share)
alias = options.allocator + f"+delay,ns=0,every={EVERY + 1}"
slower = options.allocator + f"+delay,ns={added},every={EVERY}"
print(f"{run[0]['metrics']['events']:,.0f} events at {nanoseconds:.1f} ns; {options.reps} repetitions; 5 %: {added} ns at every "
      f"{EVERY}th call for memory\n")
print(f"{'':18} {'ratios':>15}  interval  verdicts of {options.rounds}")
reference = options.allocator + f"+delay,ns=0,every={EVERY + 2}"
kinds = {
    "same, one file": alias, "same, two files": plain, "same, reference": plain,
    "slower, one file": slower, "slower, two files": slower, "slower, reference": slower,
}
kinds = {kind: other for kind, other in kinds.items() if options.only in kind}
found = {kind: [] for kind in kinds}
for i in range(options.rounds):
    for kind, other in kinds.items():
        if kind.endswith("one file"):
            replay("one.db", i, plain, other)
            found[kind].append(judged(other, "one.db", "--baseline", plain))
            continue
        more = [reference] if kind.endswith("reference") else []
        replay("older.db", 2 * i, plain, *more)
        replay("newer.db", 2 * i + 1, other, *more)
        # Two files compare what has the same spec: the second is entered under the first's name.
        with sqlite3.connect("newer.db") as database:
            database.execute("UPDATE run SET spec = ? WHERE spec = ?", (plain, other))
        words = ["--reference", reference] if more else []
        found[kind].append(judged(plain, "older.db", "newer.db", *words))
for kind, numbers in found.items():
    ratios = sorted(number["ratio"] for number in numbers)
    verdicts = [number["verdict"] for number in numbers]
    reach = sorted(math.sqrt(number["high"] / number["low"]) - 1 for number in numbers)[len(numbers) // 2]
    counted = ", ".join(f"{verdicts.count(word)} {word}" for word in sorted(set(verdicts)))
    print(f"{kind:18} {ratios[0]:.3f} to {ratios[-1]:.3f}  ±{100 * reach:4.1f} %  {counted}")
