"""What recording costs a program that does little but allocate.

Runs the same program bare and recorded, in turns, and compares medians: the processor time that the program itself used
(user and system, from its start to its end, by its own account), the wall time from outside, and what the collector
used per event (by its account). A ratio taken while other programs wanted the processors says little about wall time:
the load is printed beside it.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile

PROGRAM = """
import glob, os, sys, time
texts = []
for path in sorted(glob.glob(os.path.dirname(os.__file__) + "/*.py")):
    with open(path, encoding="utf-8") as file:
        texts.append(file.read())
start = time.perf_counter()
for _ in range(int(sys.argv[1])):
    for text in texts:
        compile(text, "text", "exec")
wall = time.perf_counter() - start
used = os.times()
print(used.user + used.system, wall)
"""


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
    used, wall = map(float, done.stdout.split())
    return used, wall, done.stderr


def main():
    reheap, python, pairs, rounds = sys.argv[1], "/usr/bin/python3", 15, "6"
    if len(sys.argv) > 2:
        python = sys.argv[2]
    bare, recorded, drains, report = [], [], [], ""
    with tempfile.TemporaryDirectory() as folder:
        program, trace = folder + "/program.py", folder + "/trace.rht"
        with open(program, "w") as file:
            file.write(PROGRAM)
        for _ in range(pairs):
            bare.append(run([python, program, rounds])[:2])
            used, wall, report = run([reheap, "record", "-o", trace, "--", python, program, rounds])
            recorded.append((used, wall))
            drains.append(float(re.search(r"([0-9.]+) ns an event", report).group(1)))
    events, size, dropped = re.search(r"([0-9,]+) events, .*, ([0-9.]+) bytes an event, ([0-9]+) dropped", report).groups()
    count = int(events.replace(",", ""))
    used = statistics.median(b[0] for b in bare)
    wall = statistics.median(b[1] for b in bare)
    used_ratio = statistics.median(r[0] / b[0] for b, r in zip(bare, recorded))
    wall_ratio = statistics.median(r[1] / b[1] for b, r in zip(bare, recorded))
    print(f"program: {python} parses and compiles its standard library {rounds} times; {pairs} pairs of runs, in turns")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"allocator calls        {count:,} a run, {count / used / 1e6:.1f} million a second of the bare program's time")
    print(f"own processor time     {used_ratio:.3f} of the bare program's {used:.2f} s (median of the pairs' ratios)")
    print(f"wall time              {wall_ratio:.3f} of {wall:.2f} s")
    print(f"collector              {statistics.median(drains):.1f} ns an event")
    print(f"file                   {size} bytes an event")
    print(f"dropped                {dropped}")


main()
