"""What sidestep's stage ledger says of a window: busy time per request, and each stage's part of it."""
from bench.figures import STAGE


def since(before, after, *keys):
    for k in keys:
        before, after = before[k], after[k]
    return after - before


def figures(before, after):
    """Two answers of the admin socket's "stages" for one worker, to figure -> value.

    A stage's time per request is its share of the sampled turns, of all busy time: busy time and requests are known
    exactly, the shares are sampled. Marks are no work of a stage and are left out of the sum.
    """
    requests = max(since(before, after, "requests"), 1)
    busy_us = since(before, after, "busy_ns") / 1000 / requests
    sampled = {b["stage"]: a["sampled_ns"] - b["sampled_ns"] for b, a in zip(before["stages"], after["stages"])}
    total = sum(sampled.values())
    out = {"busy_us": busy_us,
           "packets": (since(before, after, "packets_received") + since(before, after, "packets_sent")) / requests}
    if total:
        out.update((STAGE + name, busy_us * ns / total) for name, ns in sampled.items())
        marks = since(before, after, "sampled", "marks_ns")
        out["stages_sum"] = (total + marks) / max(since(before, after, "sampled", "busy_ns"), 1)
    return out
