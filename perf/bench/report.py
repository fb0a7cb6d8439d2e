"""Writes a result: N.json, N.md, N/FIGURE.svg, and the page beside the results' folder."""
import json
import os
import re

from bench import markdown, page, svg
from bench.figures import KEY


def next_result(folder):
    """A path without its ending: the first number above all results there."""
    taken = [int(m[1]) for m in (re.fullmatch(r"(\d+)\.json", n) for n in os.listdir(folder)) if m]
    return os.path.join(folder, str(max(taken, default=0) + 1))


def read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def write_text(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def write(result, folder):
    """Returns the path of the JSON."""
    os.makedirs(folder, exist_ok=True)
    path = next_result(folder)
    write_text(path + ".json", json.dumps(result, indent=1) + "\n")
    draw(result, path)
    return path + ".json"


def draw(result, path):
    """Everything that follows from the JSON; path has no ending."""
    write_text(path + ".md", markdown.page(result))
    drawings = svg.by_figure(result, KEY)
    if drawings:
        os.makedirs(path, exist_ok=True)
    for figure, text in drawings.items():
        write_text(os.path.join(path, figure + ".svg"), text)
    write_text(os.path.join(os.path.dirname(os.path.dirname(path)), "report.html"), page.page(result))
