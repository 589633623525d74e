"""What recording costs a program, beside what Debian's heaptrack, LTTng's wrapper of the C library and glibc's mtrace cost it.

Each program runs bare and under every tool, in turns; what is printed are medians of the turns' ratios.

  own CPU   processor time (user and system) of the program's process alone, as the kernel accounts for it from its start
            to its end, in that of the bare one's
  wall      until the tool's output was complete, in the bare program's. It says little where other programs want the
            processors: the load is printed
  ns more   own CPU beyond the bare program's, an event. An event is a call as reheap counts it, for every tool
  beside    processor time of the tool's other processes, ns an event
  bytes     of output on disk, an event
  lost      events that the tool says it could not take

The peers, which are slow, run less of the same work, against bare runs of that size.
"""

import argparse
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

# Each file once: a program that repeats itself makes a small file.
COMPILE = """
import glob, os, sys
texts = []
for path in sorted(glob.glob(os.path.dirname(os.__file__) + "/**/*.py", recursive=True))[:: int(sys.argv[1])]:
    with open(path, encoding="utf-8") as file:
        texts.append(file.read())
for text in texts:
    try:
        compile(text, "text", "exec")
    except SyntaxError:
        pass
"""

EACH = (
    ".[] | select(.amount > 20) | {id, city, name: (.name | ascii_upcase), tags: (.tags | length), "
    "far: (.place.lat > 45), due: (if .paid then 0 else .amount * 1.2 end)}"
)
GROUPS = (
    "[.[] | select(.amount > 20)] | group_by(.city) | map({city: .[0].city, orders: length, total: (map(.amount) | add), "
    "names: (map(.name | ascii_upcase) | unique), tags: (map(.tags[]) | group_by(.) | map({key: .[0], value: length}) "
    "| from_entries)})"
)


def write_json(path, orders):
    draw = random.Random(1)
    words = ["".join(draw.choices("aeioulnrstm", k=draw.randint(3, 11))) for _ in range(3000)]
    with open(path, "w", encoding="utf-8") as file:
        for number in range(orders):
            file.write("[" if number == 0 else ",\n")
            tags = ", ".join(f'"{draw.choice(words[:200])}"' for _ in range(draw.randint(0, 6)))
            file.write(
                f'{{"id": {number}, "name": "{draw.choice(words)} {draw.choice(words)}", "city": "{draw.choice(words[:90])}", '
                f'"amount": {draw.random() * 300:.2f}, "paid": {draw.choice(["true", "false", "null"])}, "tags": [{tags}], '
                f'"place": {{"lat": {draw.uniform(-90, 90):.5f}, "long": {draw.uniform(-180, 180):.5f}}}}}'
            )
        file.write("]\n")


class Program:
    """`full` is the command that reheap runs, `short` the one that its peers do."""

    def __init__(self, name, full, short, environment=None, python=False):
        self.name, self.full, self.short, self.python = name, full, short, python
        self.environment = environment or {}


def programs(paths, python, folder):
    script = folder + "/compile.py"
    with open(script, "w", encoding="utf-8") as file:
        file.write(COMPILE)
    write_json(folder + "/long.json", 100000)
    write_json(folder + "/short.json", 6000)
    long, short = folder + "/long.json", folder + "/short.json"
    documents, threads = paths["documents"], paths["threads"]
    return [
        Program("python", [python, script, "1"], [python, script, "4"], python=True),
        Program("pymalloc-off", [python, script, "1"], [python, script, "12"], {"PYTHONMALLOC": "malloc"}),
        Program("jq", ["jq", "-c", EACH, long], ["jq", "-c", EACH, short]),
        Program("jq-groups", ["jq", "-c", GROUPS, long], ["jq", "-c", GROUPS, short]),
        Program("c++", [documents, "20000"], [documents, "2000"]),
        Program("4-threads", [threads, "4", "5000000"], [threads, "4", "100000"]),
    ]


class Run:
    """Seconds of processor time, the program's own and of the tool's other processes, and of wall time; bytes of output."""

    def __init__(self, cpu, wall, beside=0.0, size=0, events=0, lost=None):
        self.cpu, self.wall, self.beside, self.size, self.events, self.lost = cpu, wall, beside, size, events, lost


def start(command, environment, **more):
    more = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more}
    return subprocess.Popen(command, env={**os.environ, **environment}, **more)


def wait_for(process):
    """The processor time it used until its end, and those whose end it waited for."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(process.args)} ended with status {process.returncode}")
    return used.ru_utime + used.ru_stime


def talk(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout


class Bare:
    def __call__(self, command, environment):
        begin = time.perf_counter()
        cpu = wait_for(start(command, environment))
        return Run(cpu, time.perf_counter() - begin)


class Reheap:
    absent = None

    def __init__(self, program, name, options, folder):
        self.program, self.name, self.options, self.trace = program, name, options, folder + "/trace.rht"

    def __call__(self, command, environment):
        begin = time.perf_counter()
        recording = start(
            [self.program, "record", *self.options, "-o", self.trace, "--", *command],
            environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = recording.communicate()[1]
        wall = time.perf_counter() - begin
        found = re.search(r"([0-9,]+) events, .* ([0-9]+) dropped", said)
        times = re.search(r"took ([0-9.]+) s of another.* itself, ([0-9.]+) s", said)
        if recording.returncode != 0 or not found or not times:
            sys.exit(f"{' '.join(recording.args)}: {said}")
        events = int(found[1].replace(",", ""))
        return Run(float(times[2]), wall, float(times[1]), os.path.getsize(self.trace), events, int(found[2]))


class Heaptrack:
    """As its script does without gdb: the library preloaded, what it writes interpreted and compressed on the way."""

    name = "heaptrack"

    def __init__(self, folder):
        places = ["/usr/lib/heaptrack", "/usr/lib/x86_64-linux-gnu/heaptrack"]
        self.home = next((p for p in places if os.path.exists(p + "/libheaptrack_preload.so")), None)
        self.absent = None if self.home and shutil.which("zstd") else "the packages heaptrack and zstd are needed"
        self.pipe, self.output = folder + "/heaptrack.pipe", folder + "/heaptrack.zst"

    def __call__(self, command, environment):
        if not os.path.exists(self.pipe):
            os.mkfifo(self.pipe)
        begin = time.perf_counter()
        line = f"{self.home}/libexec/heaptrack_interpret <'{self.pipe}' | zstd -c >'{self.output}'"
        other = start(["sh", "-c", line], {})
        preload = {"LD_PRELOAD": self.home + "/libheaptrack_preload.so", "DUMP_HEAPTRACK_OUTPUT": self.pipe}
        cpu = wait_for(start(command, {**environment, **preload}))
        beside = wait_for(other)
        return Run(cpu, time.perf_counter() - begin, beside, os.path.getsize(self.output))


class Lttng:
    """Made to wait where its buffers are full, as reheap does; by default it drops."""

    name = "lttng"
    library = "liblttng-ust-libc-wrapper.so.1"

    def __init__(self, folder):
        self.output, self.daemon = folder + "/lttng", None
        found = self.library in talk("ldconfig", "-p") if shutil.which("ldconfig") else True
        self.absent = (
            None if found and shutil.which("lttng") else "the packages lttng-tools and liblttng-ust1 are needed"
        )

    def open(self):
        run_folder = "/var/run/lttng" if os.getuid() == 0 else os.environ["HOME"] + "/.lttng"
        try:
            with open(run_folder + "/lttng-sessiond.pid", encoding="ascii") as file:
                os.kill(int(file.read()), 0)
        except (OSError, ValueError):
            self.daemon = start(["lttng-sessiond", "--no-kernel"], {}, start_new_session=True)
            for _ in range(100):
                if subprocess.run(["lttng", "list"], capture_output=True, check=False).returncode == 0:
                    return
                time.sleep(0.05)
            sys.exit("lttng-sessiond does not answer")

    def close(self):
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait()

    @staticmethod
    def consumer_time():
        """Of the daemons that take the events out of the buffers."""
        ticks = 0
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                    name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            except OSError:
                continue
            if name.startswith("lttng-consumerd"):
                ticks += sum(map(int, rest.split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def __call__(self, command, environment):
        shutil.rmtree(self.output, ignore_errors=True)
        talk("lttng", "create", "bench", "--output=" + self.output)
        talk("lttng", "enable-channel", "--userspace", "all", "--blocking-timeout=inf", "--subbuf-size=1M")
        talk("lttng", "enable-event", "--userspace", "lttng_ust_libc:*", "--channel=all")
        talk("lttng", "start", "bench")
        beside, begin = self.consumer_time(), time.perf_counter()
        preload = {"LD_PRELOAD": self.library, "LTTNG_UST_ALLOW_BLOCKING": "1"}
        cpu = wait_for(start(command, {**environment, **preload}))
        talk("lttng", "stop", "bench")
        wall, beside = time.perf_counter() - begin, self.consumer_time() - beside
        lost = sum(
            map(int, re.findall(r"(?:Discarded events|Lost packets): +([0-9]+)", talk("lttng", "list", "bench")))
        )
        talk("lttng", "destroy", "bench")
        size = sum(os.path.getsize(f"{where}/{name}") for where, _, names in os.walk(self.output) for name in names)
        return Run(cpu, wall, beside, size, lost=lost)


class Mtrace:
    name = "mtrace"

    def __init__(self, switch, folder):
        self.preload, self.output = "libc_malloc_debug.so.0 " + switch, folder + "/mtrace.txt"
        self.absent = None

    def __call__(self, command, environment):
        begin = time.perf_counter()
        preload = {"LD_PRELOAD": self.preload, "MALLOC_TRACE": self.output}
        cpu = wait_for(start(command, {**environment, **preload}))
        return Run(cpu, time.perf_counter() - begin, 0, os.path.getsize(self.output))


def take_turns(tools, command, environment, turns):
    """{tool: [(bare run, its run), ...]}"""
    run_bare, pairs = Bare(), {tool: [] for tool in tools}
    for _ in range(turns):
        bare = run_bare(command, environment)
        for tool in tools:
            pairs[tool].append((bare, tool(command, environment)))
    return pairs


def median(pairs, value):
    return statistics.median(value(bare, run) for bare, run in pairs)


def print_line(name, pairs, events):
    own = median(pairs, lambda bare, run: run.cpu / bare.cpu)
    wall = median(pairs, lambda bare, run: run.wall / bare.wall)
    more = median(pairs, lambda bare, run: run.cpu - bare.cpu) / events * 1e9
    beside = median(pairs, lambda bare, run: run.beside) / events * 1e9
    size = median(pairs, lambda bare, run: run.size) / events
    lost = "unknown" if pairs[0][1].lost is None else max(run.lost for _, run in pairs)
    print(f"  {name:<18}{own:8.3f}{wall:8.2f}{more:9.1f}{beside:9.1f}{size:9.3f}{lost:>9}", flush=True)


def measure(program, recorders, peers, options):
    ours = take_turns(recorders, program.full, program.environment, options.pairs)
    first = ours[recorders[0]]
    events = first[0][1].events
    seconds = median(first, lambda bare, run: bare.cpu)
    print(
        f"\n{program.name}: {events:,} calls in {seconds:.3f} s of processor time, {seconds / events * 1e9:.1f} ns each"
    )
    print(f"  {'':<18}{'own CPU':>8}{'wall':>8}{'ns more':>9}{'beside':>9}{'bytes':>9}{'lost':>9}")
    for tool, pairs in ours.items():
        print_line(tool.name, pairs, pairs[0][1].events)
    if peers and options.peer_pairs:
        short = recorders[0](program.short, program.environment).events
        for tool, pairs in take_turns(peers, program.short, program.environment, options.peer_pairs).items():
            print_line(tool.name, pairs, short)


def parse(names):
    parser = argparse.ArgumentParser(prog="./dev bench record", description="What recording costs, beside its peers.")
    parser.add_argument("--pairs", type=int, default=9, help="turns of reheap and the bare program (9)")
    parser.add_argument("--peer-pairs", type=int, default=3, help="turns of the peers (3; 0: without them)")
    parser.add_argument("--programs", default=",".join(names), help="of: %(default)s")
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter (%(default)s)")
    return parser.parse_args(sys.argv[2:])


def main():
    names = ["python", "pymalloc-off", "jq", "jq-groups", "c++", "4-threads"]
    options = parse(names)
    paths = dict(word.split("=", 1) for word in sys.argv[1].split(","))
    with tempfile.TemporaryDirectory() as folder:
        default = Reheap(paths["reheap"], "reheap", ["--malloc"], folder)
        coarse = Reheap(paths["reheap"], "  coarse times", ["--malloc", "--timestamps=coarse"], folder)
        hooks = Reheap(paths["reheap"], "  --python", ["--python"], folder)
        lttng = Lttng(folder)
        peers = [Heaptrack(folder), lttng, Mtrace(paths["mtrace_on"], folder)]
        for tool in peers:
            if tool.absent:
                print(f"without {tool.name}: {tool.absent}")
        peers = [tool for tool in peers if not tool.absent]
        if lttng in peers and options.peer_pairs:
            lttng.open()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
        try:
            print(
                f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; medians of {options.pairs} turns, "
                f"of the peers' {options.peer_pairs}"
            )
            for program in programs(paths, options.python, folder):
                if program.name in options.programs.split(","):
                    measure(program, [default, coarse] + [hooks] * program.python, peers, options)
        finally:
            lttng.close()


main()
