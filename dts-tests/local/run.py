#!/usr/bin/python3
"""Runs suites on this machine.  usage: run.py [--build DIR] [--small] [--long] [--stop] [--unsteady N] [--list] [NAME ...]

NAME is a suite ("packets") or a case ("packets.ping"). Ends with "N passed, N failed, N skipped".
"""
import argparse
import importlib.util
import inspect
import os
import re
import signal
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
DTS = os.path.dirname(HERE)
sys.path.insert(0, DTS)
sys.path.insert(0, HERE)

from local import timed  # noqa: E402
from local.doubts import Doubts  # noqa: E402
from local.suite import CaseFailed, CaseSkipped, TestSuite  # noqa: E402

CASE_SECONDS = 180


class CaseTimeout(Exception):
    pass


def on_alarm(_number, _frame):
    raise CaseTimeout(f"case took longer than its limit")


def on_term(_number, _frame):
    raise KeyboardInterrupt


def find_suites():
    suites = []
    for name in sorted(os.listdir(DTS)):
        m = re.fullmatch(r"TestSuite_(\w+)\.py", name)
        if not m:
            continue
        spec = importlib.util.spec_from_file_location(f"TestSuite_{m[1]}", os.path.join(DTS, name))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, TestSuite) and cls is not TestSuite and cls.__module__ == module.__name__:
                suites.append((m[1], cls))
    order = {n: i for i, n in enumerate(("packets", "http", "tls", "decisions", "control", "hop"))}
    suites.sort(key=lambda s: order.get(s[0], 99))
    return suites


def guarded(step, seconds):
    """Runs one step under an alarm; returns (outcome, text)."""
    signal.alarm(seconds)
    try:
        step()
        return "ok", ""
    except CaseSkipped as e:
        return "skip", str(e)
    except CaseFailed as e:
        return "FAIL", str(e)
    except Exception as e:  # a broken case is a failed case
        return "FAIL", f"{type(e).__name__}: {e}\n{traceback.format_exc(limit=-4)}"
    finally:
        signal.alarm(0)


class Stage:
    """A suite that stands, and the cases that run on it."""

    def __init__(self, cls, args, doubts):
        self.cls, self.args, self.doubts, self.suite = cls, args, doubts, None
        self.whole = True  # what the last case stood on ended as it should

    def set_up(self):
        self.suite = suite = self.cls()
        suite.build, suite.small, suite.long = os.path.abspath(self.args.build), self.args.small, self.args.long
        outcome, text = guarded(suite.set_up_suite, CASE_SECONDS)
        return outcome, text if outcome == "ok" else "suite set-up: " + text

    def tear_down(self):
        return guarded(self.suite.tear_down_suite, 60)

    def anew(self):
        """Everything again, as before the first case: what a failed one left behind must not fail the next try."""
        outcome, text = self.tear_down()
        self.whole = outcome == "ok"
        return self.set_up() if self.whole else (outcome, "suite tear-down: " + text)

    def once(self, case):
        step = getattr(self.suite, case)
        outcome, text = guarded(self.suite.set_up_test_case, CASE_SECONDS)
        if outcome == "ok":
            outcome, text = guarded(step, getattr(step, "seconds", CASE_SECONDS))
        after, after_text = guarded(self.suite.tear_down_test_case, 60)
        self.whole = after != "FAIL"
        if not self.whole:
            outcome, text = "FAIL", (text + "\nafter the case: " + after_text).strip()
        return outcome, text

    def run(self, case):
        if getattr(getattr(self.suite, case), "tells_the_time", False):
            outcome, text = timed.judge(lambda: self.once(case), self.anew, say)
        else:
            outcome, text = timed.explain(lambda: self.once(case))
        if outcome == "FAIL" and self.whole:
            return self.doubts.settle(lambda: self.once(case), self.anew, text)
        return outcome, text


def say(text):
    print("        " + text.strip().replace("\n", "\n        "), flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--build", default=os.path.join(os.path.dirname(DTS), "build"))
    ap.add_argument("--small", action="store_true", help="smaller sizes, for slow builds")
    ap.add_argument("--long", action="store_true", help="soaks too")
    ap.add_argument("--stop", action="store_true", help="stop at the first failure")
    ap.add_argument("--unsteady", type=int, default=0, metavar="N",
                    help="so many failed cases may be tried again, and count as passed after three passes in a row")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGHUP, on_term)

    doubts = Doubts(args.unsteady, say)
    count = {"ok": 0, "FAIL": 0, "skip": 0}
    failed = []
    unknown = set(args.names)

    def report(name, outcome, text, seconds):
        count[outcome] += 1
        print(f"{outcome:4} {name} ({seconds:.1f} s)", flush=True)
        if text:
            say(text)
        if outcome == "FAIL":
            failed.append(name)

    try:
        for name, cls in find_suites():
            known = cls().cases()
            cases = [c for c in known if not args.names or name in args.names or f"{name}.{c[5:]}" in args.names]
            unknown -= {name} | {f"{name}.{c[5:]}" for c in known}
            if args.list:
                for c in cases:
                    print(f"{name}.{c[5:]}: {(inspect.getdoc(getattr(cls, c)) or '').splitlines()[0]}")
                continue
            if not cases:
                continue
            begun = time.monotonic()
            stage = Stage(cls, args, doubts)
            outcome, text = stage.set_up()
            if outcome != "ok":
                for c in cases:
                    report(f"{name}.{c[5:]}", outcome, text, time.monotonic() - begun)
                stage.tear_down()
                continue
            for c in cases:
                begun = time.monotonic()
                doubts.of = f"{name}.{c[5:]}"
                outcome, text = stage.run(c)
                report(f"{name}.{c[5:]}", outcome, text, time.monotonic() - begun)
                if outcome == "FAIL" and args.stop:
                    raise KeyboardInterrupt
            outcome, text = stage.tear_down()
            if outcome == "FAIL":
                report(f"{name}.tear_down", outcome, text, 0)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
    if unknown:
        print(f"no such suite or case: {', '.join(sorted(unknown))}")
        sys.exit(2)
    if args.list:
        return
    for name in failed:
        print(f"failed: {name}")
    for name in doubts.unsteady:
        print(f"unsteady: {name}")
    print(f"{count['ok']} passed, {count['FAIL']} failed, {count['skip']} skipped")
    sys.exit(1 if count["FAIL"] else 0)


if __name__ == "__main__":
    main()
