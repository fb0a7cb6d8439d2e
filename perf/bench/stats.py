"""Medians with their spread: what a row may claim."""
import statistics

NOISY = 0.15    # (max - min) / median beyond which a row claims nothing
FEW = 3         # rounds below which a comparison claims nothing
# A result has near a thousand rows. Of a thousand pairs of rows, each five draws from one normal distribution, two
# stand apart by more than their width; of thirty thousand, one by more than twice that.
APART = 2


def digits(v):
    """Five significant digits: more would be noise, and files stay readable."""
    return float(f"{v:.5g}")


def summary(values):
    """The figure's row: {median, min, max, n}."""
    return {"median": digits(statistics.median(values)), "min": digits(min(values)), "max": digits(max(values)),
            "n": len(values)}


def summaries(runs):
    """Runs of one subject (a figure -> value dict each) to figure -> row. A figure may be missing in some."""
    names = []
    for run in runs:
        names += [k for k in run if k not in names]
    return {k: summary([r[k] for r in runs if k in r]) for k in names}


def spread(row):
    return row["max"] - row["min"]


def noisy(row):
    """True when the row claims nothing: its rounds disagree by more than 15 % of their median."""
    return spread(row) > NOISY * abs(row["median"])


def differ(old, new):
    """True when two rows differ by more than their noise: no common value, and medians further apart than
    APART times the wider row."""
    if min(old["n"], new["n"]) < FEW:
        return False
    apart = old["max"] < new["min"] or new["max"] < old["min"]
    return apart and abs(new["median"] - old["median"]) > APART * max(spread(old), spread(new))
