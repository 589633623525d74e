"""Recounts a replay through layers, from nothing but the recording's events and the rules of docs.

    recount.py EVENTS REPLAY

EVENTS is what `reheap dump --json` prints, REPLAY what `reheap replay --json` does. Each run of REPLAY is played once more,
here, event by event, on a heap that is a dictionary, under the same layers, and every number that follows from the
events is compared. Exit code 1 when one differs.
"""

import json
import re
import sys

MASK = (1 << 64) - 1


class Count:
    """+count: calls by domain and function."""

    WHAT = ("mallocs", "callocs", "reallocs", "frees", "aligned_allocs", "failures")

    def __init__(self, keys):
        assert not keys
        self.calls = {(d, w): 0 for d in ("raw", "mem", "obj") for w in self.WHAT}

    def before(self, call):
        self.calls[call.domain, call.function + "s"] += 1
        return call

    def after(self, call, worked):
        if call.function != "free" and not worked:
            self.calls[call.domain, "failures"] += 1

    def figures(self):
        return {f"count_{domain}_{what}": value for (domain, what), value in self.calls.items()}


class Fault:
    """+fault: calls that fail by rule; SplitMix64 throws the dice."""

    def __init__(self, keys):
        number = {k: size_of(v) for k, v in keys.items() if k != "domain"}
        self.nth = number.get("nth", 0 if "every" in number or "odds" in number else 1)
        self.every, self.odds, self.state = number.get("every"), number.get("odds"), number.get("seed", 1)
        self.least, self.domain = number.get("from", 0), keys.get("domain", "all")
        self.calls = self.failures = 0

    def dice(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        return (z >> 32) * self.odds >> 32

    def before(self, call):
        if call.function == "free" or call.size < self.least or self.domain not in ("all", call.domain):
            return call
        self.calls += 1
        fails = [self.calls == self.nth, bool(self.every) and self.calls % self.every == 0,
                 bool(self.odds) and self.dice() == 0]
        self.failures += any(fails)
        return None if any(fails) else call

    def after(self, call, worked):
        pass

    def figures(self):
        return {"fault_calls": self.calls, "fault_failures": self.failures}


class Trace:
    """+trace: the requested sizes of live blocks."""

    def __init__(self, keys):
        self.live, self.bytes, self.peak = {}, 0, 0

    def before(self, call):
        return call

    def after(self, call, worked):
        if not worked:
            return
        if call.function in ("free", "realloc"):
            self.bytes -= self.live.pop(call.slot, 0)
        if call.function != "free" and call.slot is not None:
            self.live[call.slot] = call.size
            self.bytes += call.size
            self.peak = max(self.peak, self.bytes)

    def figures(self):
        return {"traced_bytes": self.bytes, "traced_blocks": len(self.live), "peak_traced_bytes": self.peak}


class Transparent:
    """A layer that changes no call as its caller sees it, and whose figures are not recounted here."""

    def __init__(self, keys):
        pass

    def before(self, call):
        return call

    def after(self, call, worked):
        pass

    def figures(self):
        return {}


class Debug(Transparent):
    """+debug: what is beneath it sees larger blocks, no free of NULL, and a malloc for a realloc of NULL."""

    OVERHEAD = 24

    def before(self, call):
        if call.function == "free":
            return NOTHING if call.null else call
        function = "malloc" if call.null else call.function
        return Call(call.domain, function, call.size + self.OVERHEAD, call.slot)


class Freelist:
    """+freelist: dead objects kept by rounded size; only how many are kept matters here."""

    def __init__(self, keys):
        self.most = size_of(keys.get("max", "80"))
        self.grain, self.small = size_of(keys.get("grain", "16")), size_of(keys.get("small", "512"))
        self.kept = {}  # by list: the blocks in it, as they are known beneath
        self.of = {}  # by slot of a live object: its list, None for none, and its block
        self.blocks = self.hits = self.misses = self.rejected = 0

    def list_for(self, call):
        grains = -(-call.size // self.grain)
        has = 0 < grains <= -(-self.small // self.grain) and call.function != "aligned_alloc"
        return grains if has else None

    def before(self, call):
        if call.domain != "obj" or call.function == "free" and call.null:
            return call
        if call.function == "free":
            return self.die(*self.of.pop(call.slot))
        which = self.list_for(call)
        function, size = call.function, call.size if which is None else which * self.grain
        if function == "realloc" and not call.null:
            self.next = which, self.of[call.slot][1]
        elif which is not None and self.kept.get(which):
            self.hits += 1
            self.next = which, self.kept[which].pop()
            return NOTHING
        else:
            self.misses += which is not None
            self.blocks += 1
            self.next = which, self.blocks
            function = "malloc" if call.null else function
        return Call("obj", function, size, self.next[1])

    def die(self, which, block):
        if which is not None and len(self.kept.setdefault(which, [])) < self.most:
            self.kept[which].append(block)
            return NOTHING
        self.rejected += which is not None
        return Call("obj", "free", 0, block)

    def after(self, call, worked):
        if call.domain == "obj" and call.function != "free" and worked:
            self.of[call.slot] = self.next

    def figures(self):
        return {"free_list_hits": self.hits, "free_list_misses": self.misses, "free_list_rejected": self.rejected,
                "free_list_blocks": sum(map(len, self.kept.values()))}


LAYERS = {"count": Count, "freelist": Freelist, "debug": Debug, "fault": Fault, "trace": Trace}


def size_of(text):
    unit = {"K": 10, "M": 20, "G": 30}.get(text[-1].upper(), 0)
    return int(text[:-1] if unit else text) << unit


class Call:
    __slots__ = ("domain", "function", "size", "slot", "null")

    def __init__(self, domain, function, size, slot, null=False):
        self.domain, self.function, self.size, self.slot, self.null = domain, function, size, slot, null


NOTHING = object()  # what a layer passes on when nothing is to be done


class Replay:
    """The rules of replaying (docs/method.md), on a heap of requested sizes."""

    def __init__(self, spec):
        base, *layers = re.split(r"(?<!\\)\+", spec)
        name = re.split("[,@]", base)[0]
        self.keeps_zero = name in ("pymalloc", "cpython")
        self.text = "+".join(layers)
        self.layers = []  # the outermost first
        for text in layers:
            kind, *keys = text.split(",")
            self.layers.insert(0, LAYERS.get(kind, Transparent)(dict(key.split("=") for key in keys)))
        self.live, self.requested = {}, 0
        self.n = dict.fromkeys(
            "allocations reallocations frees null_frees failed_allocations skipped_events recorded_failures nested_events "
            "foreign_events peak_requested_bytes peak_live_blocks".split(), 0)

    def issue(self, domain, function, size, slot, null=False):
        """A call from outside. Each layer's `before` says what it passes on, None for a failure."""
        call, passed = Call(domain, function, size, slot, null), []
        for layer in self.layers:
            passed.append((layer, call))
            call = layer.before(call)
            if call is None or call is NOTHING:
                break
        for layer, seen in reversed(passed):
            layer.after(seen, call is not None)
        return call is not None

    def birth(self, event, function):
        self.n["allocations"] += 1
        null = function == "realloc"
        self.give(event["slot"], event["size"], self.issue(event["domain"], function, event["size"], event["slot"], null))

    def give(self, slot, size, worked):
        if worked:
            self.live[slot] = size
            self.requested += size
        else:
            self.n["failed_allocations"] += 1

    def realloc(self, event):
        slot, size, domain = event["slot"], event["size"], event["domain"]
        self.n["reallocations"] += 1
        if slot not in self.live:
            self.n["skipped_events"] += 1
            return
        self.requested -= self.live.pop(slot)
        worked = self.issue(domain, "realloc", size if size or self.keeps_zero else 1, slot)
        if not worked:
            self.issue(domain, "free", 0, slot)
        self.give(slot, size, worked)

    def free(self, event):
        if "null" in event["flags"]:
            self.n["null_frees"] += 1
            self.issue(event["domain"], "free", 0, None, True)
        elif "slot" not in event:
            self.n["foreign_events"] += 1
        else:
            self.n["frees"] += 1
            if event["slot"] in self.live:
                self.requested -= self.live.pop(event["slot"])
                self.issue(event["domain"], "free", 0, event["slot"])
            else:
                self.n["skipped_events"] += 1

    def play(self, event):
        operation, flags = event["operation"], event.get("flags", ())
        if operation not in ("malloc", "calloc", "realloc", "free", "aligned"):
            return
        if "nested" in flags or "failed" in flags:
            self.n["nested_events" if "nested" in flags else "recorded_failures"] += 1
            return
        if operation == "free":
            self.free(event)
        elif operation == "realloc" and not {"null", "foreign"} & set(flags):
            self.realloc(event)
        else:
            if "foreign" in flags:
                self.n["foreign_events"] += 1
            self.birth(event, "aligned_alloc" if operation == "aligned" else
                       "malloc" if "foreign" in flags else operation)
        self.n["peak_requested_bytes"] = max(self.n["peak_requested_bytes"], self.requested)
        self.n["peak_live_blocks"] = max(self.n["peak_live_blocks"], len(self.live))

    def expected(self):
        n = dict(self.n, end_requested_bytes=self.requested)
        n["events"] = n["allocations"] + n["reallocations"] + n["frees"] + n["null_frees"]
        # What CPython's own heaps pass on to RAW comes back through the debug hooks: then the layers beneath those see
        # calls that do not follow from the recording alone.
        hidden = self.keeps_zero and any(isinstance(layer, Debug) for layer in self.layers)
        for layer in reversed(self.layers):  # as they are told: the innermost first
            hidden = hidden and not isinstance(layer, Debug)
            for name, value in layer.figures().items():
                if isinstance(layer, (Freelist, Trace)):  # counters: lists add up, of traces the outermost tells
                    was = 0 if isinstance(layer, Trace) else n.get(name, 0)
                    n[name] = None if hidden or was is None else was + value
                    continue
                twin, number = name, 2
                while twin in n:
                    twin, number = f"{name}_{number}", number + 1
                n[twin] = None if hidden else value
        return {name: value for name, value in n.items() if value is not None}


def main():
    events = [json.loads(line.rstrip(",\n")) for line in open(sys.argv[1]) if line.startswith('{"event"')]
    runs = json.load(open(sys.argv[2]))["runs"]
    differences = compared = 0
    known = {}  # the same layers over another allocator are played once
    for run in runs:
        spec, metrics = run["allocator"]["spec"], run["metrics"]
        replay = Replay(spec)
        kind = replay.text, replay.keeps_zero
        if kind not in known:
            for event in events:
                replay.play(event)
            known[kind] = replay.expected()
        expected = known[kind]
        for name, value in expected.items():
            compared += 1
            if metrics.get(name) != value:
                differences += 1
                print(f"{spec}: {name} is {metrics.get(name)}, recounted {value}")
        status = "flagged" if expected["failed_allocations"] else "complete"
        for name, each in run["passes"].items():
            if each["status"] != status:
                differences += 1
                print(f"{spec}: the {name} pass is {each['status']}, not {status}")
    print(f"{len(events)} events, {len(runs)} runs, {compared} numbers compared, {differences} different")
    return differences > 0 or not events or not runs


sys.exit(main())
