"""What the watchers see of a processor that is taken away, and what becomes of a case that failed meanwhile."""
import os
import signal
import time
import unittest

from local import stolen, timed
from local.stolen import BEAT, LATE, Record, Taken, Watch


class Records(unittest.TestCase):
    def test_pieces(self):
        """A ring that has turned keeps the newest; what is still going on is one more."""
        r = Record()
        self.assertEqual(r.pieces(10**12), [])
        for i in range(stolen.ROOM + 2):
            r.put(i, i, i)
        now = 10**12
        r.beat(now, stolen.ROOM + 2)
        kept = r.pieces(now)
        self.assertEqual((len(kept), kept[0], kept[-1]), (stolen.ROOM, (2, 2), (stolen.ROOM + 1,) * 2))
        self.assertEqual(r.pieces(now + BEAT + LATE), kept)
        self.assertEqual(r.pieces(now + BEAT + LATE + 1)[-1], (now, LATE + 1))

    def test_since(self):
        """A piece that began before the span counts with the part that lies in it."""
        w = Watch()
        w.records = [Record(), Record()]
        now = time.monotonic_ns()
        for r in w.records:
            r.beat(now + 10**12, 1)  # no piece is going on
        w.records[0].put(0, now - 10**9, 5 * 10**8)
        w.records[1].put(0, now - 10**8, 3 * 10**8)
        taken = w.since((now, stolen.steal()))
        self.assertEqual((taken.count, taken.longest), (1, 0.2))
        self.assertTrue(taken.disturbs())


class Bounds(unittest.TestCase):
    def test_disturbs(self):
        """One long piece, a hundredth of the time in short ones, or the kernel's count of it; not less."""
        for span, pieces, steal, want in ((1, [], 0, False), (1, [0.020], 0, True), (1, [0.0199], 0, False),
                                          (1, [0.004] * 4, 0, False), (1, [0.004] * 6, 0, True), (10, [0.004] * 6, 0, False),
                                          (10, [0.004] * 26, 0, True), (10, [], 0.12, True), (10, [], 0.10, False),
                                          (0.1, [], 0.02, False), (0.1, [], 0.04, True)):
            self.assertEqual(Taken(span, pieces, steal).disturbs(), want, (span, pieces, steal))


class Watchers(unittest.TestCase):
    """They are stopped and go on: so does a core that a host takes away."""

    def setUp(self):
        self.watch = Watch().__enter__()
        self.addCleanup(self.watch.__exit__)
        if self.watch.blind:
            self.skipTest("no real-time priority is granted here")

    def stop(self, seconds):
        pid = self.watch.pids[0]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        return pid

    def test_a_stopped_one(self):
        begun = self.watch.now()
        pid = self.stop(0.1)
        self.assertGreater(self.watch.since(begun).longest, 0.09, "while it is going on")
        os.kill(pid, signal.SIGCONT)
        record = self.watch.records[0]
        while not any(n >= 9 * 10**7 for _, n in record.pieces(0)):
            time.sleep(0.001)
        self.assertTrue(self.watch.since(begun).disturbs())
        self.assertFalse(self.watch.wait_calm(60, 0.05), "calm for a minute, in less")

    def test_they_end(self):
        with Watch() as w:
            pids = list(w.pids)
        for pid in pids:
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)


class Script:
    """A watch whose tries were as they are told."""

    def __init__(self, *taken):
        self.taken, self.calms = list(taken), 0

    def __call__(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def now(self):
        return None

    def since(self, _begun):
        return Taken(1.0, self.taken.pop(0), 0)

    def wait_calm(self, _calm, _limit):
        self.calms += 1
        return True


class Judge(unittest.TestCase):
    def judge(self, outcomes, *taken, again="ok"):
        self.said, self.anew, self.watch = [], 0, Script(*taken)
        outcomes = iter(outcomes)

        def make_anew():
            self.anew += 1
            return again, "anew"
        outcome, text = timed.judge(lambda: (next(outcomes), "late"), make_anew, self.said.append, self.watch)
        self.text = text
        return outcome

    def test_passes_and_skips_are_what_they_are(self):
        for outcome in ("ok", "skip"):
            self.assertEqual(self.judge([outcome], [1.0]), outcome)
            self.assertEqual((self.said, self.anew), ([], 0))

    def test_an_undisturbed_failure_counts_at_once(self):
        self.assertEqual(self.judge(["FAIL"], [0.003]), "FAIL")
        self.assertIn("late\nnot disturbed", self.text)
        self.assertEqual(self.anew, 0)

    def test_a_disturbed_one_is_tried_again(self):
        self.assertEqual(self.judge(["FAIL", "FAIL", "ok"], [0.4], [0.3, 0.1], []), "ok")
        self.assertEqual((self.anew, self.watch.calms, len(self.said)), (2, 2, 2))
        self.assertIn("400 ms in 2 pieces, the longest 300 ms", self.said[1])

    def test_a_later_failure_without_a_disturbance_counts(self):
        self.assertEqual(self.judge(["FAIL", "FAIL"], [0.4], []), "FAIL")

    def test_disturbed_to_the_end_is_not_known(self):
        self.assertEqual(self.judge(["FAIL"] * 4, *[[0.4]] * 4), "skip")
        self.assertIn("the processor was taken away for 400 ms in 1 pieces", self.text)
        self.assertEqual((self.anew, len(self.said)), (3, 4))

    def test_what_it_stands_on_must_stand(self):
        self.assertEqual(self.judge(["FAIL"], [0.4], again="FAIL"), "FAIL")
        self.assertEqual(self.text, "anew")

    def test_another_case_fails_at_once(self):
        outcome, text = timed.explain(lambda: ("FAIL", "wrong"), Script([0.4]))
        self.assertEqual((outcome, text.split(" for ")[0]), ("FAIL", "wrong\nthe processor was taken away"))
        self.assertEqual(timed.explain(lambda: ("ok", ""), Script([0.4])), ("ok", ""))

    def test_patience_ends(self):
        self.addCleanup(setattr, timed, "patience", timed.patience)
        limits = []
        script = Script()
        script.wait_calm = lambda _calm, limit: limits.append(limit)
        timed.patience = 5.0
        timed.wait_calm(script, limits.append)
        self.assertEqual(limits, [5.0, "no calm second came"])


if __name__ == "__main__":
    unittest.main()
