"""One run of one cell with one subject: starts it, loads it, and returns figure -> value."""
from bench import clients, ledger, measure
from bench.places import OTHER_CORE, SUBJECT_CORE
from bench.subjects import SUBJECTS, Hop


class Runner:
    def __init__(self, place, seconds, warmup, tsc_mhz):
        self.place, self.seconds, self.warmup, self.tsc_mhz = place, seconds, warmup, tsc_mhz

    def run(self, cell, name):
        """(figures, the window that they were taken in)."""
        return getattr(self, cell.kind)(cell, name)

    def snap(self, subject):
        """What to take at both ends of a window."""
        def take(client_pid):
            return measure.sample({SUBJECT_CORE, OTHER_CORE}, [*self.place.pids(), client_pid]), subject.counters()
        return take

    def load(self, cell, name):
        subject = SUBJECTS[name](self.place, Hop(cell.down, cell.up))
        try:
            subject.start()
            got, before, after = clients.h2load(self.place, subject, cell.body, cell.connections, cell.streams,
                                                self.seconds, self.warmup, self.snap(subject))
        finally:
            subject.stop()
        window = measure.Window(before[0], after[0])
        return {"throughput_rps": got["rps"], **self.costs(window, got["rps"], before[1], after[1])}, window

    def costs(self, window, rate, before, after):
        """Time per request: the kernel's accounts, and the product's own where it polls."""
        out = window.figures(rate * window.seconds, SUBJECT_CORE, OTHER_CORE)
        out["busy_us"] = out["subject_core_us"]
        if after:
            out.update(ledger.figures(before, after))
            out["tsc_cycles"] = out["busy_us"] * self.tsc_mhz
        out["both_cores_us"] = out["busy_us"] + out["other_core_us"]
        return out
