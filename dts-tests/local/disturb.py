#!/usr/bin/python3
"""Runs a command on a machine whose processor is taken away at random moments, as a host does it.
usage: sudo disturb.py SEED PERCENT COMMAND [ARGUMENT ...]

On each core a process at the highest real-time priority spins for 5 to 400 ms at a time, PERCENT of the time in all: half of
it on one core, half on all of them together. The seed gives the moments. Ends with the command, with its exit status.
"""
import heapq
import math
import os
import random
import signal
import subprocess
import sys
import time

from stolen import above_all

SHORTEST, LONGEST = 0.005, 0.4
MEAN = (LONGEST - SHORTEST) / math.log(LONGEST / SHORTEST)


def pieces(seed, share, at):
    """(when it begins, how long) without end; as many short ones as long ones by orders of magnitude."""
    rng = random.Random(seed)
    while True:
        at += rng.expovariate(share / MEAN)
        yield at, SHORTEST * (LONGEST / SHORTEST) ** rng.random()


def spin(core, seed, share, begun):
    above_all(core)
    clock = time.monotonic
    for at, length in heapq.merge(pieces(f"{seed} {core}", share / 2, begun), pieces(f"{seed} all", share / 2, begun)):
        time.sleep(max(0.0, at - clock()))
        until = at + length
        while clock() < until:
            pass


def main():
    seed, share, command = sys.argv[1], float(sys.argv[2]) / 100, sys.argv[3:]
    spinners, begun = [], time.monotonic()
    try:
        for core in sorted(os.sched_getaffinity(0)):
            pid = os.fork()
            if pid == 0:
                try:
                    spin(core, seed, share, begun)
                finally:
                    os._exit(1)
            spinners.append(pid)
        sys.exit(subprocess.run(command, check=False).returncode)
    finally:
        for pid in spinners:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main()
