"""usage: sudo tools/bench [--full] [--only NAME ...] [--rounds N] [--seconds S] [--quick] [--out FOLDER]
       tools/bench --compare OLD NEW | --redraw RESULT | --list
       tools/bench micro ...   (perf/bench/micro.py)"""
import argparse
import itertools
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "dts-tests"), os.path.join(ROOT, "perf")]
sys.dont_write_bytecode = True

from bench import cells, compare, derive, machine, report, stats  # noqa: E402

RESULTS = os.path.join(ROOT, "perf", "results")
REPEATS, REPEATS_IN_ALL = 2, 60  # of a run that the machine disturbed; of all runs, so that the ten end in time
SHOWN = ("throughput_rps", "handshakes_per_s", "busy_us", "both_cores_us", "other_core_busy", "p50_us", "p99_us",
         "connection_bytes", "memory_per_sidecar_mb", "idle_busy")


class Patience:
    """How often disturbed runs may still be repeated."""

    def __init__(self, in_all):
        self.left = in_all

    def once_more(self, tries):
        if tries > REPEATS or not self.left:
            return False
        self.left -= 1
        return True


def one_run(runner, cell, name, patience, say):
    """Repeats a run that was disturbed, or whose client did not end; the last try counts, and says so."""
    from bench.clients import DidNotEnd
    for tries in itertools.count(1):
        try:
            figures, window = runner.run(cell, name)
        except DidNotEnd:
            if not patience.once_more(tries):
                raise
            continue
        say(cell, name, figures, window)
        if not window.disturbed() or not patience.once_more(tries):
            return {**figures, "foreign_cpu": window.foreign(), "steal": window.steal(),
                    "disturbed": float(window.disturbed())}


def measure_all(runner, todo, rounds, patience):
    """Rounds outermost and subjects rotating: what drifts, drifts for everybody. (runs, what failed)"""
    from local.lab import LabError
    runs = {c.name: {s: [] for s in c.subjects} for c in todo}
    errors = []
    begun = time.monotonic()

    def say(cell, name, figures, window):
        dirty = f"  DISTURBED foreign {window.foreign():.0%} steal {window.steal():.0%}" if window.disturbed() else ""
        print(f"{time.monotonic() - begun:5.0f} s  {cell.name:16} {name:14} "
              + "  ".join(f"{k} {figures[k]:.5g}" for k in SHOWN if k in figures) + dirty, flush=True)

    def one_round(i):
        print(f"round {i + 1} of {rounds}", flush=True)
        for cell in todo:
            for k in range(len(cell.subjects)):
                name = cell.subjects[(k + i) % len(cell.subjects)]
                try:
                    runs[cell.name][name].append(one_run(runner, cell, name, patience, say))
                except LabError as e:
                    runs[cell.name][name].append(None)
                    errors.append(f"{cell.name} {name} round {i + 1}: {e}")
                    print(f"FAILED {errors[-1]}", flush=True)

    i = 0
    try:
        for i in range(rounds):
            one_round(i)
    except KeyboardInterrupt:  # hours of a --full are not lost: what was measured is written
        errors.append(f"interrupted in round {i + 1} of {rounds}")
        print(errors[-1], flush=True)
    return runs, errors


def to_result(header, todo, runs, errors):
    derive.derive(runs, cells.MTLS_PAIRS)
    return {"shape": 1, "header": header, "titles": {c.name: c.title for c in todo},
            "workloads": {name: {s: stats.summaries([r for r in rs if r]) for s, rs in subjects.items()}
                          for name, subjects in runs.items()}, "errors": errors}


def bench(args):
    from bench.places import Place
    from bench.runs import Runner
    todo = cells.chosen(args.only, args.full)
    header = machine.header(args.build, args.rounds, args.seconds)
    place = Place(args.build)
    try:
        runner = Runner(place, args.seconds, args.warmup, header["machine"]["tsc_mhz"])
        patience = Patience(0 if args.quick else 10 ** 6 if args.full else REPEATS_IN_ALL)
        runs, errors = measure_all(runner, todo, args.rounds, patience)
    finally:
        place.close()
    path = report.write(to_result(header, todo, runs, errors), args.out)
    print(f"written: {os.path.relpath(path)}, its .md and .svg, and report.html")
    return 1 if errors else 0


def options():
    ap = argparse.ArgumentParser(prog="tools/bench", usage=__doc__.split("usage: ")[1])
    ap.add_argument("--full", action="store_true", help="every cell, without a limit of time")
    ap.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these cells, or all that begin so")
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=1.2, help="measured time of one run")
    ap.add_argument("--warmup", type=float, default=0.4)
    ap.add_argument("--quick", action="store_true", help="one short round of a few cells: does it work?")
    ap.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"), help="which differences exceed the noise")
    ap.add_argument("--redraw", metavar="RESULT", help="write a result's table, drawings and page again")
    ap.add_argument("--list", action="store_true", help="the cells")
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    ap.add_argument("--out", default=RESULTS, help="folder of the numbered results")
    return ap.parse_args()


def main():
    args = options()
    if args.list:
        for c in cells.CELLS + cells.FULL:
            print(f"{c.name:20} {'' if c in cells.CELLS else '--full':6}  {c.title}  ({', '.join(c.subjects)})")
        return 0
    if args.compare:
        print(compare.compare(*map(report.read, args.compare)))
        return 0
    if args.redraw:
        report.draw(report.read(args.redraw), os.path.abspath(args.redraw)[:-len(".json")])
        return 0
    if args.quick:
        args.rounds, args.seconds, args.warmup = 1, 0.2, 0.4
        args.only = args.only or list(cells.QUICK)
    return bench(args)


if __name__ == "__main__":
    sys.exit(main())
