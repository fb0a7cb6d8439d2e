"""Suites in the DPDK Test Suite's form: a class per suite, test_* methods as cases, steps and checks
in each docstring. Runs on one machine; see README.md for running the same suites on a rack."""
import time


class CaseFailed(Exception):
    pass


class CaseSkipped(Exception):
    pass


def tells_the_time(case):
    """Marks a case that real time decides: it bounds a time, a rate or a latency from above, or needs progress within some
    hundred milliseconds (a timeout of the product that is configured so short, for one). Its failure counts when the host
    took no processor away meanwhile (timed.py); nothing in it is any looser for that."""
    case.tells_the_time = True
    return case


class TestSuite:
    """Override what is needed. `self.build` is the build folder, `self.small` asks for smaller sizes
    (the sanitizer build)."""

    build = "build"
    small = False
    long = False

    def set_up_suite(self):
        pass

    def tear_down_suite(self):
        pass

    def set_up_test_case(self):
        pass

    def tear_down_test_case(self):
        pass

    def verify(self, condition, failure_description):
        if not condition:
            raise CaseFailed(failure_description)

    def verify_equal(self, got, want, what):
        if got != want:
            raise CaseFailed(f"{what}: got {got!r}, want {want!r}")

    def skip(self, why):
        raise CaseSkipped(why)

    def note(self, text):
        """A line for whoever reads the run's output (a figure, a version)."""
        print(f"        {text}", flush=True)

    def cases(self):
        """Names of the cases, in the order in which they stand in the file."""
        return [n for n in type(self).__dict__ if n.startswith("test_")]


class Deadline:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return max(0.0, self.end - time.monotonic())
