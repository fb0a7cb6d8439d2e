"""Which differences between two results exceed their noise, figure by figure and stage by stage."""
from bench.figures import AHEAD, CONDITIONS, LESS, MORE, STAGE, describe, shown
from bench.stats import APART, differ, noisy


def word(figure, old, new):
    better = describe(figure).better
    if better not in (LESS, MORE):
        return "changed"
    return "better" if (new > old) == (better == MORE) else "worse"


def differences(old, new):
    """(cell, subject, figure, old row, new row) of all that differ, in the order of the new result."""
    for cell, subjects in new["workloads"].items():
        for subject, rows in subjects.items():
            before = old["workloads"].get(cell, {}).get(subject, {})
            for figure, row in rows.items():
                if figure in before and figure not in CONDITIONS and not figure.startswith(AHEAD):
                    if differ(before[figure], row):
                        yield cell, subject, figure, before[figure], row


def only_in(one, other):
    return [f"{cell} {subject}" for cell, subjects in one["workloads"].items() for subject in subjects
            if subject not in other["workloads"].get(cell, {})]


def line(cell, subject, figure, before, after):
    kind = f"stage {figure[len(STAGE):]}" if figure.startswith(STAGE) else figure
    change = f"{(after['median'] / before['median'] - 1):+.1%}" if before["median"] else "from 0"
    marks = "".join(f", {which} row is noisy" for which, row in (("old", before), ("new", after)) if noisy(row))
    return (f"{word(figure, before['median'], after['median']):7} {cell:18} {subject:14} {kind:22} "
            f"{shown(before['median']):>10} [{shown(before['min'])}, {shown(before['max'])}] -> "
            f"{shown(after['median']):>10} [{shown(after['min'])}, {shown(after['max'])}]  {change}{marks}")


def compare(old, new):
    """The comparison as text."""
    out = []
    for what in ("machine", "versions"):
        before, after = old["header"][what], new["header"][what]
        for key in sorted(set(before) | set(after)):
            if before.get(key) != after.get(key) and key != "commit":
                out.append(f"differs in {what}: {key} {before.get(key)} -> {after.get(key)}")
    found = list(differences(old, new))
    out += [line(*d) for d in found]
    out += [f"only in the old result: {x}" for x in only_in(old, new)]
    out += [f"only in the new result: {x}" for x in only_in(new, old)]
    out.append(f"{len(found)} differences exceed the noise: no value in common, and medians further apart than "
               f"{APART} times the wider row")
    return "\n".join(out)
