#!/usr/bin/python3
"""What a mirror costs the request it copies: p50 and p99 of a route without a mirror, and with one that answers, refuses
connections, or never answers; rounds interleaved. usage: perf/mirrors.py [--build BUILD] [--rounds N] [--rate N]"""
import argparse
import os
import statistics
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "dts-tests"))
# pylint: disable=wrong-import-position
from local import load  # noqa: E402
from local.appliance import Appliance, ports  # noqa: E402
from local.bench_site import DUT, ORIGIN, ORIGINS, VIP, cluster, listener, one_host, route  # noqa: E402
from local.lab import Lab  # noqa: E402
from local.programs import nginx, script, wait_listening  # noqa: E402

KINDS = ("off", "answers", "dead", "stalled")


def start(lab, build):
    lab.wire("gen", "ge0", "dut", "cl0", a_port=True, b_port=True)
    lab.wire("origin", "or", "dut", "or0", a_addrs=[a + "/24" for a in (ORIGIN, *ORIGINS)], b_port=True)
    answer = "location / { return 200 'ok\\n'; access_log off; }"
    web = nginx(lab, "origin", "web", f"server {{ listen {ORIGIN}:81; {answer} }} server {{ listen {ORIGINS[0]}:81; {answer} }}")
    wait_listening(lab, web, "origin", ORIGIN, 81)
    stall = script(lab, "origin", "stall", "recorder.py", ORIGINS[1], 82, lab.path("stall.jsonl"), "stall")
    wait_listening(lab, stall, "origin", ORIGINS[1], 82)
    few = {"max_connections": 16, "max_pending": 16, "outlier": {"consecutive_errors": 0}, "protocol": "http1"}
    return Appliance(lab, build, "dut", "dut", {
        "workers": {"count": 1}, "listeners": [listener(80)],
        "ports": ports(("client", "net_af_xdp0,iface=cl0", VIP + "/24"), ("origin", "net_af_xdp1,iface=or0", DUT + "/24")),
        "clusters": [cluster("web", [(ORIGIN, 81)], protocol="http1"), cluster("answers", [(ORIGINS[0], 81)], **few),
                     cluster("dead", [(ORIGINS[0], 9)], **few), cluster("stalled", [(ORIGINS[1], 82)], **few)],
        "virtual_hosts": one_host([route("web", prefix="/off")] + [
            route("web", prefix=f"/{k}", mirrors=[{"cluster": k, "timeout": "1s"}]) for k in KINDS[1:]])}).start()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rate", type=int, default=300)
    asked = parser.parse_args()
    lab = Lab("mb")
    seen = {k: [] for k in KINDS}
    try:
        for host in ("gen", "dut", "origin"):
            lab.host(host)
        dut = start(lab, asked.build)
        load.favour(dut.process)
        for r in range(asked.rounds):
            for kind in KINDS[r % 4:] + KINDS[:r % 4]:
                got = load.run(lab, asked.build, "gen", f"load-{kind}-{r}", *load.af_xdp("ge0", "10.1.0.1/24"), "--target",
                               f"{VIP}:80", "--proto", "h2", "--path", f"/{kind}", "--expect-body", "any", "--connections", 4,
                               "--rate", asked.rate, "--warmup", "200ms", "--duration", "800ms", first=True)
                errors = sum(got["client"]["errors"].values())
                seen[kind].append((got["client"]["latency_us"]["p50"], got["client"]["latency_us"]["p99"], errors))
        copies = {k: int(dut.metric(f"sidestep_{k}_total")) for k in (
            "mirrors", "mirrors_answered", "mirrors_failed", "mirrors_late", "mirrors_refused", "mirrors_full")}
        dut.stop()
    finally:
        lab.close()
    print("| mirror | p50 (µs) | p99 (µs) | errors |\n|---|---:|---:|---:|")
    for kind in KINDS:
        cells = [f"{statistics.median(v):,.0f} [{min(v):,.0f}, {max(v):,.0f}]" for v in list(zip(*seen[kind]))[:2]]
        print(f"| {kind} | {cells[0]} | {cells[1]} | {sum(e for *_, e in seen[kind])} |")
    print("\nCopies: " + ", ".join(f"{k} {v:,}" for k, v in copies.items()) + ".")


if __name__ == "__main__":
    main()
