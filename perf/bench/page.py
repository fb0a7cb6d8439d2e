"""perf/report.html: one result for a reader who knows neither the code nor the harness. No outside links."""
from html import escape

from bench import svg
from bench.figures import AHEAD, KEY, STAGE, describe
from bench.markdown import cell_text, figures_of, machine_lines
from bench.stats import noisy

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2126; background: #fff; max-width: 980px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.8em; margin-bottom: .2em; } h2 { margin-top: 2.2em; border-bottom: 1px solid #ccd; }
h3 { margin-top: 1.8em; }
table { border-collapse: collapse; margin: .8em 0; font-size: .93em; } td, th { padding: .25em .7em; text-align: left;
       border-bottom: 1px solid #e3e5ea; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.ahead { background: #dff3e1; } .behind { background: #fbdcd6; font-weight: bold; } .even, .noisy { color: #6a7079; }
td.ours { background: #eef4fc; } svg { max-width: 100%; height: auto; } .small { color: #555c66; font-size: .9em; }
"""


def verdict(row):
    """(class, words) for a row of paired ratios: a claim only where every round agrees and the row is not noisy."""
    text = f"{row['median']:.2f}×"
    if noisy(row):
        return "noisy", f"{text} (noisy: {row['min']:.2f} to {row['max']:.2f}, claims nothing)"
    if row["min"] > 1:
        return "ahead", f"{text} ahead"
    if row["max"] < 1:
        return "behind", f"{text} behind"
    return "even", f"{text}, no difference beyond the noise"


def leads(result):
    """(cell, peer, figure, row) of every paired ratio."""
    for cell, subjects in result["workloads"].items():
        for subject, rows in subjects.items():
            for figure, row in rows.items():
                if figure.startswith(AHEAD):
                    yield cell, subject, figure[len(AHEAD):], row


def verdict_table(result):
    out = ["<table><tr><th>workload</th><th>against</th><th>by</th><th>sidestep is</th></tr>"]
    for cell, peer, figure, row in leads(result):
        cls, words = verdict(row)
        out.append(f"<tr><td>{escape(cell)}</td><td>{escape(peer)}</td><td>{escape(describe(figure).label)}</td>"
                   f"<td class='{cls}'>{words}</td></tr>")
    return "".join(out) + "</table>"


def behind_list(result):
    found = [f"<li>{escape(result['titles'].get(cell, cell))}: {escape(peer)} is better by "
             f"{1 / row['median']:.2f}× in {escape(describe(figure).label.lower())}</li>"
             for cell, peer, figure, row in leads(result) if verdict(row)[0] == "behind"]
    return f"<ul>{''.join(found)}</ul>" if found else "<p>None in this result.</p>"


def figure_table(subjects, wanted):
    """One row for each figure, one column for each subject."""
    names = [n for n in figures_of(subjects) if wanted(n)]
    if not names:
        return ""
    out = ["<table><tr><th></th>" + "".join(f"<th class=n>{escape(s)}</th>" for s in subjects) + "</tr>"]
    for figure in names:
        f = describe(figure)
        values = "".join(f"<td class='n{' noisy' if figure in rows and noisy(rows[figure]) else ''}"
                         f"{' ours' if 'sidestep' in s else ''}'>{cell_html(figure, rows.get(figure))}</td>"
                         for s, rows in subjects.items())
        out.append(f"<tr><td title='{escape(f.meaning, quote=True)}'>{escape(f.label)}"
                   f" <span class=small>{escape(f.unit)}</span></td>{values}</tr>")
    return "".join(out) + "</table>"


def cell_html(figure, row):
    value, bracket, rest = cell_text(figure, row).partition(" [")
    return value + (f"<br><span class=small>{bracket.strip()}{rest}</span>" if bracket else "")


def meanings(result):
    names = []
    for subjects in result["workloads"].values():
        for rows in subjects.values():
            names += [n for n in rows if n not in names and not n.startswith((AHEAD, STAGE))]
    return "".join(f"<tr><td>{escape(describe(n).label)}</td><td><code>{escape(n)}</code></td>"
                   f"<td>{escape(describe(n).meaning)}</td></tr>" for n in names)


def page(result):
    cells = []
    for cell, subjects in result["workloads"].items():
        stages = figure_table({s: r for s, r in subjects.items() if "sidestep" in s},
                              lambda n: n.startswith(STAGE))
        cells.append(f"<h3>{escape(result['titles'].get(cell, cell))}</h3>"
                     f"<p class=small><code>{escape(cell)}</code></p>"
                     + figure_table(subjects, lambda n: not n.startswith((AHEAD, STAGE)))
                     + (f"<h4>Where sidestep's time goes</h4>{stages}" if stages else ""))
    errors = "".join(f"<li>{escape(e)}</li>" for e in result.get("errors", []))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>What a hop costs</title><style>{STYLE}</style></head><body>
<h1>What a hop costs</h1>
<p>A proxy stands between a client and an origin. Each subject took the same place in turn, with one worker on one
core; client and origin shared the other core. Every figure is the median of rounds in which the subjects followed one
another, with the least and the largest round beside it. A row whose rounds differ by more than 15 % of the median is
marked noisy and claims nothing.</p>
<p class=small>{"<br>".join(escape(x) for x in machine_lines(result["header"]))}</p>
<h2>sidestep against each peer</h2>
<p>Ratios are taken within a round. Above 1 sidestep is better: more requests, less time, less memory.</p>
{verdict_table(result)}
<h2>Where a peer is ahead</h2>
{behind_list(result)}
{f"<h2>What failed</h2><ul>{errors}</ul>" if errors else ""}
<h2>Drawn</h2>
<p class=small>Whiskers reach from the least to the largest round; a pale bar is noisy.</p>
{"".join(svg.by_figure(result, KEY).values())}
<h2>Every figure</h2>
{"".join(cells)}
<h2>What the figures mean</h2>
<table>{meanings(result)}</table>
<p>How it was measured and what misleads: docs/measuring.md. Run it yourself: <code>sudo tools/bench</code>.</p>
</body></html>
"""
