import random
import unittest

from bench.stats import differ, noisy, summaries, summary


def row(*values):
    return summary(values)


class StatsTest(unittest.TestCase):
    def test_summary_is_median_min_max_n(self):
        self.assertEqual(row(3, 1, 2, 10, 4), {"median": 3, "min": 1, "max": 10, "n": 5})

    def test_five_digits_are_kept(self):
        self.assertEqual(row(123456.789)["median"], 123460)
        self.assertEqual(row(0.000123456)["median"], 0.00012346)

    def test_summaries_bear_a_missing_figure(self):
        got = summaries([{"a": 1, "b": 5}, {"a": 3}])
        self.assertEqual((got["a"]["n"], got["b"]["n"]), (2, 1))

    def test_noise_begins_above_15_percent_of_the_median(self):
        self.assertFalse(noisy(row(100, 93, 108)))
        self.assertTrue(noisy(row(100, 92, 108)))
        self.assertTrue(noisy(row(-100, -92, -108)))

    def test_rows_differ_when_far_apart(self):
        self.assertTrue(differ(row(10, 11, 12), row(16, 17, 18)))
        self.assertTrue(differ(row(16, 17, 18), row(10, 11, 12)))
        self.assertFalse(differ(row(10, 11, 12), row(14, 15, 16)))

    def test_chance_alone_makes_no_difference(self):
        draw = random.Random(1)
        apart = sum(differ(*(row(*(draw.gauss(1000, 1) for _ in range(5))) for _ in range(2))) for _ in range(5000))
        self.assertLessEqual(apart, 2)

    def test_overlap_is_no_difference(self):
        self.assertFalse(differ(row(10, 11, 12), row(12, 13, 14)))

    def test_a_gap_within_a_spread_is_no_difference(self):
        self.assertFalse(differ(row(10, 19, 20), row(21, 22, 23)))

    def test_few_rounds_claim_nothing(self):
        self.assertFalse(differ(row(10, 10), row(20, 20, 20)))


if __name__ == "__main__":
    unittest.main()
