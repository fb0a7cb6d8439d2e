"""Who sends, for every subject alike, sampled at the first and the last moment of its measured time: h2load where
requests per second are asked for, bench-caller for latency, handshakes and idle connections; over memif sidestep-load,
which is then the origin as well."""
import contextlib
import json
import os
import signal
import subprocess
import threading
import time

from local import load
from local.lab import LabError, wait_for
from local.programs import h2load_figures

from bench.places import BODIES, IDENTITY, MEMIF, MEMIF_CLIENT, OTHER_CORE, favour
from bench.subjects import load_listens

# With what HTTP/2 itself wants and h2load's user-agent this makes ten fields.
FIELDS = ("accept: application/json", "accept-encoding: gzip, deflate, br", "accept-language: en-GB,en;q=0.8",
          "x-request-id: 6f1c2a9e-3b7d-4c1e-9a55-0d2f6b8e4c31",
          "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


LIMIT = 90  # seconds that a client may take in all


class DidNotEnd(LabError):
    """h2load waits for ever when one of its connections has not come about by the end of its time."""


class Client:
    """A program in host client; `pid` while it runs."""

    def __init__(self, place, argv, env=None, yielding=False, limit=LIMIT):
        """yielding: runs only when nobody else wants the core."""
        self.place = place
        self.name = f"{os.path.basename(str(argv[0]))} {argv[1]}"
        self.popen = subprocess.Popen(
            ["ip", "netns", "exec", place.lab.ns_name("client"), "taskset", "-c", str(OTHER_CORE),
             *(["chrt", "--idle", "0"] if yielding else []),
             *(["env", *(f"{k}={v}" for k, v in env.items())] if env else []), *map(str, argv)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.pid = self.popen.pid
        place.lab.note_pid(self.pid)
        favour(self)
        self.text = ""
        self.limit = threading.Timer(limit, self.popen.kill)
        self.limit.daemon = True
        self.limit.start()

    def until(self, mark):
        """Reads lines until one has mark in it."""
        for line in self.popen.stdout:
            self.text += line
            if mark in line:
                return line
        raise LabError(f"{self.name} ended before it said '{mark}':\n{self.text[-1500:]}")

    def end(self):
        """What it said in all, once it has ended by itself."""
        self.text += self.popen.stdout.read()
        if self.popen.wait(30) == -signal.SIGKILL:
            raise DidNotEnd(f"{self.popen.args[5:]} was ended at its limit:\n{self.text[-800:]}")
        if self.popen.returncode:
            raise LabError(f"{self.popen.args[5:]}: exit {self.popen.returncode}\n{self.text[-1500:]}")
        return self.text

    def kill(self):
        self.limit.cancel()
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(10)
        self.popen.stdout.close()
        self.popen.stdin.close()


def h2load(place, subject, body, connections, streams, seconds, warmup, snap):
    """Requests in a closed loop. snap is called with the client's pid at both ends of the measured time.

    A few requests come first: a proxy that meets hundreds at once with no connection to the origin may open one for
    each of them (HAProxy does), shake hands for a second, and share out its streams ever after."""
    def argv(*amount):
        scheme = "https" if subject.hop.down == "mtls" else "http"
        fields = [w for field in FIELDS for w in ("-H", field)]
        return ["h2load", "-t", 1, *amount, *(["--h1"] if subject.hop.down == "h1" else []), *fields,
                f"{scheme}://{subject.path.vip}:{subject.hop.port}/{body}"]

    env = place.preload("client") if subject.hop.down == "mtls" else None
    first = Client(place, argv("-c", 8, "-m", 1, "-n", 80), env, limit=10)
    try:
        first.end()
    finally:
        first.kill()
    client = Client(place, argv("-c", connections, "-m", streams, "-D", f"{int(seconds * 1000)}ms", "--warm-up-time",
                                f"{int(warmup * 1000)}ms"), env, limit=seconds + warmup + 8)
    try:
        client.until("Main benchmark duration is started")
        before = snap(client.pid)
        client.until("Main benchmark duration is over")
        after = snap(client.pid)
        got = h2load_figures(client.end())
    finally:
        client.kill()
    if not got["done"] or any(got[k] for k in ("failed", "errored", "3xx", "4xx", "5xx")):
        raise LabError(f"{type(subject).__name__}: requests failed: {got}\n{client.text[-800:]}")
    return got, before, after


def caller_argv(place, mode, target, body, **options):
    """target: (address, port, whether it speaks TLS)."""
    address, port, tls = target
    argv = [os.path.join(place.build, "perf", "bench", "bench-caller"), mode, "--to", f"{address}:{port}",
            "--path", f"/{body}", "--body", BODIES[body]]
    for name, value in options.items():
        argv += [f"--{name}"] + ([] if value is True else [value])
    for field in ("user-agent: bench-caller", *FIELDS):
        argv += ["--field", field]
    if tls:
        argv += ["--ca", place.cert("mesh"), "--cert", place.cert("client"), "--key", place.cert("client", "key")]
    return argv


def figures_of(text, what, unsent_bound=0.01):
    """The JSON line at the end; nothing may have been lost, nor more than a share never sent (None: any)."""
    got = json.loads(text.strip().splitlines()[-1])
    if got["lost"]:
        raise LabError(f"{what}: {got['lost']} requests or connections lost: {got['why']}")
    if unsent_bound is not None and got["unsent"] > unsent_bound * got["completed"]:
        raise LabError(f"{what}: {got['unsent']} requests were due and never sent")
    return got


def caller(place, mode, target, body, snap, unsent_bound=0.01, **options):
    """A paced or churning bench-caller, sampled at both ends."""
    client = Client(place, caller_argv(place, mode, target, body, **options))
    try:
        client.until("start")
        before = snap(client.pid)
        client.until("end")
        after = snap(client.pid)
        got = figures_of(client.end(), mode, unsent_bound)
    finally:
        client.kill()
    if not got["completed"]:
        raise LabError(f"{mode}: nothing was answered")
    return got, before, after


def warm(place, subject, body):
    """What h2load's first requests are for, by bench-caller."""
    caller(place, "paced", subject.target(), body, lambda _: None, rate=200, seconds=0.3, warmup=0.1, connections=8)


class Storm:
    """New connections at a rate, beside what is measured: by a client that never keeps that one from the core."""

    def __init__(self, place, target, rate):
        self.client = Client(place, caller_argv(place, "churn", target, "128", rate=rate, connections=64, seconds=60),
                             yielding=True)

    def __enter__(self):
        self.client.until("start")
        return self

    def __exit__(self, *_):
        self.client.kill()


class Repeated:
    """Calls a function at an interval while the block runs."""

    def __init__(self, function, interval):
        self.function, self.interval, self.over = function, interval, threading.Event()
        self.thread = threading.Thread(target=self.repeat)
        self.took = []  # seconds of each call

    def repeat(self):
        while not self.over.wait(self.interval):
            begun = time.monotonic()
            self.function()
            self.took.append(time.monotonic() - begun)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Held:
    """Idle connections, each of which has had one request; they stand until the block ends."""

    def __init__(self, place, target, connections):
        self.client = Client(place, caller_argv(place, "hold", target, "128", connections=connections), limit=200)
        self.pid = self.client.pid

    def __enter__(self):
        try:
            self.client.until("held")
        except BaseException:
            self.client.kill()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.client.popen.stdin.close()
                figures_of(self.client.end(), "hold")
        finally:
            self.client.kill()


def memif_argv(place, subject, cell, **options):
    """sidestep-load's command line: client, and origin where the subject has another side."""
    address, port, tls = subject.target()
    size = BODIES[cell.body]
    argv = load.port(place.memif(0, "client", "client"), MEMIF_CLIENT + "/24")
    if hasattr(subject, "dut"):
        argv += load.port(place.memif(1, "client", "origin"), MEMIF.origin + "/24") + load_listens(place, MEMIF.origin)
    argv += ["--memory", 512, "--mbufs", 32768, "--quiet", "--target", f"{address}:{port}",
             "--proto", "h1" if subject.hop.down.endswith("h1") else "h2",
             "--path", f"/size/{size}", "--expect-size", size]
    for field in FIELDS:
        argv += ["--header", field.replace(": ", ":", 1)]
    if tls:
        who = "proxy" if hasattr(subject, "dut") else "origin"
        argv += ["--tls", "--ca", place.cert("mesh"), "--cert", place.cert("client"), "--key",
                 place.cert("client", "key"), "--server-id", IDENTITY.format(who)]
    for name, value in options.items():
        argv += [f"--{name}", value]
    return argv


@contextlib.contextmanager
def memif_process(place, argv):
    """A sidestep-load that has begun to measure."""
    process = load.start(place.lab, place.build, "client", "load", *argv, core=OTHER_CORE)
    try:
        favour(process)

        def measuring():
            if not process.running():
                raise LabError(f"sidestep-load ended:\n{process.log()[-1500:]}")
            return "phase measuring" in process.log()

        wait_for("sidestep-load to measure", measuring, 60, 0.01)
        yield process
    finally:
        process.kill()
        place.lab.processes.remove(process)
        process.log_file.close()


def memif(place, subject, cell, seconds, warmup, snap, **options):
    """sidestep-load over memif, sampled within its measured time."""
    argv = memif_argv(place, subject, cell, duration=f"{int(seconds * 1000)}ms", warmup=f"{int(warmup * 1000)}ms",
                      **options)
    with memif_process(place, argv) as process:
        before = snap(process.pid)
        time.sleep(seconds * 0.9)
        after = snap(process.pid)
        process.wait(20)
        got = load.figures(place.lab, process)
    if got["client"]["errors_total"] or not got["client"]["requests"]:
        raise LabError(f"sidestep-load: {got['client']['errors']}")
    if got["client"]["unsent"] > 0.01 * got["client"]["requests"]:
        raise LabError(f"sidestep-load: {got['client']['unsent']} requests were due and never sent")
    return got, before, after
