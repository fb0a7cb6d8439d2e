"""The workloads: what a run of `tools/bench` measures, and what --full adds."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    name: str
    title: str
    kind: str                       # which function of runs.py: load, ...
    subjects: tuple
    medium: str = "k"               # k: veth, against kernel clients and origins; m: memif, against sidestep-load
    down: str = "mtls"              # what the client speaks: h1, h2c, mtls, mtls-h1 (memif)
    up: str = "mtls"                # what the origin speaks
    body: str = "128"
    connections: int = 64
    streams: int = 8
    rate: int = 2000                # requests per second, where the loop is open
    share: float = 0                # of the subject's capacity, instead of a rate
    storm: int = 0                  # handshakes per second beside what is measured
    resume: bool = False            # resumed handshakes instead of full ones


H2_PEERS = ("sidestep", "haproxy", "nghttpx")
MTLS_PEERS = ("sidestep", "haproxy", "nginx", "nghttpx")
DIRECT = "direct"
OURS = ("sidestep",)
NO_TSO_PEERS = (*H2_PEERS, "haproxy-no-tso", "nghttpx-no-tso")

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
FULL = (
    Cell("hop-mtls-1k-k", "One hop, mTLS HTTP/2 in and out, 1 KiB, 64x8, veth, peers also without segmentation offload",
         "load", NO_TSO_PEERS, body="1k"),
    Cell("hop-mtls-1k-m", "One hop, mTLS HTTP/2 in and out, 1 KiB, 64x8, memif", "load", OURS, "m", body="1k"),
    Cell("hop-mtls-16k-wire-k", "One hop, mTLS HTTP/2 in and out, 16 KiB, 64x8, veth, peers also without segmentation "
         "offload", "load", NO_TSO_PEERS, body="16k"),
    Cell("hop-mtls-1m-k", "One hop, mTLS HTTP/2 in and out, 1 MiB, 8x2, veth, peers also without segmentation offload",
         "load", NO_TSO_PEERS, body="1m", connections=8, streams=2),
    Cell("hop-mtls-1m-m", "One hop, mTLS HTTP/2 in and out, 1 MiB, 8x2, memif", "load", OURS, "m", body="1m",
         connections=8, streams=2),
    Cell("hop-mtls-s1-k", "One hop, mTLS HTTP/2 in and out, 128 B, 64x1, veth", "load", H2_PEERS, streams=1),
    Cell("hop-mtls-s1-m", "One hop, mTLS HTTP/2 in and out, 128 B, 64x1, memif", "load", OURS, "m", streams=1),
    Cell("hop-mtls-s32-k", "One hop, mTLS HTTP/2 in and out, 128 B, 64x32, veth", "load", H2_PEERS, streams=32),
    Cell("hop-mtls-s32-m", "One hop, mTLS HTTP/2 in and out, 128 B, 64x32, memif", "load", OURS, "m", streams=32),
    Cell("two-hops-k", "Two hops on one core, mTLS HTTP/2 in, between and out, 128 B, 64x8, veth", "load",
         ("two-sidestep", "two-haproxy", "two-nghttpx")),
    Cell("handshakes-resumed-k", "mTLS handshakes of a client that offers to resume, one request on each, plaintext "
         "HTTP/1.1 out, veth",
         "handshakes", MTLS_PEERS, up="h1", resume=True),
    Cell("connections-k", "New plaintext HTTP/2 connections, one request on each, plaintext HTTP/1.1 out, veth",
         "handshakes", MTLS_PEERS, down="h2c", up="h1"),
    *(Cell(f"latency-{share}-{medium}", f"Latency at {share} % of the subject's own capacity, mTLS HTTP/2 in and out, "
           f"128 B, 64 connections, {wire}", "latency_at_share", subjects, medium, share=share / 100)
      for share in (50, 80) for medium, wire, subjects in (("k", "veth", H2_PEERS), ("m", "memif", OURS))),
    Cell("latency-storm-k", "Latency at 2,000 requests/s while 300 new clients a second shake hands, mTLS HTTP/2 in, "
         "plaintext HTTP/1.1 out, veth", "latency_in_storm", MTLS_PEERS, up="h1", storm=300),
    Cell("latency-reload-k", "Latency at 2,000 requests/s while the configuration is read again five times a second, "
         "mTLS HTTP/2 in, plaintext HTTP/1.1 out, veth", "latency_in_reloads",
         ("sidestep", "sidestep-many", "sidestep-services", "haproxy-master", "nginx"), up="h1"),
    Cell("idle-10000-mtls-k", "10,000 idle mTLS HTTP/2 connections, veth", "memory", MTLS_PEERS, up="h1",
         connections=10000),
    Cell("idle-10000-h2c-k", "10,000 idle plaintext HTTP/2 connections, veth", "memory", MTLS_PEERS, down="h2c",
         up="h1", connections=10000),
    Cell("idle-10000-mtls-m", "10,000 idle mTLS HTTP/2 connections, memif", "memory", OURS, "m", up="h1",
         connections=10000),
    Cell("idle-10000-h2c-m", "10,000 idle plaintext HTTP/2 connections, memif", "memory", OURS, "m", "h2c", "h1",
         connections=10000),
    Cell("idle-10000-mtls-h1-m", "10,000 idle mTLS HTTP/1.1 connections, memif", "memory", OURS, "m", "mtls-h1", "h1",
         connections=10000),
    Cell("idle-10000-h1-m", "10,000 idle plaintext HTTP/1.1 connections, memif", "memory", OURS, "m", "h1", "h1",
         connections=10000),
    Cell("idle-cpu-k", "CPU with 1,000 idle mTLS HTTP/2 connections and nothing asked, veth", "idle",
         ("sidestep-adaptive", "haproxy", "nginx", "nghttpx"), up="h1", connections=1000),
    Cell("many-routes-m", "One hop, plaintext HTTP/1.1 in and out, 128 B, 64 connections, memif, 10 and 10,000 routes "
         "and endpoints", "load", ("sidestep-few", "sidestep-many"), "m", "h1", "h1", streams=1),
    Cell("many-routes-k", "One hop, plaintext HTTP/1.1 in and out, 128 B, 64 connections, veth, 10,000 routes and "
         "endpoints", "load", ("sidestep-many", "haproxy-many", "nginx-many"), "k", "h1", "h1", streams=1),
)
# The same hop with mutual TLS and without: what encryption adds.
MTLS_PAIRS = (("hop-mtls-128-k", "hop-h2c-128-k"), ("hop-mtls-128-m", "hop-h2c-128-m"),
              ("latency-mtls-k", "latency-h2c-k"), ("latency-mtls-m", "latency-h2c-m"))
# One of each kind, for a look at the harness itself.
QUICK = ("h1-128-k", "hop-mtls-128-m", "latency-h2c-k", "handshakes-k", "memory-k")


def chosen(names, full):
    """Cells whose name is in names or, where none is, that begin so; the ten, or with `full` all, without names."""
    found = []
    for n in names:
        these = [c for c in CELLS + FULL if c.name == n] or [c for c in CELLS + FULL if c.name.startswith(n)]
        if not these:
            raise SystemExit(f"bench: no such cell: {n}; tools/bench --list names all")
        found += [c for c in these if c not in found]
    return found or list(CELLS + FULL if full else CELLS)
