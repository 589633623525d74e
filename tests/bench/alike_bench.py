"""Does `reheap compare` tell apart what is different, and only that?  alike_bench.py REHEAP [--rounds N] [--reps N]

A recording is made. Each round is two experiments, one after the other, of three allocators each: one, the same under
another spelling, and one with 5 % of its time added by the layer `delay`. Their files are compared:
  one file    the second with the first, and the third with the first, in each file: pairs
  two files   the first of one with the first, and with the third, of the other: no pairs
  reference   the same, held to the times of the second in both files
What should come out: "not distinguishable" or "same" for at least 19 of 20 that are the same, "slower" for the others. A
number is what calm_ns_per_event says; beside it what whole times (ns_per_event) would have said."""
import argparse
import json
import math
import os
import shutil
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
parser.add_argument("--keep", metavar="FOLDER", help="leave the results files there")
options = parser.parse_args()
if options.reps < 5:
    parser.error("calm times need five repetitions")
keep = options.keep and os.path.abspath(options.keep)
folder = tempfile.TemporaryDirectory(prefix="reheap-alike.")
os.chdir(folder.name)


def reheap(*words):
    made = subprocess.run([options.reheap, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if made.returncode != 0:
        raise SystemExit(f"reheap {' '.join(words)}: {made.stderr}")
    return made.stdout


def replay(output, seed, reps, *specs):
    words = [word for spec in specs for word in ("-a", spec)]
    reheap("replay", "a.rht", *words, "--measure", "throughput", "--reps", str(reps), "--seed", str(seed), "-o", output)


def compared(*words):
    found = json.loads(reheap("compare", *words, "--json"))["workloads"][0]["allocators"]
    return {one["spec"]: one["numbers"] for one in found}


def entered_as(path, other, spec):
    """Two files compare what has the same spec: of a copy, the runs of `other` become those of `spec`."""
    shutil.copy(path, "entered.db")
    with sqlite3.connect("entered.db") as database:
        database.execute("UPDATE run SET spec = spec || ' itself' WHERE spec = ?", (spec,))
        database.execute("UPDATE run SET spec = ? WHERE spec = ?", (spec, other))
    return "entered.db"


def binomial_bound(hits, trials, upper):
    """Clopper and Pearson: the share with which so few, or so many, hits would still come out one time in forty."""
    low, high = 0.0, 1.0
    for _ in range(50):
        share = (low + high) / 2
        counts = range(hits + 1) if upper else range(hits, trials + 1)
        chance = sum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in counts)
        low, high = (share, high) if (chance > 0.025) == upper else (low, share)
    return (low + high) / 2


def counted(verdicts, wanted):
    hits = sum(verdict in wanted for verdict in verdicts)
    low = 0 if hits == 0 else binomial_bound(hits, len(verdicts), False)
    high = 1 if hits == len(verdicts) else binomial_bound(hits, len(verdicts), True)
    return f"{hits} of {len(verdicts)} ({100 * low:.0f} to {100 * high:.0f} %)"


reheap("record", "-o", "a.rht", "--", "/usr/bin/python3", "-c", PROGRAM)
plain = options.allocator + f"+delay,ns=0,every={EVERY}"  # as slow as the layer itself, which reads the clock
alias = options.allocator + f"+delay,ns=0,every={EVERY + 1}"
replay("first.db", 1, 9, plain)
nanoseconds = compared("first.db")[plain]["calm_ns_per_event"]["median"]
run = json.loads(reheap("replay", "a.rht", "-a", plain, "--measure", "throughput", "--reps", "1", "--json"))["runs"][0]
events = run["metrics"]["events"]
share = (run["metrics"]["allocations"] + run["metrics"]["reallocations"]) / events
added = round(0.05 * nanoseconds * EVERY / share)
slower = options.allocator + f"+delay,ns={added},every={EVERY}"
print(f"{events:,.0f} events at {nanoseconds:.1f} ns; {options.reps} repetitions; 5 %: {added} ns at every {EVERY}th call for memory")
print(f"load {os.getloadavg()[1]:.1f} before", flush=True)
kinds = [(same, how) for how in ("one file", "two files", "reference") for same in ("same", "slower")]
found = {kind: [] for kind in kinds}
for i in range(options.rounds):
    for name in ("older.db", "newer.db"):
        replay(name, 2 * i + (name == "newer.db"), options.reps, plain, alias, slower)
        numbers = compared(name, "--baseline", plain)
        found["same", "one file"].append(numbers[alias])
        found["slower", "one file"].append(numbers[slower])
        if keep:
            shutil.copy(name, os.path.join(keep, f"{i}-{name}"))
    for same, newer in (("same", "newer.db"), ("slower", entered_as("newer.db", slower, plain))):
        found[same, "two files"].append(compared("older.db", newer)[plain])
        found[same, "reference"].append(compared("older.db", newer, "--reference", alias)[plain])
print(f"load {os.getloadavg()[1]:.1f} after\n")
print(f"{'':18} {'ratios':>15}  interval  as it should be         whole times: interval, as it should be")
for (same, how), numbers in found.items():
    line = f"{same + ', ' + how:18}"
    for number in ("calm_ns_per_event", "ns_per_event"):
        these = [one[number] for one in numbers]
        ratios = sorted(one["ratio"] for one in these)
        reach = sorted(math.sqrt(one["high"] / one["low"]) - 1 for one in these)[len(these) // 2]
        good = counted([one["verdict"] for one in these], ("slower",) if same == "slower" else ("same", "not distinguishable"))
        line += f" {ratios[0]:.3f} to {ratios[-1]:.3f}" if number == "calm_ns_per_event" else ""
        line += f"  ±{100 * reach:4.1f} %   {good:22}"
    print(line)
