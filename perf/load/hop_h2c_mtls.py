#!/usr/bin/python3
"""One hop, h2c in and mutual-TLS HTTP/2 out to nghttpd, sidestep beside HAProxy in the same place.

usage: sudo perf/load/hop_h2c_mtls.py [--rounds 5] [--requests 200000] [--out perf/results/NAME]

Both stand in turn, interleaved, in the same namespace on core 0, behind the same veth pairs; client (h2load) and
origin (nghttpd, which demands a client certificate) run on core 1. HAProxy has one thread and the kernel's default
offloads; sidestep has one worker on AF_XDP, and the kernel's ends send without offloads, because AF_XDP on veth
cannot take partial checksums. 128-byte body, 64 connections x 8 streams. Writes NAME.json and NAME.md.
"""
import argparse
import json
import os
import statistics
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "dts-tests"))
sys.dont_write_bytecode = True

from local.bench_site import DUT, ORIGIN, Site, VIP, cluster, listener, one_host, route  # noqa: E402
from local.lab import sh  # noqa: E402
from local.programs import h2load, nghttpd, wait_listening  # noqa: E402

PROXY_CORE, OTHER_CORE, PORT = 0, 1, 8443
IDENTITY = "spiffe://mesh.local/ns/demo/sa/{}"


def cpu_busy(core):
    """Jiffies of a core that were not idle (user, nice, system, irq, softirq)."""
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            if line.startswith(f"cpu{core} "):
                v = [int(x) for x in line.split()[1:]]
                return v[0] + v[1] + v[2] + v[5] + v[6]
    raise RuntimeError(f"no cpu{core}")


class Place:
    def __init__(self, build):
        self.site = Site("hb")
        self.build = build
        lab = self.site.lab
        self.certs = certs = lab.path("certs")
        ca = os.path.join(ROOT, "tools", "ca")
        sh(ca, certs, "init", "mesh")
        for name in ("proxy", "origin"):
            sh(ca, certs, "leaf", "--ca", "mesh", "--out", name, "--spiffe", IDENTITY.format(name), "--dns",
               f"{name}.example", "--days", 1)
        root = lab.path("root")
        os.mkdir(root)
        with open(os.path.join(root, "128"), "wb") as f:
            f.write(b"x" * 128)
        nghttpd(lab, "origin", "origin", ORIGIN, PORT, root, f"{certs}/origin.key", f"{certs}/origin.pem",
                f"{certs}/mesh.pem", core=OTHER_CORE)

    def offloads(self, on):
        for ns, dev in (("client", "cl"), ("origin", "or")):
            self.site.lab.run(ns, "ethtool", "-K", dev, *(w for k in ("tx", "tso", "gso")
                                                          for w in (k, "on" if on else "off")))

    def kernel_addresses(self, on):
        for dev, address in (("cl0", VIP), ("or0", DUT)):
            self.site.lab.run("dut", "ip", "addr", "add" if on else "del", f"{address}/24", "dev", dev,
                              check=on)
        for ns in ("client", "origin"):
            self.site.lab.run(ns, "ip", "neigh", "flush", "all")

    def load(self, n):
        url = f"http://{VIP}/128"
        h2load(self.site.lab, "client", "-n", n // 5, "-c", 64, "-m", 8, url, core=OTHER_CORE)
        before = cpu_busy(PROXY_CORE), cpu_busy(OTHER_CORE)
        got = h2load(self.site.lab, "client", "-n", n, "-c", 64, "-m", 8, url, core=OTHER_CORE)
        after = cpu_busy(PROXY_CORE), cpu_busy(OTHER_CORE)
        if got["2xx"] != n:
            raise RuntimeError(f"requests failed: {got}")
        tick = 1e6 / os.sysconf("SC_CLK_TCK")
        return {"requests_per_second": got["rps"], "core0_us": (after[0] - before[0]) * tick / n,
                "core1_us": (after[1] - before[1]) * tick / n}

    def sidestep(self, n):
        self.offloads(False)
        tls = {"secret": "proxy", "trust": "mesh", "allowed_ids": [{"exact": IDENTITY.format("origin")}]}
        dut = self.site.appliance(self.build, {
            "secrets": [{"name": "proxy", "certificate": f"{self.certs}/proxy.pem",
                         "private_key": f"{self.certs}/proxy.key"}],
            "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": f"{self.certs}/mesh.pem"}],
            "workers": {"count": 1, "cores": [PROXY_CORE], "control_core": PROXY_CORE},
            "listeners": [listener(80)], "virtual_hosts": one_host([route("origin")]),
            "clusters": [cluster("origin", [(ORIGIN, PORT)], protocol="http2", tls=tls)]})
        del dut.settings["access_log"]  # as the peer: none
        dut.write_config()
        dut.start()
        try:
            busy = dut.metric("sidestep_busy_seconds_total")
            requests = dut.metric("sidestep_requests_total")
            out = self.load(n)
            busy = dut.metric("sidestep_busy_seconds_total") - busy
            out["busy_us"] = 1e6 * busy / (dut.metric("sidestep_requests_total") - requests)
            return out
        finally:
            dut.stop()

    def haproxy(self, n):
        self.offloads(True)
        lab = self.site.lab
        with open(lab.path("haproxy.pem"), "w", encoding="ascii") as out:
            for part in ("pem", "key"):
                with open(f"{self.certs}/proxy.{part}", encoding="ascii") as f:
                    out.write(f.read())
        conf = lab.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend in
  bind {VIP}:80 proto h2
  default_backend origin
backend origin
  server o {ORIGIN}:{PORT} ssl crt {lab.path("haproxy.pem")} ca-file {self.certs}/mesh.pem verify required verifyhost origin.example sni str(origin.example) alpn h2
""")
        self.kernel_addresses(True)
        p = lab.start("haproxy", "dut", "haproxy", "-db", "-f", conf, core=PROXY_CORE)
        try:
            wait_listening(lab, p, "dut", VIP, 80)
            return self.load(n)
        finally:
            p.kill()
            self.kernel_addresses(False)


def summary(values):
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3),
            "max": round(max(values), 3), "n": len(values)}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--requests", type=int, default=200000)
    ap.add_argument("--build", default=os.path.join(ROOT, "build"))
    ap.add_argument("--out", default=os.path.join(ROOT, "perf", "results", "hop-h2c-mtls"))
    args = ap.parse_args()
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    place = Place(args.build)
    try:
        runs = {"sidestep": [], "haproxy": []}
        for i in range(args.rounds):
            for name in (("sidestep", "haproxy") if i % 2 == 0 else ("haproxy", "sidestep")):
                got = getattr(place, name)(args.requests)
                runs[name].append(got)
                print(f"round {i + 1} {name:9}" + "".join(f"  {k} {v:10.2f}" for k, v in got.items()), flush=True)
    finally:
        place.site.close()
    figures = {name: {k: summary([r[k] for r in rs]) for k in rs[0]} for name, rs in runs.items()}
    with open(args.out + ".json", "w", encoding="utf-8") as f:
        json.dump({"workload": "h2c in, mutual TLS HTTP/2 out, 128 B, 64x8, one hop", "figures": figures}, f, indent=1)
        f.write("\n")
    with open(args.out + ".md", "w", encoding="utf-8") as f:
        f.write("# One hop: h2c in, mutual-TLS HTTP/2 out to nghttpd, 128 B, 64 connections x 8 streams\n\n"
                "Median [min, max] of interleaved rounds. core0: proxy; core1: client and origin. A row whose\n"
                "(max - min) / median exceeds 15 % is marked noisy and claims nothing.\n\n"
                "| subject | figure | median | min | max | n | |\n|---|---|---|---|---|---|---|\n")
        for name, fs in figures.items():
            for k, v in fs.items():
                noisy = "noisy" if v["median"] and (v["max"] - v["min"]) / v["median"] > 0.15 else ""
                f.write(f"| {name} | {k} | {v['median']} | {v['min']} | {v['max']} | {v['n']} | {noisy} |\n")
    print(f"written: {args.out}.json and .md")


if __name__ == "__main__":
    main()
