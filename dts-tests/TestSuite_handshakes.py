"""Handshakes beside the workers: they run on their threads, in the worker where there are none, and are refused by
name when too many come; who is connected goes on meanwhile."""
import os

from local.bench_site import Site, VIP, listener, one_host
from local.lab import sh, wait_for
from local.programs import curl, h2load
from local.suite import TestSuite

PORT, PLAIN = 443, 80


class TestHandshakes(TestSuite):
    def set_up_suite(self):
        self.site = Site("hs")
        self.certs = self.site.lab.path("certs")
        os.makedirs(self.certs)
        tool = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools", "ca")
        sh(tool, self.certs, "init", "mesh")
        sh(tool, self.certs, "leaf", "--ca", "mesh", "--out", "dut", "--days", "30", "--dns", "dut.example")
        self.dut = None

    def start(self, workers=1, **tls):
        """A process of its own for each case: these keys are read at start."""
        self.dut = self.site.appliance(self.build, {
            "tls": tls,
            "secrets": [{"name": "dut", "certificate": os.path.join(self.certs, "dut.pem"),
                         "private_key": os.path.join(self.certs, "dut.key")}],
            "listeners": [listener(PORT, "in", tls={"mode": "strict", "secret": "dut", "client_certificate": False}),
                          listener(PLAIN, "plain")],
            "virtual_hosts": one_host([{"match": {"prefix": "/"},
                                        "direct_response": {"status": 200, "body": "direct\n"}}])},
            workers=workers).start()
        return self.dut

    def tear_down_test_case(self):
        """stop checks that nothing is held."""
        if self.dut:
            self.dut.stop()
            self.dut = None

    def tear_down_suite(self):
        self.site.close()

    def count(self, name):
        return int(self.dut.metric(f"sidestep_{name}") or 0)

    def threads(self):
        folder = f"/proc/{self.dut.process.pid}/task"
        names = []
        for task in os.listdir(folder):
            with open(f"{folder}/{task}/comm", encoding="ascii") as f:
                names.append(f.read().strip())
        return sorted(n for n in names if n.startswith("handshake-"))

    def load(self, connections, requests):
        return h2load(self.site.lab, "client", "-n", requests, "-c", connections, f"https://{VIP}:{PORT}/")

    def test_on_threads(self):
        """Two threads, two workers: every step of every handshake runs on the threads, none fails."""
        self.start(workers=2, handshake_threads=2)
        self.verify_equal(self.threads(), ["handshake-0", "handshake-1"], "threads")
        got = self.load(100, 200)
        self.verify_equal(got["succeeded"], 200, f"{got}")
        wait_for("steps to be counted", lambda: self.count("tls_handshakes_total") >= 100, 10, 0.1)
        steps = self.count("tls_steps_total")
        self.verify(steps >= 200, f"two steps a handshake, but {steps}")
        self.verify_equal(self.count("tls_steps_away_total"), steps, "steps on threads")
        self.verify(self.dut.metric("sidestep_turn_max_seconds") is not None, "the longest turn is told")
        self.verify(self.dut.metric("sidestep_tls_steps_seconds_total") > 0, "threads' time is told")

    def test_in_the_worker(self):
        """No threads: the worker does the same."""
        self.start(handshake_threads=0)
        self.verify_equal(self.threads(), [], "threads")
        got = self.load(50, 100)
        self.verify_equal(got["succeeded"], 100, f"{got}")
        self.verify(self.count("tls_steps_total") >= 100, "steps are counted")
        self.verify_equal(self.count("tls_steps_away_total"), 0, "steps on threads")

    def test_more_than_the_rate(self):
        """Clients beyond the budget are reset, counted by name; those within it, and plaintext, are served."""
        self.start(handshake_rate=10)
        got = self.load(60, 60)
        shed = self.dut.drops("tls_rate")
        self.verify(shed > 0 and got["succeeded"] >= 10, f"{shed} shed, {got}")
        self.verify(self.count("tls_handshakes_total") + shed >= 60, f"{shed} shed, {got}")
        self.verify_equal(curl(self.site.lab, "client", f"http://{VIP}/").stdout, "direct\n", "plaintext")
        wait_for("an event for each", lambda: sum("tls_rate" in str(r) for r in self.dut.access(None)) == shed, 5, 0.1)

    def test_more_than_the_queue(self):
        """As many clients at once as one thread cannot serve in time: the queue is bounded, the newest are reset and
        counted by name."""
        self.start(handshake_queue=2)
        got = self.load(100, 100)
        shed = self.dut.drops("tls_queue_full")
        self.verify(shed > 0 and got["succeeded"] > 0, f"{shed} shed, {got}")
        wait_for("the queue to be empty", lambda: self.count("tls_steps_queued") == 0, 10, 0.1)

    def test_others_go_on(self):
        """Standing connections are asked while new ones shake hands: no request of either fails."""
        self.start()
        lab = self.site.lab
        seconds = 2 if self.small else 4
        storm = lab.start("storm", "client", "sh", "-c",
                          f"for i in $(seq {8 * seconds}); do h2load -n 20 -c 20 https://{VIP}:{PORT}/; done")
        got = h2load(lab, "client", "-n", 1000 * seconds, "-c", 20, f"https://{VIP}:{PORT}/")
        self.verify_equal((got["succeeded"], got["failed"]), (1000 * seconds, 0), f"{got}")
        self.verify_equal(storm.wait(60), 0, "the storm's end")
        self.verify_equal(self.count("tls_steps_away_total"), self.count("tls_steps_total"), "steps on threads")

    def test_stop_in_a_storm(self):
        """The process ends while handshakes are under way: in order, nothing is held (stop checks it)."""
        self.start()
        lab = self.site.lab
        storm = lab.start("storm-end", "client", "h2load", "-n", 400, "-c", 400, f"https://{VIP}:{PORT}/")
        wait_for("handshakes", lambda: self.count("tls_steps_total") > 20, 10, 0.05)
        self.dut.stop()
        self.dut = None
        storm.stop()
