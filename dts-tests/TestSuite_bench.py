"""tools/bench: its harness runs every kind of cell; the figures that they give are another matter."""
import json
import os
import shutil
import signal
import tempfile
import time

from local.lab import Lab, sh, wait_for
from local.programs import nghttpd
from local.suite import TestSuite, tells_the_time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What each kind of cell owes for sidestep and for a peer.
OWED = {"h1-128-k": ("haproxy", ("throughput_rps", "busy_us", "both_cores_us")),
        "hop-mtls-128-m": (None, ("throughput_rps", "busy_us", "tsc_cycles", "stage.http_in")),
        "latency-h2c-k": ("nghttpx", ("p50_us", "added_p50_us", "sidecar_latency_ms")),
        "handshakes-k": ("nginx", ("handshakes_per_s", "busy_us")),
        "memory-k": ("nghttpx", ("memory_per_sidecar_mb", "connection_bytes"))}


class TestBench(TestSuite):
    @tells_the_time
    def test_caller_omits_nothing(self):
        """bench-caller measures from the moment a request was due.
        Steps: 1,000 requests/s for a second; the origin stands still for 200 ms of it.
        Checks: all that were due were sent; a fifth of them waited, half of those about 100 ms and more."""
        lab = Lab("bc")
        try:
            lab.host("far")
            with open(lab.path("128"), "wb") as f:
                f.write(b"x" * 128)
            origin = nghttpd(lab, "far", "origin", "127.0.0.1", 8080, lab.folder)
            program = os.path.join(self.build, "perf", "bench", "bench-caller")
            caller = lab.start("caller", "far", program, "paced", "--to", "127.0.0.1:8080", "--path", "/128",
                               "--body", 128, "--rate", 1000, "--seconds", 1)
            wait_for("the measuring", lambda: "start" in caller.log(), 10, 0.01)
            time.sleep(0.3)  # the pause lies within the second, wherever
            origin.signal(signal.SIGSTOP)
            time.sleep(0.2)
            origin.signal(signal.SIGCONT)
            self.verify_equal(caller.wait(20), 0, "exit status")
            got = json.loads(caller.log().splitlines()[-1])
            self.verify_equal(got["lost"], 0, "requests lost")
            self.verify(got["measured"] > 950, f"{got['measured']} requests of 1,000")
            self.verify(got["p90_us"] > 80e3, f"half of those that waited: {got['p90_us']} us")
            self.verify(got["max_us"] > 180e3, f"the one that waited for all of the pause: {got['max_us']} us")
        finally:
            lab.close()

    @tells_the_time
    def test_quick(self):
        """One short round of one cell of each kind.
        Checks: nothing failed; each subject has its figures; table, drawings and page are written."""
        if self.small:
            self.skip("a slow build is not measured")
        missing = [p for p in ("h2o", "haproxy", "nginx", "nghttpx", "nghttpd", "h2load") if not shutil.which(p)]
        if missing:
            self.skip(f"not installed: {' '.join(missing)} (tools/setup bench; Debian 13 has no h2o)")
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "results")
            sh("/usr/bin/python3", "-B", "-m", "bench", "--quick", "--build", self.build, "--out", out, timeout=150,
               env={**os.environ, "PYTHONPATH": os.path.join(ROOT, "perf")})
            with open(os.path.join(out, "1.json"), encoding="utf-8") as f:
                got = json.load(f)
            self.verify_equal(got["errors"], [], "failed runs")
            self.verify_equal(set(got["workloads"]), set(OWED), "cells")
            for cell, (peer, figures) in OWED.items():
                for subject in ("sidestep", peer):
                    have = got["workloads"][cell].get(subject, {}) if subject else figures
                    missing = [f for f in figures if f not in have]
                    self.verify(not missing, f"{cell}, {subject}: no {', '.join(missing)}")
            for name in ("results/1.md", "results/1/throughput_rps.svg", "report.html"):
                self.verify(os.path.getsize(os.path.join(folder, name)) > 500, f"{name} is empty")
