"""tools/bench: its harness runs every kind of cell; the figures that they give are another matter."""
import json
import os
import tempfile

from local.lab import sh
from local.suite import TestSuite

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What each kind of cell owes for sidestep and for a peer.
OWED = {"h1-128-k": ("haproxy", ("throughput_rps", "busy_us", "both_cores_us")),
        "hop-mtls-128-m": (None, ("throughput_rps", "busy_us", "tsc_cycles", "stage.http_in")),
        "latency-h2c-k": ("nghttpx", ("p50_us", "added_p50_us", "sidecar_latency_ms")),
        "handshakes-k": ("nginx", ("handshakes_per_s", "busy_us")),
        "memory-k": ("nghttpx", ("memory_per_sidecar_mb", "connection_bytes"))}


class TestBench(TestSuite):
    def test_quick(self):
        """One short round of one cell of each kind.
        Checks: nothing failed; each subject has its figures; table, drawings and page are written."""
        if self.small:
            self.skip("a slow build is not measured")
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
