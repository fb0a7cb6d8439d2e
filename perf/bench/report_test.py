import json
import os
import tempfile
import unittest
import xml.dom.minidom
from html.parser import HTMLParser

from bench import compare, report
from bench.page import verdict
from bench.stats import summary

HEADER = {"machine": {"cpu": "a <cpu>", "cores": 2, "memory_mb": 1, "kernel": "6", "tsc_mhz": 2600.0,
                      "hypervisor": True, "cpuidle": "none"},
          "versions": {"sidestep": "1", "commit": "x"}, "rounds": 5, "seconds": 1.0}


def result(**figures):
    """One cell with sidestep and a peer; each figure's five values for sidestep; the peer's lead is fixed."""
    rows = {k.replace("stage_", "stage."): summary(v) for k, v in figures.items()}
    peer = {"busy_us": summary([9, 9.1, 9.2]), "ahead.busy_us": summary([0.5, 0.51, 0.52])}
    return {"shape": 1, "header": HEADER, "titles": {"hop": "One <hop>"},
            "workloads": {"hop": {"sidestep": rows, "haproxy": peer}}, "errors": []}


OLD = result(busy_us=[4.0, 4.1, 4.2], throughput_rps=[100, 101, 102], stage_tcp=[0.5, 0.51, 0.52],
             stage_route=[0.1, 0.1, 0.1], user_us=[1, 2, 3])
NEW = result(busy_us=[24.0, 24.1, 24.2], throughput_rps=[100, 101, 102], stage_tcp=[0.5, 0.51, 0.52],
             stage_route=[20.1, 20.2, 20.3], user_us=[1, 2, 3])


class Tags(HTMLParser):
    """Counts what is open, and collects what would be fetched from elsewhere."""
    VOID = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.links = [], []

    def handle_starttag(self, tag, attrs):
        self.links += [v for k, v in attrs if k in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


class CompareTest(unittest.TestCase):
    def test_names_the_figure_and_the_stage_that_changed_and_no_other(self):
        text = compare.compare(OLD, NEW)
        self.assertIn("stage route", text)
        self.assertIn("worse   hop                sidestep       busy_us", text)
        self.assertNotIn("stage tcp", text)
        self.assertNotIn("throughput_rps", text)
        self.assertIn("2 differences", text)

    def test_says_better_by_the_figures_direction(self):
        more = result(throughput_rps=[200, 201, 202])
        self.assertIn("better  hop", compare.compare(OLD, more))

    def test_a_result_agrees_with_itself(self):
        self.assertIn("0 differences", compare.compare(OLD, OLD))


class WriteTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.results = os.path.join(self.folder.name, "results")
        self.addCleanup(self.folder.cleanup)

    def read(self, *path):
        with open(os.path.join(self.folder.name, *path), encoding="utf-8") as f:
            return f.read()

    def test_numbers_go_up_and_gaps_stay(self):
        first = report.write(OLD, self.results)
        os.rename(first, first.replace("1.json", "7.json"))
        self.assertTrue(report.write(OLD, self.results).endswith("/8.json"))

    def test_shape(self):
        got = report.read(report.write(OLD, self.results))
        self.assertEqual(got["shape"], 1)
        for key in ("machine", "versions", "rounds", "seconds"):
            self.assertIn(key, got["header"])
        for subjects in got["workloads"].values():
            for rows in subjects.values():
                for row in rows.values():
                    self.assertEqual(set(row), {"median", "min", "max", "n"})
        self.assertEqual(json.loads(json.dumps(got)), got)

    def test_markdown_marks_noise_only_where_it_is(self):
        report.write(OLD, self.results)
        lines = self.read("results", "1.md").splitlines()
        self.assertEqual([line.split()[1] for line in lines if "] noisy" in line], ["user_us"])

    def test_a_drawing_for_each_figure_is_well_formed(self):
        report.write(OLD, self.results)
        for figure in ("busy_us", "throughput_rps"):
            xml.dom.minidom.parseString(self.read("results", "1", figure + ".svg"))

    def test_page_is_whole_names_where_a_peer_is_ahead_and_fetches_nothing(self):
        report.write(OLD, self.results)
        text = self.read("report.html")
        tags = Tags()
        tags.feed(text)
        self.assertEqual((tags.open, tags.links), ([], []))
        self.assertIn("haproxy is better by 1.96×", text)
        self.assertIn("stage route", text.lower())
        self.assertNotIn("One <hop>", text)

    def test_verdicts(self):
        def of(*values):
            return verdict(summary(values))[0]
        self.assertEqual([of(1.1, 1.12, 1.13), of(0.8, 0.81, 0.82), of(0.98, 1.0, 1.02), of(1.1, 2, 3)],
                         ["ahead", "behind", "even", "noisy"])


if __name__ == "__main__":
    unittest.main()
