#!/usr/bin/python3
"""What new clients that shake hands do to the latency of connections that stand.

usage: sudo perf/bench/storm.py [--build build] [--rounds 5] [--seconds 4] [--rate 1000] [--connections 1000]
                                [--storm 500] [--subject NAME ...]

Standing mutual TLS connections over HTTP/2 ask at a rate in an open loop, over veth; at rest, and while new clients come,
each with a full mutual handshake and one request. The thread that shakes hands stands on the worker's core (which polls,
or sleeps when idle), or on the other one, with the clients and the origin. Rounds outermost. Prints medians (lowest to
highest), how many handshakes a second there really were, and the worker's longest turns.
"""
import argparse
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "dts-tests"), os.path.join(ROOT, "perf")]
sys.dont_write_bytecode = True

from bench import cells, clients, machine, measure, subjects  # noqa: E402
from bench.places import Place  # noqa: E402
from bench.reload import row, table  # noqa: E402
from bench.runs import Runner  # noqa: E402
from local.idle import IdlePolls  # noqa: E402
from local.lab import LabError  # noqa: E402

CELL = next(c for c in cells.FULL if c.name == "latency-storm-k")
COLUMNS = ("p50_us", "p90_us", "p99_us", "handshakes_per_s", "shed", "turn_max_us", "long_turns")


class AdaptiveApart(subjects.SidestepApart):
    poll = "adaptive"


KINDS = {"polls, one core": subjects.Sidestep, "sleeps, one core": subjects.SidestepAdaptive,
         "polls, threads apart": subjects.SidestepApart, "sleeps, threads apart": AdaptiveApart}


def counters(subject):
    return {k: v["all"] for k, v in measure.ask(subject.dut.socket, "stats")["counters"].items()}


def once(runner, kind, asked, storm):
    subjects.SUBJECTS["k"]["storm"] = kind
    with IdlePolls(), runner.standing(CELL, "storm", connections=asked.connections + 500) as subject:
        clients.warm(runner.place, subject, CELL.body)
        runner.others = []
        if storm:
            with clients.Storm(runner.place, subject.target(), asked.storm) as beside:
                runner.others = [beside.client.pid]
                return measured(runner, subject, asked)
        return measured(runner, subject, asked)


def measured(runner, subject, asked):
    before, begun = counters(subject), time.monotonic()
    figures, window = runner.paced(CELL, subject, asked.rate, asked.connections)
    after, took = counters(subject), time.monotonic() - begun
    grown = {k: after[k] - before.get(k, 0) for k in after}
    figures.update(handshakes_per_s=(grown["tls_handshakes"] - asked.connections) / took, long_turns=grown.get("long_turns", 0),
                   shed=sum(v for k, v in grown.items() if k in ("tls_queue_full", "tls_rate")))
    turn = subject.dut.metric("sidestep_turn_max_seconds")
    if turn:
        figures["turn_max_us"] = 1e6 * turn
    return figures, window


def main():
    ap = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    for name, value in (("rounds", 5), ("seconds", 4), ("rate", 1000), ("connections", 1000), ("storm", 500)):
        ap.add_argument(f"--{name}", type=int, default=value)
    ap.add_argument("--subject", nargs="+", default=list(KINDS), choices=KINDS)
    asked = ap.parse_args()
    runs = {}
    place = Place(asked.build)
    try:
        runner = Runner(place, asked.seconds, 0.4, machine.tsc_mhz())
        for _ in range(asked.rounds):
            for name in asked.subject:
                for storm in (False, True):
                    key = f"{name}, {asked.storm if storm else 'no'} new clients/s"
                    try:
                        figures, window = once(runner, KINDS[name], asked, storm)
                    except LabError as e:
                        print(f"{key}: {e}", flush=True)
                        continue
                    runs.setdefault(key, []).append(figures)
                    print(row(key, [figures], COLUMNS), "DISTURBED" if window.disturbed() else "", flush=True)
    finally:
        place.close()
    print("\n" + table(runs, asked.rounds, COLUMNS))


if __name__ == "__main__":
    main()
