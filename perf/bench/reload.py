#!/usr/bin/python3
"""What a reload of 1,000 services (20 endpoints, 5 routes each) does to the latency of requests.

usage: sudo perf/bench/reload.py [--build build ...] [--rounds 5] [--seconds 3] [--stranger 110] [--subject NAME ...]

2,000 requests/s in an open loop: at rest; while the configuration is read again 0.2 s after each answer; and, as
what the core alone does, while a foreign program computes as long as a reload on the core where control is (--stranger
milliseconds). Control on the worker's core, and on the client's and origin's ("apart"). Rounds outermost, so that what
drifts drifts for all. Several builds are compared in turn. Prints a table of medians (lowest to highest).
"""
import argparse
import contextlib
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "dts-tests"), os.path.join(ROOT, "perf")]
sys.dont_write_bytecode = True

from bench import cells, clients, machine, measure  # noqa: E402
from bench.places import OTHER_CORE, Place, SUBJECT_CORE  # noqa: E402
from bench.runs import Runner  # noqa: E402
from local.idle import IdlePolls  # noqa: E402
from local.lab import LabError  # noqa: E402

CELL = next(c for c in cells.FULL if c.name == "latency-reload-k")
MODES = ("at rest", "reloading", "a stranger computes")
ALL = ("sidestep", "sidestep-services", "sidestep-apart", "sidestep-services-apart")
COLUMNS = ("p50_us", "p90_us", "p99_us", "long_turns", "reloads", "reload_ms")


def long_turns(subject):
    """Turns of over a millisecond so far; a build without the counter has none to show."""
    stats = measure.ask(subject.dut.socket, "stats")["counters"]
    return stats["long_turns"]["all"] if "long_turns" in stats else None


def stranger(core, ms):
    """A program that has nothing to do with us takes so much time of a core."""
    code = f"import time\nend = time.process_time() + {ms / 1000}\nwhile time.process_time() < end: pass"
    subprocess.run(["taskset", "-c", str(core), sys.executable, "-S", "-c", code], check=True)


def once(runner, name, mode, ms):
    with IdlePolls(), runner.standing(CELL, name) as subject:
        clients.warm(runner.place, subject, CELL.body)
        before = long_turns(subject)
        core = OTHER_CORE if name.endswith("apart") else SUBJECT_CORE
        work = {"reloading": subject.reload, "a stranger computes": lambda: stranger(core, ms)}.get(mode)
        with contextlib.ExitStack() as at_work:
            reloads = at_work.enter_context(clients.Repeated(work, 0.2)) if work else None
            figures, window = runner.paced(CELL, subject, CELL.rate, 8)
        if before is not None:
            figures["long_turns"] = long_turns(subject) - before
    if reloads:
        figures.update(reloads=len(reloads.took), reload_ms=1000 * statistics.median(reloads.took))
    return figures, window


def row(name, runs, columns=COLUMNS):
    """A line of a table: the median of each figure, and its extremes."""
    def cell(figure):
        values = sorted(r[figure] for r in runs if figure in r)
        if not values:
            return "–"
        return f"{statistics.median(values):,.0f} ({values[0]:,.0f}–{values[-1]:,.0f})"
    return f"| {name} | " + " | ".join(cell(c) for c in columns) + " |"


def table(runs, rounds, columns=COLUMNS):
    """runs: name -> the figures of each round."""
    head = [f"| {rounds} rounds | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    return "\n".join(head + [row(name, figures, columns) for name, figures in runs.items()])


def main():
    ap = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    ap.add_argument("--build", nargs="+", default=[os.path.join(ROOT, "build")])
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=3)
    ap.add_argument("--stranger", type=float, default=110)
    ap.add_argument("--subject", nargs="+", default=list(ALL), choices=ALL)
    args = ap.parse_args()
    runs = {}
    place = Place(args.build[0])
    try:
        runner = Runner(place, args.seconds, 0.4, machine.tsc_mhz())
        runner.others = []
        for _ in range(args.rounds):
            for name in args.subject:
                for build in args.build:
                    for mode in MODES:
                        place.build = os.path.abspath(build)
                        try:
                            figures, window = once(runner, name, mode, args.stranger)
                        except LabError as e:
                            print(f"{name}: {e}", flush=True)
                            continue
                        key = " ".join((name, *([build] if len(args.build) > 1 else []),
                                        mode))
                        runs.setdefault(key, []).append(figures)
                        print(row(key, [figures]), "DISTURBED" if window.disturbed() else "", flush=True)
    finally:
        place.close()
    print("\n" + table(runs, args.rounds))


if __name__ == "__main__":
    main()
