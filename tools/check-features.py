#!/usr/bin/python3
"""Every test that docs/features.md names is there: `TestSuite_x: case`, `room/x_test: case`, `path/to/cases.txt`."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAMED = re.compile(r"`([\w/.-]+?(?:_test|\.txt)|TestSuite_\w+)(?::\s*([\w, ]+))?`")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


def files():
    """All that tests may lie in, as paths from the root."""
    for top in ("lib", "dataplane", "ctrl", "tools", "perf", "dts-tests"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            yield from (os.path.relpath(os.path.join(folder, n), ROOT) for n in names)


ALL = sorted(files())


def source(name):
    """The file that a name in the table stands for: planes' names and upper folders may be left out."""
    ending = name if name.endswith(".txt") else name + (".py" if name.startswith("TestSuite_") else ".c")
    return next((f for f in ALL if f == ending or f.endswith("/" + ending)), None)


def wrong(name, cases):
    """What is not there."""
    file = source(name)
    if not file:
        return [f"{name}: no such file"]
    text = read(file)
    prefix = r"def test_" if file.endswith(".py") else r"\b"
    return [f"{name}: no case {case}" for case in re.findall(r"\w+", cases or "")
            if not re.search(prefix + case + r"\(", text)]


def main():
    text = read("docs", "features.md")
    rows = [r for r in text.splitlines() if r.startswith("| ") and not r.startswith("| feature")]
    named = [m.groups() for r in rows for m in NAMED.finditer(r)]
    bad = [w for name, cases in named for w in wrong(name, cases)]
    # A row that claims something says where it is shown, or that nothing shows it.
    bad += [f"nothing shows: {r[:60]}" for r in rows if not NAMED.search(r) and r.split("|")[-3].strip() != "–"]
    print("\n".join(bad) or f"{len(rows)} features, {len(named)} tests named, all there")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
