"""The workloads: what a run of `tools/bench` measures, and what --full adds."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    name: str
    title: str
    kind: str                       # which function of runs.py: load, ...
    subjects: tuple
    medium: str = "k"               # k: veth, against kernel clients and origins; m: memif, against sidestep-load
    down: str = "mtls"              # what the client speaks: h1, h2c, mtls
    up: str = "mtls"                # what the origin speaks
    body: str = "128"
    connections: int = 64
    streams: int = 8
    rate: int = 2000                # requests per second, where the loop is open
    resume: bool = False            # resumed handshakes instead of full ones
    full: bool = False              # only in --full


H2_PEERS = ("sidestep", "haproxy", "nghttpx")
MTLS_PEERS = ("sidestep", "haproxy", "nginx", "nghttpx")
DIRECT = "direct"
OURS = ("sidestep",)

CELLS = (
    Cell("hop-mtls-128-k", "One hop, mTLS HTTP/2 in and out, 128 B, 64x8, veth", "load", H2_PEERS),
    Cell("hop-mtls-128-m", "One hop, mTLS HTTP/2 in and out, 128 B, 64x8, memif", "load", OURS, "m"),
    Cell("hop-mtls-16k-k", "One hop, mTLS HTTP/2 in and out, 16 KiB, 64x8, veth", "load", H2_PEERS, body="16k"),
    Cell("hop-mtls-16k-m", "One hop, mTLS HTTP/2 in and out, 16 KiB, 64x8, memif", "load", OURS, "m", body="16k"),
    Cell("h1-128-k", "One hop, plaintext HTTP/1.1 in and out, 128 B, 64 connections, veth", "load",
         ("sidestep", "haproxy", "nginx", "h2o"), "k", "h1", "h1", streams=1),
    Cell("h1-128-m", "One hop, plaintext HTTP/1.1 in and out, 128 B, 64 connections, memif", "load", OURS, "m",
         "h1", "h1", streams=1),
    Cell("mtls-h1-128-k", "One hop, mTLS HTTP/2 in and plaintext HTTP/1.1 out, 128 B, 64x8, veth", "load",
         MTLS_PEERS, up="h1"),
    Cell("latency-mtls-k", "Latency at 2,000 requests/s, mTLS HTTP/2 in and out, 128 B, veth, idle CPUs poll",
         "latency", (DIRECT, *H2_PEERS)),
    Cell("latency-mtls-m", "Latency at 2,000 requests/s, mTLS HTTP/2 in and out, 128 B, memif", "latency",
         (DIRECT, *OURS), "m"),
    Cell("handshakes-k", "Full mTLS handshakes, one request on each connection, plaintext HTTP/1.1 out, veth",
         "handshakes", MTLS_PEERS, up="h1"),
    Cell("memory-k", "1,000 idle mTLS HTTP/2 connections, veth", "memory", MTLS_PEERS, up="h1", connections=1000),
    # The same in plaintext: what mTLS is set against.
    Cell("hop-h2c-128-k", "One hop, plaintext HTTP/2 in and out, 128 B, 64x8, veth", "load", H2_PEERS, "k", "h2c",
         "h2c"),
    Cell("hop-h2c-128-m", "One hop, plaintext HTTP/2 in and out, 128 B, 64x8, memif", "load", OURS, "m", "h2c",
         "h2c"),
    Cell("latency-h2c-k", "Latency at 2,000 requests/s, plaintext HTTP/2 in and out, 128 B, veth, idle CPUs poll",
         "latency", (DIRECT, *H2_PEERS), "k", "h2c", "h2c"),
    Cell("latency-h2c-m", "Latency at 2,000 requests/s, plaintext HTTP/2 in and out, 128 B, memif", "latency",
         (DIRECT, *OURS), "m", "h2c", "h2c"),
)
# The same hop with mutual TLS and without: what encryption adds.
MTLS_PAIRS = (("hop-mtls-128-k", "hop-h2c-128-k"), ("hop-mtls-128-m", "hop-h2c-128-m"),
              ("latency-mtls-k", "latency-h2c-k"), ("latency-mtls-m", "latency-h2c-m"))
# One of each kind, for a look at the harness itself.
QUICK = ("h1-128-k", "hop-mtls-128-m", "latency-h2c-k", "handshakes-k", "memory-k")


def chosen(names, full):
    """Cells whose name is in names or begins with one of them; all of the run when names is empty."""
    if names:
        out = [c for c in CELLS if any(c.name == n or c.name.startswith(n) for n in names)]
        if not out:
            raise SystemExit(f"bench: no such cell: {', '.join(names)}; there are {', '.join(c.name for c in CELLS)}")
        return out
    return [c for c in CELLS if full or not c.full]
