"""Time that the host took from this machine: a case that tells the time cannot be judged by a clock alone.

A process on each core at the highest real-time priority sleeps two milliseconds at a time. No program of this machine can hold
it up, so where it wakes late the core was away: its host ran something else. What it saw lies in memory that it shares with
the one who asks. Where the machine grants no such priority there is the kernel's own count of stolen time (`steal` of
/proc/stat), which a host may leave out and which knows no pieces.
"""
import ctypes
import gc
import mmap
import os
import signal
import struct
import time

BEAT = 2_000_000  # ns that a watcher sleeps
LATE = 2_000_000  # ns above that, below which it is the machine's own doing: an interrupt, a softirq's share
ROOM = 1 << 16  # pieces that are kept of each core
PIECE = struct.Struct("=QQ")  # when it began, how long; both ns of the monotonic clock
HEAD = struct.Struct("=QQ")  # the last beat, pieces so far
PR_SET_PDEATHSIG = 1

# A run was disturbed when a core was away for LONG at once, or for this share of the run.
LONG, SHARE = 0.020, 0.01
STEAL_TICK = 1 / os.sysconf("SC_CLK_TCK")


class Record:
    """One core's pieces, written by its watcher and read by the one who asks."""

    def __init__(self):
        self.memory = mmap.mmap(-1, HEAD.size + ROOM * PIECE.size)

    def beat(self, now, count):
        HEAD.pack_into(self.memory, 0, now, count)

    def put(self, count, begun, length):
        PIECE.pack_into(self.memory, HEAD.size + count % ROOM * PIECE.size, begun, length)

    def pieces(self, now):
        """What it has seen, oldest first; the last one may be still going on."""
        last, count = HEAD.unpack_from(self.memory)
        kept = [PIECE.unpack_from(self.memory, HEAD.size + i % ROOM * PIECE.size)
                for i in range(max(0, count - ROOM), count)]
        open_for = now - last - BEAT
        return kept + ([(last, open_for)] if last and open_for > LATE else [])

    def beats(self):
        return HEAD.unpack_from(self.memory)[0] != 0


def above_all(core):
    """This process alone decides when it gives that core away; it ends with the one that made it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.sched_setaffinity(0, {core})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))


def watch(core, record):
    """A watcher's life."""
    above_all(core)
    gc.disable()
    clock, sleep, count = time.monotonic_ns, time.sleep, 0
    last = clock()
    while True:
        sleep(BEAT / 1e9)
        now = clock()
        if now - last - BEAT > LATE:
            record.put(count, last, now - last - BEAT)
            count += 1
        record.beat(now, count)
        last = now


def steal():
    """Seconds that the kernel counts as stolen, of all cores since boot."""
    with open("/proc/stat", encoding="ascii") as f:
        fields = f.readline().split()
    return int(fields[8]) * STEAL_TICK if len(fields) > 8 else 0.0


class Taken:
    """What was taken away within a span; all in seconds."""

    def __init__(self, span, lengths, steal_s):
        self.span, self.count, self.steal = span, len(lengths), steal_s
        self.total, self.longest = sum(lengths), max(lengths, default=0.0)

    def disturbs(self):
        bound = max(LONG, SHARE * self.span)
        # The kernel counts in ticks: one of them may be the edge of one that is not of this run.
        return self.longest >= LONG or self.total >= bound or self.steal >= bound + STEAL_TICK

    def __str__(self):
        return (f"the processor was taken away for {1000 * self.total:.0f} ms in {self.count} pieces, the longest "
                f"{1000 * self.longest:.0f} ms (by the kernel's count {1000 * self.steal:.0f} ms), of {self.span:.1f} s")


class Watch:
    """Watchers on every core, while it is held."""

    def __init__(self):
        self.records, self.pids, self.blind = [], [], []

    def __enter__(self):
        for core in sorted(os.sched_getaffinity(0)):
            record = Record()
            pid = os.fork()
            if pid == 0:
                try:
                    watch(core, record)
                finally:
                    os._exit(1)  # it may not be what it must be: the priority was not granted
            self.pids.append(pid)
            self.records.append(record)
        for core, (pid, record) in enumerate(zip(self.pids, self.records)):
            while not record.beats():
                if os.waitpid(pid, os.WNOHANG)[0]:
                    self.blind.append(pid)
                    break
                time.sleep(0.001)
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            if pid not in self.blind:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def now(self):
        """Where a span begins."""
        return time.monotonic_ns(), steal()

    def since(self, begun):
        """What was taken away since then."""
        at, stolen = begun
        now = time.monotonic_ns()
        lengths = []
        for record in self.records:
            lengths += [min(n, first + n - at) / 1e9 for first, n in record.pieces(now) if first + n > at]
        return Taken((now - at) / 1e9, lengths, steal() - stolen)

    def wait_calm(self, calm=1.0, limit=20.0):
        """Waits until nothing was taken away for that long; False when it never was within the limit."""
        end = time.monotonic() + limit
        begun = self.now()
        while time.monotonic() < end:
            taken = self.since(begun)
            if taken.count or taken.steal > STEAL_TICK:
                begun = self.now()
            elif taken.span >= calm:
                return True
            time.sleep(0.02)
        return False
