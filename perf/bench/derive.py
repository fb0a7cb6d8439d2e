"""Figures that need more than one run: through minus direct, mTLS over plaintext, sidestep over a peer.

All are taken within a round, so that what drifts between rounds cancels. runs: cell -> subject -> [figures of round 0,
figures of round 1, ...]; a run that failed is None.
"""
from bench.figures import AHEAD, KEY, MORE, describe

SIDESTEP, DIRECT = "sidestep", "direct"


def rounds_of(runs, *places):
    """The runs of the same round at each (cell, subject), where all of them came about."""
    lists = [runs.get(cell, {}).get(subject, []) for cell, subject in places]
    return [group for group in zip(*lists) if all(group)]


def add_latency(runs):
    for cell, subjects in runs.items():
        for subject in subjects:
            for direct, run in rounds_of(runs, (cell, DIRECT), (cell, subject)):
                if subject == DIRECT or "p50_us" not in run:
                    continue
                for p in ("p50", "p99"):
                    run[f"added_{p}_us"] = run[f"{p}_us"] - direct[f"{p}_us"]
                run["sidecar_latency_ms"] = run["added_p50_us"] / 1000


def add_mtls(runs, pairs):
    """pairs: (cell with mutual TLS, the same in plaintext)."""
    for encrypted, plain in pairs:
        for subject in runs.get(encrypted, {}):
            for e, p in rounds_of(runs, (encrypted, subject), (plain, subject)):
                if "sidecar_latency_ms" in e and "sidecar_latency_ms" in p:
                    e["mtls_overhead_ms"] = e["sidecar_latency_ms"] - p["sidecar_latency_ms"]
                if p.get("busy_us") and "busy_us" in e and "throughput_rps" in e:
                    e["mtls_over_plaintext"] = e["busy_us"] / p["busy_us"]


def lead(figure, ours, theirs):
    """How many times better ours is; None where a ratio says nothing (a difference that is not above zero)."""
    if ours <= 0 or theirs <= 0:
        return None
    return ours / theirs if describe(figure).better == MORE else theirs / ours


def add_leads(runs):
    for cell, subjects in runs.items():
        mine = [s for s in subjects if SIDESTEP in s]  # two-sidestep, sidestep-adaptive
        for subject in subjects:
            if subject in mine or subject == DIRECT or not mine:
                continue
            for ours, theirs in rounds_of(runs, (cell, mine[0]), (cell, subject)):
                for figure in KEY:
                    if figure in ours and figure in theirs:
                        times = lead(figure, ours[figure], theirs[figure])
                        if times is not None:
                            theirs[AHEAD + figure] = times


def derive(runs, pairs):
    add_latency(runs)
    add_mtls(runs, pairs)
    add_leads(runs)
