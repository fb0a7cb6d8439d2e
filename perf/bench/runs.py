"""One run of one cell with one subject: starts it, loads it, and returns figure -> value."""
import contextlib
import statistics
import time

from local.idle import IdlePolls

from bench import clients, ledger, measure
from bench.places import OTHER_CORE, SUBJECT_CORE
from bench.subjects import SUBJECTS, Hop, Sidestep


class Runner:
    def __init__(self, place, seconds, warmup, tsc_mhz):
        self.place, self.seconds, self.warmup, self.tsc_mhz = place, seconds, warmup, tsc_mhz

    def run(self, cell, name):
        """(figures, the window that they were taken in)."""
        self.others = []  # programs of ours that only this run has
        return getattr(self, cell.kind)(cell, name)

    def snap(self, subject):
        """What to take at both ends of a window."""
        def take(client_pid):
            pids = [*self.place.pids(), client_pid, *self.others]
            return measure.sample({SUBJECT_CORE, OTHER_CORE}, pids), subject.counters()
        return take

    @contextlib.contextmanager
    def standing(self, cell, name, **more):
        """The subject, serving."""
        subject = SUBJECTS[cell.medium][name](self.place, Hop(cell.down, cell.up), **more)
        try:
            subject.start()
            yield subject
        finally:
            subject.stop()

    def load(self, cell, name):
        """Requests per second in a closed loop, and what each cost."""
        with self.standing(cell, name) as subject:
            if cell.medium == "m":
                got, before, after = self.memif(cell, subject, self.seconds, streams=cell.streams,
                                                connections=cell.connections)
                rate = got["client"]["requests_per_second"]
            else:
                got, before, after = clients.h2load(self.place, subject, cell.body, cell.connections, cell.streams,
                                                    self.seconds, self.warmup, self.snap(subject))
                rate = got["rps"]
        window = measure.Window(before[0], after[0])
        return {"throughput_rps": rate, **self.costs(cell, window, rate, before[1], after[1])}, window

    def memif(self, cell, subject, seconds, **options):
        return clients.memif(self.place, subject, cell, seconds, self.warmup, self.snap(subject), **options)

    def capacity(self, cell, subject):
        """Requests per second of this subject, by the client that will pace, in the way it will: over sockets each is
        a write of its own then, where a closed loop has several in one."""
        if cell.medium == "m":
            got = self.memif(cell, subject, self.seconds, streams=cell.streams, connections=cell.connections)[0]
            return got["client"]["requests_per_second"]
        clients.warm(self.place, subject, cell.body)
        got = clients.caller(self.place, "paced", subject.target(), cell.body, self.snap(subject), unsent_bound=None,
                             rate=1000000, seconds=self.seconds, warmup=self.warmup, connections=cell.connections,
                             streams=cell.streams)[0]
        return got["in_time"] / self.seconds

    def paced(self, cell, subject, rate, connections):
        """Latency quantiles at a rate, open loop, and the window."""
        seconds = max(self.seconds, 2 * self.seconds - 0.4)
        if cell.medium == "m":
            got, before, after = self.memif(cell, subject, seconds, rate=rate, connections=connections, streams=64)
            got = {f"{k}_us": v for k, v in got["client"]["latency_us"].items()}
        else:
            got, before, after = clients.caller(self.place, "paced", subject.target(), cell.body, self.snap(subject),
                                                rate=rate, seconds=seconds, warmup=self.warmup,
                                                connections=connections, streams=cell.streams)
        return {k: got[k] for k in ("p50_us", "p90_us", "p99_us")}, measure.Window(before[0], after[0])

    def latency(self, cell, name):
        """Latency at a set rate; the direct way to the origin is a subject like any other."""
        with IdlePolls(), self.standing(cell, name) as subject:
            return self.paced(cell, subject, cell.rate, 8)

    def latency_at_share(self, cell, name):
        """Latency at a share of the subject's own capacity, which is measured first. The subject starts anew in
        between: a memif link outlives no peer."""
        with IdlePolls(), self.standing(cell, name) as subject:
            rate = cell.share * self.capacity(cell, subject)
        with IdlePolls(), self.standing(cell, name) as subject:
            if cell.medium == "k":
                clients.warm(self.place, subject, cell.body)
            figures, window = self.paced(cell, subject, round(rate), cell.connections)
        return {"offered_rps": rate, **figures}, window

    def latency_in_storm(self, cell, name):
        """Latency of standing connections while others come and shake hands."""
        with IdlePolls(), self.standing(cell, name) as subject, \
                clients.Storm(self.place, subject.target(), cell.storm) as storm:
            self.others = [storm.client.pid]
            return self.paced(cell, subject, cell.rate, 8)

    def latency_in_reloads(self, cell, name):
        """Latency while the configuration is read again five times a second; no request may fail."""
        begun = time.monotonic()
        with IdlePolls(), self.standing(cell, name) as subject:
            start = time.monotonic() - begun
            with clients.Repeated(subject.reload, 0.2) as reloads:
                figures, window = self.paced(cell, subject, cell.rate, 8)
            figures["memory_per_sidecar_mb"] = subject.resident() / 1e6
        if isinstance(subject, Sidestep):  # which answers when it is done; others are only told
            figures["reload_ms"] = 1000 * statistics.median(reloads.took)
        return {**figures, "reloads": len(reloads.took), "start_ms": 1000 * start}, window

    def idle(self, cell, name):
        """CPU time of a subject that holds idle connections and is asked nothing."""
        with self.standing(cell, name, connections=cell.connections) as subject, \
                clients.Held(self.place, subject.target(), cell.connections) as held:
            self.others = [held.pid]
            time.sleep(0.5)
            pids = measure.family(subject.process.pid)
            begun, used = self.snap(subject)(held.pid)[0], sum(map(measure.process_seconds, pids))
            time.sleep(2 * self.seconds)
            ended, used = self.snap(subject)(held.pid)[0], sum(map(measure.process_seconds, pids)) - used
        window = measure.Window(begun, ended)
        return {"idle_busy": used / window.seconds}, window

    def handshakes(self, cell, name):
        """New connections per second, one request on each."""
        resume = {"resume": True} if cell.resume else {}
        with self.standing(cell, name) as subject:
            got, before, after = clients.caller(self.place, "churn", subject.target(), cell.body, self.snap(subject),
                                                seconds=self.seconds, warmup=self.warmup, connections=16, **resume)
        window = measure.Window(before[0], after[0])
        rate = got["completed"] / window.seconds
        share = {"resumed": got["resumed"] / got["completed"]} if cell.resume else {}
        return {"handshakes_per_s": rate, **share, **self.costs(cell, window, rate, before[1], after[1])}, window

    def memory(self, cell, name):
        """What holding idle connections adds to a subject. One that sizes its pools at the start is charged with
        everything by which a configuration for so many connections exceeds one for few."""
        begun = measure.sample({SUBJECT_CORE, OTHER_CORE}, self.place.pids())
        with self.standing(cell, name, connections=0) as subject:
            empty = subject.resident()
        with self.standing(cell, name, connections=cell.connections) as subject, self.held(cell, subject):
            full = subject.resident()
            ended = measure.sample({SUBJECT_CORE, OTHER_CORE}, self.place.pids())
        # Bytes do not depend on who else ran: nothing here is repeated for that.
        return {"memory_per_sidecar_mb": full / 1e6, "connection_bytes": (full - empty) / cell.connections,
                "memory_empty_mb": empty / 1e6}, measure.Undisturbed(begun, ended)

    def held(self, cell, subject):
        """Idle connections while the block runs."""
        if cell.medium == "k":
            return clients.Held(self.place, subject.target(), cell.connections)
        return clients.memif_process(self.place, clients.memif_argv(
            self.place, subject, cell, idle=cell.connections, connections=1, rate=10, duration="60s", warmup="0s"))

    def costs(self, cell, window, rate, before, after):
        """Time per request: the kernel's accounts, and the product's own where it polls."""
        out = window.figures(rate * window.seconds, SUBJECT_CORE, OTHER_CORE)
        out["busy_us"] = out["subject_core_us"]
        if after:
            out.update(ledger.figures(before, after))
            out["tsc_cycles"] = out["busy_us"] * self.tsc_mhz
        if cell.medium == "k":  # over memif the generator polls: its core is always full
            out["both_cores_us"] = out["busy_us"] + out["other_core_us"]
        return out
