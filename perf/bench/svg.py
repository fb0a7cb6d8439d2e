"""Bars with whiskers, from the least to the largest round; one drawing for each figure."""
from html import escape

from bench.figures import KEY, STAGE, describe, shown
from bench.stats import noisy

WIDTH, LEFT, RIGHT, BAR, GAP = 860, 130, 150, 18, 6
OURS, DIRECT, PEER = "#1667c7", "#8a8f98", "#c98a2b"


def color(subject):
    return OURS if "sidestep" in subject else DIRECT if subject == "direct" else PEER


def nice_top(value):
    """A round number at or above value."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1 ** (len(f"{1 / value:.0f}"))
    return next(scale * k for k in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 20) if scale * k >= value)


def bar(y, subject, row, top):
    """One subject's bar: as long as the median, its whisker from min to max, its value beside it."""
    def x(v):
        return LEFT + max(0.0, v) / top * (WIDTH - LEFT - RIGHT)
    faint = ' fill-opacity="0.45"' if noisy(row) else ""
    middle = y + BAR / 2
    text = f"{shown(row['median'])}{' (noisy)' if noisy(row) else ''}"
    return [f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(subject)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{x(row["median"]) - LEFT:.1f}" height="{BAR}" '
            f'fill="{color(subject)}"{faint}/>',
            f'<path d="M{x(row["min"]):.1f} {middle}H{x(row["max"]):.1f}M{x(row["min"]):.1f} {middle - 4}v8'
            f'M{x(row["max"]):.1f} {middle - 4}v8" stroke="#222" fill="none"/>',
            f'<text x="{x(max(row["max"], row["median"])) + 8:.1f}" y="{middle + 4}">{text}</text>']


def chart(title, groups):
    """groups: [(heading, {name: row})]. Each group has its own scale: cells differ by orders of magnitude."""
    parts, y = [], 46
    for heading, rows in groups:
        parts.append(f'<text x="8" y="{y + 4}" font-weight="bold">{escape(heading)}</text>')
        y += 14
        top = nice_top(max(r["max"] for r in rows.values()))
        for name, row in rows.items():
            parts += bar(y, name, row, top)
            y += BAR + GAP
        y += 18
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
            'font-family="sans-serif" font-size="13" fill="#222" role="img">'
            f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>'
            f'<text x="8" y="20" font-size="16" font-weight="bold">{escape(title)}</text>'
            + "".join(parts) + "</svg>\n")


def of_figure(result, figure):
    """Every cell's subjects, where they have that figure."""
    for cell, subjects in result["workloads"].items():
        rows = {s: r[figure] for s, r in subjects.items() if figure in r}
        if rows:
            yield result["titles"].get(cell, cell), rows


def of_stages(result):
    """Every cell's stages of sidestep."""
    for cell, subjects in result["workloads"].items():
        for subject, rows in subjects.items():
            stages = {n[len(STAGE):]: r for n, r in rows.items() if n.startswith(STAGE)}
            if stages:
                yield f"{result['titles'].get(cell, cell)}: {subject}", stages


def drawings(result):
    """Name of a figure, or "stages", to its drawing, of all that occur."""
    out = {}
    for figure in KEY:
        f, groups = describe(figure), list(of_figure(result, figure))
        if groups:
            out[figure] = chart(f"{f.label} ({f.unit}, {f.better} is better)", groups)
    groups = list(of_stages(result))
    if groups:
        out["stages"] = chart("Where sidestep's time goes (µs/request, exclusive)", groups)
    return out
