#!/usr/bin/python3
"""What active health checks of many endpoints cost: the worker's core, memory, and the latency of requests beside them.

usage: sudo perf/probes.py [--build BUILD] [--endpoints N] [--interval SECONDS] [--rounds N] [--seconds N] [--rate N]

One worker, AF_XDP over veth. The endpoints are addresses of three nginx on the other core, where the client runs, too; each
is asked over a connection of its own that stays open. Without and with health_check in turn, the same configuration read
again. Busy time is the worker's own (sidestep_busy_seconds_total): first with nothing but probes, then beside an open loop
of requests, which the worker answers itself: an origin would stand on the core that answers all the probes.
"""
import argparse
import os
import re
import statistics
import sys
import time
import types

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "dts-tests"))
sys.path.insert(0, os.path.join(ROOT, "perf"))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from bench import clients, places  # noqa: E402
from local import load  # noqa: E402
from local.appliance import Appliance, ports  # noqa: E402
from local.bench_site import VIP, cluster, listener, one_host, route  # noqa: E402
from local.idle import IdlePolls  # noqa: E402
from local.lab import Lab, wait_for  # noqa: E402
from local.programs import nginx, wait_listening  # noqa: E402

NEAR, ORIGIN = "10.2.0.2", "10.2.0.1"
FAR = "10.9.0.0/16"  # behind the origin's host
PORTS = (81, 82, 83)  # of an nginx each: one process may hold 20,000 descriptors on some machines


def endpoints(n):
    return [(f"10.9.{i // 250}.{1 + i % 250}", PORTS[i % len(PORTS)]) for i in range(n)]


def settings(asked, probes):
    check = {"health_check": {"type": "http", "path": "/health", "interval": f"{asked.interval}s",
                              "no_traffic_interval": f"{asked.interval}s"}} if probes else {}
    return {
        "workers": {"count": 1, "cores": [places.SUBJECT_CORE], "control_core": places.OTHER_CORE},
        "listeners": [listener(80)],
        "memory": {"hugepages": False, "size_mb": 1024, "mbufs": 32768, "connections": 4 * asked.endpoints + 8192,
                   "streams": 8192, "endpoints": 2 * asked.endpoints},
        "ports": ports(("client", "net_af_xdp0,iface=cl0", VIP + "/24"),
                       ("origin", "net_af_xdp1,iface=or0", NEAR + "/24", ORIGIN)),
        "clusters": [cluster("many", endpoints(asked.endpoints), protocol="http1",
                             max_connections=4 * asked.endpoints, **check)],
        "virtual_hosts": one_host([
            route("many", prefix="/many"), {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": "x" * 128}}])}


def start(lab, asked):
    lab.wire("client", "cl", "dut", "cl0", a_addrs=["10.1.0.1/24"], b_port=True)
    lab.wire("origin", "or", "dut", "or0", a_addrs=[ORIGIN + "/24"], b_port=True)
    lab.run("origin", "ip", "route", "add", "local", FAR, "dev", "lo")
    places.allow_descriptors(2 * asked.endpoints + 1024)
    for port in PORTS:
        web = nginx(lab, "origin", f"web-{port}", f"server {{ listen {port} backlog=4096; access_log off; "
                    f"location / {{ return 200 '{'x' * 128}'; }} }}", connections=asked.endpoints // len(PORTS) + 4096,
                    core=places.OTHER_CORE)
        wait_listening(lab, web, "origin", "0.0.0.0", port)
    dut = Appliance(lab, asked.build, "dut", "dut", {}, core="0,1")
    dut.settings.update(settings(asked, False))
    dut.write_config()
    return dut.start(60)


def resident_mb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


NAMES = ("busy_seconds", "health_probes", "health_late", "health_connects", "health_skipped")


def reads(dut):
    """(when, the counters): all of one scrape."""
    text, now = dut.metrics(), time.monotonic()
    return now, {k: sum(float(v) for v in re.findall(rf"^sidestep_{k}_total(?:{{.*}})? (\S+)$", text, re.M)) for k in NAMES}


def window(dut, seconds, step):
    """What the counters grow by in a second while step runs (at least so many seconds)."""
    begun, before = reads(dut)
    got = step()
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    ended, after = reads(dut)
    return {k: (after[k] - before[k]) / (ended - begun) for k in NAMES}, got


def all_well(dut, asked):
    def look():
        found = next(c for c in dut.ctl_json("endpoints")["clusters"] if c["name"] == "many")["endpoints"]
        return all(e["health"] == "healthy" for e in found) and (dut.metric("sidestep_health_probes_total") or 0) >= asked.endpoints
    wait_for("the endpoints to be healthy", look, 60, 0.5)


def once(lab, dut, asked, probes):
    dut.reload({**dut.settings, **settings(asked, probes)})
    if probes:
        all_well(dut, asked)
        time.sleep(asked.interval)  # every connection is open, every endpoint in its phase
    with IdlePolls():
        alone, _ = window(dut, asked.seconds, lambda: None)
        place = types.SimpleNamespace(lab=lab, build=asked.build)
        beside, got = window(dut, 0, lambda: clients.caller(
            place, "paced", (VIP, 80, False), "128", lambda _: None, rate=asked.rate, seconds=asked.seconds, warmup=0.5,
            connections=8)[0])
    return {"core alone %": 100 * alone["busy_seconds"], "core beside %": 100 * beside["busy_seconds"],
            "probes/s": alone["health_probes"], "late/s": alone["health_late"], "new connections/s": alone["health_connects"],
            "skipped/s": alone["health_skipped"], "p50 us": got["p50_us"], "p99 us": got["p99_us"], "resident MB": resident_mb(dut.process)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    for name, value in (("endpoints", 20000), ("interval", 5), ("rounds", 3), ("seconds", 10), ("rate", 500)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    lab, seen = Lab("pb"), {False: [], True: []}
    try:
        for host in ("client", "dut", "origin"):
            lab.host(host)
        dut = start(lab, asked)
        load.favour(dut.process)
        for turn in range(asked.rounds):
            for probes in (False, True):
                seen[probes].append(once(lab, dut, asked, probes))
                print(f"{turn} probes {'on' if probes else 'off'}: {seen[probes][-1]}", file=sys.stderr, flush=True)
        dut.stop()
    finally:
        lab.close()
    print("| | off | on |\n|---|---:|---:|")
    for key in seen[True][0]:
        cells = []
        for probes in (False, True):
            v = [r[key] for r in seen[probes]]
            cells.append(f"{statistics.median(v):,.1f} [{min(v):,.1f}, {max(v):,.1f}]")
        print(f"| {key} | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    main()
