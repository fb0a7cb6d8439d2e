#!/usr/bin/python3
"""What one item of each hot primitive costs: nanoseconds, and instructions by callgrind.

usage: perf/bench/micro.py [--build build] [--only PREFIX] [--processes 3]
                           [--no-instructions] [--out FILE]
       perf/bench/micro.py --against OTHER_BUILD [--build build] [--only PREFIX] [--processes 7]

The first form runs every program of perf/micro, writes perf/results/micro.json and prints a table. The second
compares two builds, process by process in turn, and writes nothing. "*" marks a figure whose
(max - min) / median is over 15 %: it claims nothing by itself; instructions do not vary.
"""
import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOISY = 0.15
COUNT = 200  # items of the first call under callgrind; the second does three times as many


def programs(build):
    found = [p for p in sorted(glob.glob(os.path.join(build, "micro_*"))) if os.path.isfile(p)]
    if not found:
        sys.exit(f"no micro_* in {build}: build first (ninja -C {build})")
    return found


def output(argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          timeout=900).stdout


def once(build, only, quick):
    """One process of every program: item -> nanoseconds of each round. Quick: without set-ups of seconds."""
    got = {}
    for p in programs(build):
        got.update(json.loads(output([p, "--json", "--only", only, *(["--quick"] if quick else [])])))
    return got


def instructions(build, only):
    """Item -> instructions. Callgrind dumps each call of micro_measured, in the order of the JSON."""
    got = {}
    for p in programs(build):
        with tempfile.TemporaryDirectory(prefix="micro") as d:
            valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={d}/out",
                        "--zero-before=micro_measured", "--dump-after=micro_measured"]
            names = list(json.loads(output([*valgrind, p, "--json", "--count", str(COUNT), "--only", only])))
            totals = []
            for part in sorted(glob.glob(f"{d}/out.*"), key=lambda f: int(f.rsplit(".", 1)[1])):
                with open(part, encoding="ascii", errors="replace") as f:
                    text = f.read()
                if "Trigger: --dump-after=micro_measured" in text:
                    totals.append(int(re.search(r"^summary: (\d+)", text, re.M).group(1)))
        if len(totals) != 2 * len(names):
            raise RuntimeError(f"{p}: {len(names)} items, {len(totals)} dumps")
        for i, name in enumerate(names):
            got[name] = (totals[2 * i + 1] - totals[2 * i]) / (2 * COUNT)
    return got


def summary(values):
    return {"median": round(statistics.median(values), 1), "min": round(min(values), 1),
            "max": round(max(values), 1), "n": len(values)}


def noisy(s):
    return s["max"] - s["min"] > NOISY * s["median"]


def measure(args):
    rounds = {}
    for i in range(args.processes):
        for name, ns in once(args.build, args.only, i > 0).items():
            rounds.setdefault(name, []).append(statistics.median(ns))
    counted = instructions(args.build, args.only) if args.instructions else {}
    result = {}
    print(f"{'item':34} {'ns':>10} {'min':>10} {'instructions':>13}")
    for name, ns in rounds.items():
        figures = {"ns_per_item": summary(ns)}
        if name in counted:
            figures["instructions_per_item"] = summary([counted[name]])
        result[name] = {"sidestep": figures}
        s = figures["ns_per_item"]
        print(f"{name:34} {s['median']:10.1f} {s['min']:10.1f} {counted.get(name, float('nan')):13.0f}"
              f"{' *' if noisy(s) else ''}")
    if args.out:
        os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
        with open(args.out, "w", encoding="ascii") as f:
            json.dump(result, f, indent=1)
            f.write("\n")


def compare(args):
    """The lowest median of each side is compared: what disturbs a process only ever makes it slower."""
    sides = {build: {} for build in (args.against, args.build)}
    for _ in range(args.processes):
        for build, rounds in sides.items():
            for name, ns in once(build, args.only, False).items():
                rounds.setdefault(name, []).append(statistics.median(ns))
    counted = {b: instructions(b, args.only) if args.instructions else {} for b in sides}
    before, after = sides.values()
    print(f"{'item':34} {'ns before':>10} {'after':>10} {'ratio':>6}"
          f" {'instr. before':>14} {'after':>8} {'ratio':>6}")
    for name in after:
        if name not in before:
            continue
        a, b = min(before[name]), min(after[name])
        line = f"{name:34} {a:10.1f} {b:10.1f} {b / a:6.2f}"
        ia, ib = (c.get(name) for c in counted.values())
        if ia and ib:
            line += f" {ia:14.0f} {ib:8.0f} {ib / ia:6.2f}"
        print(line)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    ap.add_argument("--against")
    ap.add_argument("--only", default="")
    ap.add_argument("--processes", type=int, default=0)
    ap.add_argument("--no-instructions", dest="instructions", action="store_false")
    ap.add_argument("--out", default=os.path.join(ROOT, "perf", "results", "micro.json"))
    args = ap.parse_args()
    args.processes = args.processes or (7 if args.against else 3)
    if args.only:
        args.out = None if args.out.endswith("results/micro.json") else args.out
    (compare if args.against else measure)(args)


if __name__ == "__main__":
    main()
