import unittest

from bench.derive import derive

PAIRS = (("tls", "plain"),)


def hop(rps, busy):
    return {"throughput_rps": rps, "busy_us": busy}


class DeriveTest(unittest.TestCase):
    def test_leads_are_above_one_where_sidestep_is_better(self):
        runs = {"c": {"sidestep": [hop(200, 2)], "peer": [hop(100, 6)]}}
        derive(runs, ())
        self.assertEqual(runs["c"]["peer"][0]["ahead.throughput_rps"], 2)
        self.assertEqual(runs["c"]["peer"][0]["ahead.busy_us"], 3)
        self.assertNotIn("ahead.busy_us", runs["c"]["sidestep"][0])

    def test_leads_are_those_of_the_first_sidestep_in_the_cell(self):
        runs = {"c": {"two-sidestep": [hop(200, 2)], "sidestep-many": [hop(1, 1)], "two-peer": [hop(100, 6)]}}
        derive(runs, ())
        self.assertEqual(runs["c"]["two-peer"][0]["ahead.throughput_rps"], 2)
        self.assertNotIn("ahead.throughput_rps", runs["c"]["sidestep-many"][0])

    def test_ratios_pair_the_runs_of_a_round(self):
        runs = {"c": {"sidestep": [hop(100, 1), None, hop(300, 1)], "peer": [hop(100, 1), hop(1, 1), hop(100, 1)]}}
        derive(runs, ())
        self.assertEqual([r.get("ahead.throughput_rps") for r in runs["c"]["peer"]], [1, None, 3])

    def test_added_latency_is_through_minus_direct(self):
        runs = {"c": {"direct": [{"p50_us": 40, "p99_us": 90}], "sidestep": [{"p50_us": 50, "p99_us": 120}],
                      "peer": [{"p50_us": 80, "p99_us": 90}]}}
        derive(runs, ())
        ours, theirs = runs["c"]["sidestep"][0], runs["c"]["peer"][0]
        self.assertEqual((ours["added_p50_us"], ours["added_p99_us"], ours["sidecar_latency_ms"]), (10, 30, 0.01))
        self.assertEqual(theirs["ahead.added_p50_us"], 4)
        self.assertNotIn("ahead.added_p99_us", theirs)  # nothing added: no ratio

    def test_mtls_is_set_against_plaintext_of_the_same_round(self):
        runs = {"tls": {"sidestep": [hop(1, 6), None]}, "plain": {"sidestep": [hop(1, 4), hop(1, 1)]}}
        derive(runs, PAIRS)
        self.assertEqual(runs["tls"]["sidestep"][0]["mtls_over_plaintext"], 1.5)

    def test_mtls_overhead_is_a_difference_of_added_latencies(self):
        def at(p50):
            return [{"p50_us": p50, "p99_us": p50}]
        runs = {"tls": {"direct": at(100), "sidestep": at(130)}, "plain": {"direct": at(50), "sidestep": at(70)}}
        derive(runs, PAIRS)
        self.assertAlmostEqual(runs["tls"]["sidestep"][0]["mtls_overhead_ms"], 0.01)


if __name__ == "__main__":
    unittest.main()
