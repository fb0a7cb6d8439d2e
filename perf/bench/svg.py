"""Bars with whiskers, from the least to the largest round; one drawing for each figure."""
from html import escape

from bench.figures import describe, shown
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


def chart(figure, groups):
    """groups: [(heading, {subject: row})]. Each group has its own scale: cells differ by orders of magnitude."""
    f = describe(figure)
    parts, y = [], 46
    for heading, rows in groups:
        parts.append(f'<text x="8" y="{y + 4}" font-weight="bold">{escape(heading)}</text>')
        y += 14
        top = nice_top(max(r["max"] for r in rows.values()))
        for subject, row in rows.items():
            parts += bar(y, subject, row, top)
            y += BAR + GAP
        y += 18
    better = f", {f.better} is better" if f.better else ""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
            'font-family="sans-serif" font-size="13" fill="#222" role="img">'
            f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>'
            f'<text x="8" y="20" font-size="16" font-weight="bold">{escape(f.label)} ({escape(f.unit)}{better})</text>'
            + "".join(parts) + "</svg>\n")


def by_figure(result, figures):
    """figure -> drawing, of those that occur."""
    out = {}
    for figure in figures:
        groups = []
        for cell, subjects in result["workloads"].items():
            rows = {s: r[figure] for s, r in subjects.items() if figure in r}
            if rows:
                groups.append((result["titles"].get(cell, cell), rows))
        if groups:
            out[figure] = chart(figure, groups)
    return out
