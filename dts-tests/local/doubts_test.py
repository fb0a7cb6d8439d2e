"""What becomes of a case that failed once."""
import unittest

from local.doubts import PASSES, Doubts


class Settle(unittest.TestCase):
    def setUp(self):
        self.said = []

    def doubts(self, limit):
        d = Doubts(limit, self.said.append)
        d.of = "suite.case"
        return d

    @staticmethod
    def giving(*outcomes):
        left = list(outcomes)
        return lambda: (left.pop(0), "why")

    @staticmethod
    def anew():
        return "ok", ""

    def test_none_unless_asked(self):
        d = self.doubts(0)
        self.assertEqual(d.settle(self.giving(), self.anew, "broken"), ("FAIL", "broken"))
        self.assertEqual((d.unsteady, self.said), ([], []))

    def test_passes_in_a_row(self):
        d = self.doubts(1)
        outcome, text = d.settle(self.giving(*["ok"] * PASSES), self.anew, "broken")
        self.assertEqual(outcome, "ok")
        self.assertIn("unsteady", text)
        self.assertEqual(d.unsteady, ["suite.case"])
        self.assertIn("broken", self.said[0])

    def test_one_more_failure_is_final(self):
        for n in range(PASSES):
            d = self.doubts(1)
            outcome, text = d.settle(self.giving(*["ok"] * n, "FAIL"), self.anew, "broken")
            self.assertEqual((outcome, d.unsteady), ("FAIL", []))
            self.assertIn("broken", text)

    def test_a_skip_is_no_pass(self):
        self.assertEqual(self.doubts(1).settle(self.giving("skip"), self.anew, "broken")[0], "FAIL")

    def test_a_suite_that_does_not_end_well_is_final(self):
        d = self.doubts(1)
        outcome, text = d.settle(self.giving(*["ok"] * PASSES), lambda: ("FAIL", "ended with status 99"), "broken")
        self.assertEqual(outcome, "FAIL")
        self.assertIn("status 99", text)

    def test_the_limit_is_of_the_whole_run(self):
        d = self.doubts(1)
        d.settle(self.giving(*["ok"] * PASSES), self.anew, "broken")
        self.assertEqual(d.settle(self.giving(*["ok"] * PASSES), self.anew, "broken"), ("FAIL", "broken"))


if __name__ == "__main__":
    unittest.main()
