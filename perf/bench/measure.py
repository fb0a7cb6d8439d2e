"""CPU time from the kernel, whose it was, and what a polling product says of itself.

A window is what lies between two samples. The kernel books by ticks, so a window of a second knows a core's time to
about one percent; time that neither the subject, the client, the origin nor this program used is foreign.
"""
import os
import socket
import json
import time
from collections import namedtuple

TICK = 1.0 / os.sysconf("SC_CLK_TCK")
FOREIGN_LIMIT = STEAL_LIMIT = 0.05  # of one core
FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
Sample = namedtuple("Sample", "at cores ours")


def read_cores(cores):
    """Seconds by kind of each of these cores since boot."""
    out = {}
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            name, *values = line.split()
            if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
                out[int(name[3:])] = dict(zip(FIELDS, (int(v) * TICK for v in values)))
    return out


def process_seconds(pid):
    """User and system time of a process so far; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            words = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) * TICK


def family(pid):
    """A process and what it started: nginx works in a child."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [pid] + [p for child in f.read().split() for p in family(int(child))]
    except OSError:
        return [pid]


def sample(cores, pids):
    ours = {os.getpid()}.union(*map(family, pids))
    return Sample(time.monotonic(), read_cores(cores), sum(map(process_seconds, ours)))


class Window:
    def __init__(self, before, after):
        self.seconds = after.at - before.at
        self.cores = {c: {k: after.cores[c][k] - before.cores[c][k] for k in FIELDS} for c in after.cores}
        self.ours = after.ours - before.ours

    def busy(self, core):
        c = self.cores[core]
        return c["user"] + c["nice"] + c["system"] + c["irq"] + c["softirq"]

    def kind(self, *kinds):
        """Seconds of these kinds over all cores."""
        return sum(c[k] for c in self.cores.values() for k in kinds)

    def foreign(self):
        """Share of one core that went to programs that are none of ours."""
        return max(0.0, sum(map(self.busy, self.cores)) - self.ours) / self.seconds

    def steal(self):
        """Largest share that the hypervisor took from a core."""
        return max(c["steal"] for c in self.cores.values()) / self.seconds

    def disturbed(self):
        return self.foreign() > FOREIGN_LIMIT or self.steal() > STEAL_LIMIT

    def figures(self, requests, subject_core, other_core):
        """Core-microseconds per request, by core and by kind."""
        us = 1e6 / max(requests, 1)
        return {"subject_core_us": self.busy(subject_core) * us, "other_core_us": self.busy(other_core) * us,
                "user_us": self.kind("user", "nice") * us, "system_us": self.kind("system") * us,
                "softirq_us": self.kind("irq", "softirq") * us,
                "subject_core_busy": self.busy(subject_core) / self.seconds,
                "other_core_busy": self.busy(other_core) / self.seconds}


class Undisturbed(Window):
    """Around figures that others on the machine cannot change."""

    def disturbed(self):
        return False


def ask(path, word, timeout=5.0):
    """What a sidestep answers on its admin socket, without the cost of starting sidestepctl on a measured core."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        s.connect(path)
        s.sendall(word.encode() + b"\n")
        parts = []
        while chunk := s.recv(65536):
            parts.append(chunk)
    verdict, _, body = b"".join(parts).partition(b"\n")
    return json.loads(body) if verdict == b"ok" else None


def resident(pid):
    """Bytes of memory that a program's processes keep; what several share counts once (the proportional set)."""
    total = 0
    for p in family(pid):
        try:
            with open(f"/proc/{p}/smaps_rollup", encoding="ascii") as f:
                total += sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Pss:"))
        except ProcessLookupError:
            pass  # a child that has ended meanwhile
    return total
