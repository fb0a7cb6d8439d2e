"""A result as Markdown tables."""
from bench.figures import AHEAD, CONDITIONS, describe, shown
from bench.stats import noisy


def machine_lines(header):
    m, v = header["machine"], header["versions"]
    return [f"{m['cpu']}, {m['cores']} cores, TSC {m['tsc_mhz']:.0f} MHz, {m['memory_mb']} MiB, Linux {m['kernel']}"
            f"{', a virtual machine' if m['hypervisor'] else ''}.",
            "; ".join(f"{name} {text}" for name, text in v.items()) + ".",
            f"{header['rounds']} interleaved rounds, {header['seconds']:g} s each run."]


def cell_table(rows_by_subject):
    out = ["| subject | figure | median | min | max | n | |", "|---|---|---:|---:|---:|---:|---|"]
    for subject, rows in rows_by_subject.items():
        for figure, row in rows.items():
            if figure in CONDITIONS and row["max"] <= 0.05:
                continue
            unit = describe(figure).unit
            mark = "noisy" if noisy(row) and figure not in CONDITIONS else ""
            out.append(f"| {subject} | {figure.replace(AHEAD, 'sidestep ahead, ')} ({unit}) | {shown(row['median'])} | "
                       f"{shown(row['min'])} | {shown(row['max'])} | {row['n']} | {mark} |")
    return out


def page(result):
    out = ["# What a hop costs", "", *machine_lines(result["header"]), "",
           "Median, min and max of the rounds. A row whose (max - min) / median exceeds 15 % is marked noisy and claims",
           "nothing. What each figure means: docs/measuring.md.", ""]
    for cell, subjects in result["workloads"].items():
        out += [f"## {cell}: {result['titles'].get(cell, '')}", "", *cell_table(subjects), ""]
    for error in result.get("errors", []):
        out.append(f"- failed: {error}")
    return "\n".join(out).rstrip() + "\n"
