"""A result as Markdown tables."""
from bench.figures import AHEAD, CONDITIONS, FIGURES, describe, shown
from bench.stats import noisy


def machine_lines(header):
    m, v = header["machine"], header["versions"]
    return [f"{m['cpu']}, {m['cores']} cores, TSC {m['tsc_mhz']:.0f} MHz, {m['memory_mb']} MiB, Linux {m['kernel']}"
            f"{', a virtual machine' if m['hypervisor'] else ''}.",
            "; ".join(f"{name} {text}" for name, text in v.items()) + ".",
            f"{header['rounds']} interleaved rounds, {header['seconds']:g} s each run."]


def figures_of(subjects):
    """Names of a cell's figures in the order of the catalogue; conditions only where they were bad."""
    names = {n: row for rows in subjects.values() for n, row in rows.items()
             if n not in CONDITIONS or row["max"] > 0.05}
    order = {n: i for i, n in enumerate(FIGURES)}
    return sorted(names, key=lambda n: (order.get(n, len(order)), n.startswith(AHEAD)))


def cell_text(figure, row):
    if row is None:
        return ""
    if row["n"] == 1:
        return shown(row["median"])
    mark = " noisy" if noisy(row) and figure not in CONDITIONS else ""
    return f"{shown(row['median'])} [{shown(row['min'])}, {shown(row['max'])}]{mark}"


def cell_table(subjects):
    out = ["| figure | " + " | ".join(subjects) + " |", "|---|" + "---:|" * len(subjects)]
    for figure in figures_of(subjects):
        values = " | ".join(cell_text(figure, rows.get(figure)) for rows in subjects.values())
        out.append(f"| {figure.replace(AHEAD, 'sidestep ahead: ')} ({describe(figure).unit}) | {values} |")
    return out


def page(result):
    out = ["# What a hop costs", "", *machine_lines(result["header"]), "",
           "Median [min, max] of the rounds. A figure whose (max - min) / median exceeds 15 % is marked noisy and",
           "claims nothing. What each figure means: docs/measuring.md.", ""]
    for cell, subjects in result["workloads"].items():
        out += [f"## {cell}: {result['titles'].get(cell, '')}", "", *cell_table(subjects), ""]
    for error in result.get("errors", []):
        out.append(f"- failed: {error}")
    return "\n".join(out).rstrip() + "\n"
