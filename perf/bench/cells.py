"""The workloads: what a run of `tools/bench` measures, and what --full adds."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    name: str
    title: str
    kind: str                       # which function of runs.py: load, ...
    subjects: tuple
    down: str = "mtls"              # what the client speaks: h1, h2c, mtls
    up: str = "mtls"                # what the origin speaks
    body: str = "128"
    connections: int = 64
    streams: int = 8
    full: bool = False              # only in --full
    more: dict = field(default_factory=dict)


H2_PEERS = ("sidestep", "haproxy", "nghttpx")
CELLS = (
    Cell("hop-mtls-128-k", "One hop, mTLS HTTP/2 in and out, 128 B, 64x8, veth", "load", H2_PEERS),
    Cell("hop-mtls-16k-k", "One hop, mTLS HTTP/2 in and out, 16 KiB, 64x8, veth", "load", H2_PEERS, body="16k"),
    Cell("h1-128-k", "One hop, plaintext HTTP/1.1 in and out, 128 B, 64 connections, veth", "load",
         ("sidestep", "haproxy", "nginx", "h2o"), down="h1", up="h1", streams=1),
    Cell("mtls-h1-128-k", "One hop, mTLS HTTP/2 in and plaintext HTTP/1.1 out, 128 B, 64x8, veth", "load",
         ("sidestep", "haproxy", "nginx", "nghttpx"), up="h1"),
    Cell("hop-h2c-128-k", "One hop, plaintext HTTP/2 in and out, 128 B, 64x8, veth", "load", H2_PEERS, down="h2c",
         up="h2c"),
)


def chosen(names, full):
    """Cells whose name is in names or begins with one of them; all of the run when names is empty."""
    if names:
        out = [c for c in CELLS if any(c.name == n or c.name.startswith(n) for n in names)]
        if not out:
            raise SystemExit(f"bench: no such cell: {', '.join(names)}; there are {', '.join(c.name for c in CELLS)}")
        return out
    return [c for c in CELLS if full or not c.full]


# The same hop with mutual TLS and without: what encryption adds.
MTLS_PAIRS = (("hop-mtls-128-k", "hop-h2c-128-k"),)
