#!/usr/bin/python3
"""Fails on an include that docs/layers.md does not allow, an include without a folder, another room's
_int.h, and a C file name that is used twice. The one argument is the repository's root."""
import os
import re
import sys

root = sys.argv[1] if len(sys.argv) > 1 else "."
allowed = {}
for line in open(os.path.join(root, "docs/layers.md"), encoding="utf-8"):
    m = re.match(r"\|\s*([a-z/]+)\s*\|([^|]*)\|", line)
    if m and m.group(1) != "room":
        allowed[m.group(1)] = [w.strip() for w in m.group(2).split(",") if w.strip()]

planes = ("lib", "dataplane", "ctrl")
rooms = {}
for plane in planes:
    for room in os.listdir(os.path.join(root, plane)):
        if os.path.isdir(os.path.join(root, plane, room)):
            rooms[room] = plane + "/" + room


def room_of(path):
    """The most specific row of the table that the file's folder falls under."""
    folder = os.path.dirname(path)
    while folder and folder not in allowed:
        folder = os.path.dirname(folder)
    return folder


def reach(room, seen=None):
    """What a room's tests may include: everything its allowed rooms may."""
    seen = seen if seen is not None else set()
    below = [r for r in allowed if r.startswith(room + "/")]  # "ctrl" stands for all its rooms
    for r in [room] + below + allowed.get(room, []):
        if r not in seen:
            seen.add(r)
            reach(r, seen)
    return seen


def ok(target, grants):
    return any(target == g or target.startswith(g + "/") for g in grants)


errors, names = [], {}
for plane in planes + ("tools", "perf"):
    for folder, _, files in os.walk(os.path.join(root, plane)):
        for name in sorted(files):
            if not name.endswith((".c", ".h")):
                continue
            path = os.path.relpath(os.path.join(folder, name), root)
            if name in names:
                errors.append(f"{path}: file name also used by {names[name]}")
            names[name] = path
            here = room_of(path)
            if not here:
                errors.append(f"{path}: its folder has no row in docs/layers.md")
                continue
            test = re.search(r"_(test|fuzz|bench|sim)\.[ch]$", name)
            grants = reach(here) if test else {here, *allowed[here]}
            for n, line in enumerate(open(os.path.join(root, path), encoding="utf-8"), 1):
                m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if not m:
                    continue
                inc = m.group(1)
                if "/" not in inc:
                    errors.append(f"{path}:{n}: include without its folder: {inc}")
                    continue
                target = rooms.get(inc.split("/")[0])
                if target is None:
                    target = os.path.dirname(inc)
                if not ok(target, grants):
                    errors.append(f"{path}:{n}: {here} may not include {inc}")
                elif inc.endswith("_int.h") and target != here:
                    errors.append(f"{path}:{n}: {inc} belongs to {target} alone")
for e in errors:
    print(e)
print(f"{len(names)} files, {len(errors)} violations")
sys.exit(1 if errors else 0)
