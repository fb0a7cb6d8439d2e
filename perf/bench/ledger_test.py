import unittest

from bench.ledger import figures


def answer(busy, requests, packets, tcp, http):
    return {"busy_ns": busy, "requests": requests, "packets_received": packets, "packets_sent": packets,
            "sampled": {"busy_ns": busy // 10, "marks_ns": busy // 100},
            "stages": [{"stage": "tcp_in", "sampled_ns": tcp, "all_ns": tcp * 10},
                       {"stage": "http_in", "sampled_ns": http, "all_ns": http * 10}]}


class LedgerTest(unittest.TestCase):
    def test_stages_share_the_busy_time_of_the_window(self):
        got = figures(answer(5000, 10, 7, 100, 100), answer(105000, 60, 57, 4100, 6100))
        self.assertEqual(got["busy_us"], 2)
        self.assertEqual(got["packets"], 2)
        self.assertAlmostEqual(got["stage.tcp_in"], 0.8)
        self.assertAlmostEqual(got["stage.http_in"], 1.2)
        self.assertAlmostEqual(got["stages_sum"], 1.1)  # 10,000 ns and 1,000 of marks, of 10,000

    def test_nothing_sampled_gives_no_stages(self):
        same = answer(0, 0, 0, 5, 5)
        self.assertEqual([k for k in figures(same, same) if k.startswith("stage")], [])


if __name__ == "__main__":
    unittest.main()
