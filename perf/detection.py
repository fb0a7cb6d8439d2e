#!/usr/bin/python3
"""How long an endpoint that fails is still asked: from the fault to the last request that was sent there, against the bound
that the configuration implies.

usage: sudo perf/detection.py [--build BUILD] [--runs N] [--rate N]

Four origins (python's http.server, a process each), one worker, AF_XDP over veth, requests at an even rate over all four; one
origin answers 500 from a moment on, hangs, or is killed. Once with active health checks alone, once with outlier detection
alone. When a request was sent is told by the access log: its end less its duration (no retries, so one request is one try).
Bounds. Active checks: the threshold's probes, each an interval with its jitter after the one before, the timeout of the last
where it hangs, and three ticks of their timers. Outlier detection: the requests of the row, in turn with the other three
origins', and one more; the timeout of a request where it hangs.
"""
import argparse
import http.client
import os
import statistics
import sys
import threading
import time
from datetime import datetime, timezone

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "dts-tests"))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from local import load  # noqa: E402
from local.bench_site import ORIGINS, VIP, Site, cluster, listener, one_host, route  # noqa: E402
from local.lab import wait_for  # noqa: E402
from local.programs import curl, script, wait_listening  # noqa: E402

PORT = 8080
VICTIM = ORIGINS[0]
INTERVAL, JITTER, PROBE_TIMEOUT, THRESHOLD = 0.2, 0.1, 0.1, 2
TICK = 0.025  # of the probers' timers: dataplane/health's HC_TICK_NS
ROW, TIMEOUT = 5, 0.3
FAULTS = {"answers 500": 500, "hangs": -1, "is killed": None}
BY = {
    "active checks": {"health_check": {"interval": "200ms", "timeout": "100ms", "no_traffic_interval": "0s"},
                      "outlier": {"consecutive_errors": 0}},
    "outlier detection": {"outlier": {"consecutive_errors": ROW, "base_ejection_time": "400ms", "max_ejection_time": "400ms", "trial_successes": 0}},
}


def bound(by, fault, rate):
    if by == "active checks":
        return THRESHOLD * INTERVAL * (1 + JITTER) + (PROBE_TIMEOUT if fault == "hangs" else 0) + 3 * TICK
    return (ROW + 1) * len(ORIGINS) / rate + (TIMEOUT if fault == "hangs" else 0)


def pace(rate):
    """So many requests a second, evenly, without an end: each thread has a connection and its own moments."""
    threads, begin = 40, time.monotonic() + 0.5

    def one(i):
        conn, k = http.client.HTTPConnection(VIP, timeout=5), 0
        while True:
            at = begin + (k * threads + i) / rate
            k += 1
            late = time.monotonic() - at
            if late > threads / rate:
                continue  # the one before took its time
            time.sleep(max(0.0, -late))
            try:
                conn.request("GET", "/")
                conn.getresponse().read()
            except (OSError, http.client.HTTPException):
                conn.close()
    for i in range(threads):
        threading.Thread(target=one, args=(i,), daemon=True).start()
    threading.Event().wait()


class Bench:
    def __init__(self, asked):
        self.asked, self.site, self.origins = asked, Site("dt"), {}
        self.log = self.site.lab.path("origins.txt")
        for o in ORIGINS:
            self.open_origin(o)
        self.dut = self.load = None

    def open_origin(self, o):
        p = script(self.site.lab, "origin", f"origin-{o}", "origin.py", o, PORT, o, self.log)
        self.origins[o] = wait_listening(self.site.lab, p, "origin", o, PORT)

    def start(self, by):
        web = cluster("web", [(o, PORT) for o in ORIGINS], protocol="http1", breaker={"enabled": False},
                      balancing={"panic_threshold": 0}, **BY[by])
        self.dut = self.site.appliance(self.asked.build, {
            "listeners": [listener(80)], "clusters": [web],
            "virtual_hosts": one_host([route("web", max_retries=0, timeout=f"{int(TIMEOUT * 1000)}ms")])}).start()
        load.favour(self.dut.process)
        self.load = self.site.lab.start("pace", "client", "/usr/bin/python3", os.path.abspath(__file__), "--pace", self.asked.rate)

    def stop(self):
        self.load.kill()
        self.dut.stop()

    def picked(self):
        """Is the victim in rotation?"""
        e = next(e for e in self.dut.ctl_json("endpoints")["clusters"][0]["endpoints"] if e["address"].startswith(VICTIM + ":"))
        return not e["ejected"] and e["health"] == "healthy"

    def is_asked(self, since):
        records, end = self.dut.read_access(since, "request")
        return any(r.get("upstream") == f"{VICTIM}:{PORT}" and r["status"] == 200 for r in records), end

    def control(self, status):
        curl(self.site.lab, "origin", "-X", "POST", f"http://{VICTIM}:{PORT}/control?status={status}")

    def one(self, by, fault):
        """Seconds from the fault to the last request sent to the victim, and how many were."""
        at = self.dut.access_end()
        wait_for("the victim to be asked", lambda: self.picked() and self.is_asked(at)[0], 30, 0.02)
        time.sleep(0.1 + time.monotonic() % 0.2)  # anywhere in the interval of the probes
        at, status = self.dut.access_end(), FAULTS[fault]
        if status is None:
            fell = time.time()
            self.origins[VICTIM].kill()
        else:
            self.control(status)
            fell = time.time()
        wait_for("the detection", lambda: not self.picked(), 30, 0.005)
        out = time.time()
        time.sleep(TIMEOUT + 0.1)  # what was sent before has ended, and is written down
        sent = []
        for r in self.dut.read_access(at, "request")[0]:
            ended = datetime.fromisoformat(r["time"].replace("Z", "+00:00")).astimezone(timezone.utc).timestamp()
            began = ended - r["duration_us"] / 1e6
            # An ejection ends by time: what is tried then is another detection.
            if r.get("upstream") == f"{VICTIM}:{PORT}" and fell <= began <= out:
                sent.append(began - fell)
        if status is None:
            self.open_origin(VICTIM)
        else:
            self.control(200)
        return max(sent, default=0.0), len(sent)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--pace", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.pace:
        pace(asked.pace)
    bench, rows = Bench(asked), []
    try:
        for by in BY:
            bench.start(by)
            for fault in FAULTS:
                got = [bench.one(by, fault) for _ in range(asked.runs)]
                rows.append((by, fault, bound(by, fault, asked.rate), [g[0] for g in got], [g[1] for g in got]))
                print(rows[-1], file=sys.stderr, flush=True)
            bench.stop()
    finally:
        bench.site.close()
    print("| found by | origin | runs | last request sent after the fault, s | bound, s | within | requests it still got |\n"
          "|---|---|---:|---:|---:|---:|---:|")
    for by, fault, most, times, counts in rows:
        print(f"| {by} | {fault} | {len(times)} | {statistics.median(times):.3f} [{min(times):.3f}, {max(times):.3f}] | {most:.3f} | "
              f"{sum(t <= most for t in times)} | {statistics.median(counts):.0f} [{min(counts)}, {max(counts)}] |")


if __name__ == "__main__":
    main()
