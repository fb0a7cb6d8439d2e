"""Canaries: a good one is led to the top, bad ones are rolled back; held without a sample; commands, restarts, reloads."""
import json
import os

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.lab import wait_for
from local.programs import curl, script, wait_listening
from local.suite import TestSuite

PORTS = {"v1": 8081, "good": 8082, "failing": 8083, "slow": 8084}
HOUR = "1h"
# Chance alone rolls one run in ten thousand back; the margins are wide, so that some hundred requests will do.
QUICK = {"interval": "300ms", "window": "30s", "min_requests": 100, "significance": 0.01, "error_margin": 20,
         "latency_margin": 100, "max_p99_ratio": 20}


class TestCanary(TestSuite):
    def set_up_suite(self):
        self.site = Site("cn")
        lab = self.site.lab
        shares = [f"{PORTS['v1']}:v1:0:4", f"{PORTS['good']}:good:0:4", f"{PORTS['failing']}:failing:50:4",
                  f"{PORTS['slow']}:slow:0:150"]
        origin = script(lab, "origin", "origins", "canary_origin.py", ORIGIN, *shares)
        for port in PORTS.values():
            wait_listening(lab, origin, "origin", ORIGIN, port)
        self.dut = self.load = None

    def tear_down_test_case(self):
        dut, self.dut = self.dut, None
        load, self.load = self.load, None
        if load:
            load.kill()
        if dut:
            dut.stop()

    def tear_down_suite(self):
        self.site.close()

    # ---- helpers of the cases ----

    def settings(self, to, weights=(95, 5), sticky=None, **canary):
        """v1 and one other on one route."""
        more = {"sticky": sticky} if sticky else {}
        split = route({"v1": weights[0], to: weights[1]}, name="web", max_retries=0,
                      canary={"cluster": to, **QUICK, **canary}, **more)
        quiet = {"outlier": {"consecutive_errors": 0}, "breaker": {"enabled": False}, "protocol": "http1"}
        return {"listeners": [listener()], "virtual_hosts": one_host([split]),
                "health_log": {"path": self.site.lab.path("health.jsonl")},
                "clusters": [cluster(n, [(ORIGIN, PORTS[n])], **quiet) for n in ("v1", to)]}

    def begin(self, *args, workers=1, settings=None, **canary):
        log = self.site.lab.path("health.jsonl")
        if os.path.exists(log):
            os.unlink(log)
        state = self.site.lab.path("dut.state/canaries")
        if os.path.exists(state):
            os.unlink(state)
        self.dut = self.site.appliance(self.build, settings or self.settings(*args, **canary), workers=workers).start()

    def begin_load(self):
        """Requests without an end: eight at once, until the case is over."""
        self.load = self.site.lab.start("load", "client", "h2load", "--h1", "-c", "8", "-D", "300", f"http://{VIP}/")

    def decisions(self):
        with open(self.site.lab.path("health.jsonl"), encoding="utf-8") as f:
            lines = [json.loads(line) for line in f if line.endswith("\n")]
        return [r for r in lines if r["kind"] == "canary"]

    def told(self, decision):
        """The first record of it; those of earlier decisions are there then. Records are written beside what they tell of."""
        return wait_for(f"the record: {decision}", lambda: next(
            (d for d in self.decisions() if d["decision"] == decision), None), 10, 0.05)

    def status(self):
        return self.dut.ctl_json("canary")["canaries"][0]

    def wait_state(self, state, timeout=60):
        def look():
            s = self.status()
            return s if s["state"] == state else None
        return wait_for(f"the canary to be {state}", look, timeout, 0.05)

    def say(self, verb, check=True):
        return self.dut.ctl("canary", verb, "all/web", check=check)

    def bodies(self, n=40, header=None):
        """Who answers n requests, one after the other."""
        argv = []
        for i in range(n):
            argv += ["--next"] if i else []
            argv += ["-sS", "--max-time", "20", "-w", "\\n", f"http://{VIP}/"]
            argv += ["-H", f"{header}: user-{i}"] if header else []
        return curl(self.site.lab, "client", *argv).stdout.split()

    def almost_all_stable(self, what):
        """At 0.01 % three of ten are the canary's once in eight thousand million times."""
        who = self.bodies(10)
        self.verify(who.count("v1") >= 8 and set(who) <= {"v1", "good"}, f"{what}: {who}")

    # ---- the cases ----

    def test_good(self):
        """A good canary, over two workers: started by hand, it goes up step by step until it has all requests; every
        decision is logged with its numbers; metrics agree."""
        self.begin("good", workers=2, steps=[10, 50, 100])
        self.verify_equal(self.status()["state"], "idle", "before it is started")
        self.begin_load()
        self.say("start")
        self.wait_state("promoted")
        self.verify_equal(self.status()["percent"], 100.0, "weight")
        self.told("promote")
        told = [(d["decision"], d["percent"]) for d in self.decisions() if d["decision"] != "hold"]
        self.verify_equal(told, [("start", 10.0), ("step", 50.0), ("promote", 100.0)], "decisions")
        step = next(d for d in self.decisions() if d["decision"] == "step")
        self.verify(step["canary_share"]["requests"] >= 100 and step["stable"]["requests"] > 100
                    and step["slower_at_most_percent"] < 100 and step["canary"] == "all/web", f"{step}")
        self.verify_equal(self.dut.metric("sidestep_canary_weight_percent", canary="all/web"), 100.0, "metric")
        self.verify_equal(self.dut.metric("sidestep_canary_state", state="promoted"), 1.0, "metric of the state")
        self.verify(self.dut.metric("sidestep_canary_requests_total", share="canary", cluster="good") >= 200, "counted")
        self.verify_equal(set(self.bodies()), {"good"}, "who answers")

    def test_failing(self):
        """Half of the canary's requests fail: it is rolled back for that, and gets none from then on."""
        self.begin("failing", steps=[20, 100], interval="30s", window="30s")
        self.begin_load()
        self.say("start")
        self.wait_state("rolled_back")
        self.told("rollback")
        last = [d for d in self.decisions() if d["decision"] == "rollback"]
        self.verify_equal(len(last), 1, "rollbacks")
        self.verify_equal((last[0]["reason"], last[0]["significant"], last[0]["percent"]), ("error_rate", True, 0.0),
                          "why")
        self.verify(last[0]["canary_share"]["failures"] > 10 * last[0]["stable"]["failures"], f"{last[0]}")
        self.verify_equal(set(self.bodies()), {"v1"}, "who answers")

    def test_failing_in_trailers(self):
        """gRPC servers whose answers are all 200, and of which the canary's says UNAVAILABLE in half of its trailers: it is
        rolled back for that. Outlier detection and metrics count them, too."""
        lab = self.site.lab
        servers = script(lab, "origin", "grpc-shares", "grpc_share.py", "serve", ORIGIN, "8085:v1:0", "8086:good:50")
        for port in (8085, 8086):
            wait_listening(lab, servers, "origin", ORIGIN, port)
        settings = self.settings("good", steps=[50, 100], interval="30s", window="30s")
        for c, port in zip(settings["clusters"], (8085, 8086)):
            c.update(protocol="http2", endpoints=[{"address": ORIGIN, "port": port}])
        self.begin(settings=settings)
        self.say("start")
        self.load = script(lab, "client", "grpc-load", "grpc_share.py", "call", f"{VIP}:80")
        self.wait_state("rolled_back")
        last = self.told("rollback")
        self.verify_equal((last["reason"], last["significant"], last["stable"]["failures"]), ("error_rate", True, 0), f"{last}")
        self.verify(last["canary_share"]["failures"] >= 20, f"{last}")
        self.verify_equal({r["status"] for r in self.dut.access()}, {200}, "statuses of HTTP")
        self.verify(self.dut.metric("sidestep_endpoint_failures_total", cluster="good") >= last["canary_share"]["failures"] and
                    self.dut.metric("sidestep_endpoint_failures_total", cluster="v1") == 0, "counted")

    def test_slow(self):
        """A canary that takes 150 ms where stable takes 4: rolled back for its latency."""
        self.begin("slow", steps=[50, 100], interval="30s", window="30s", max_p99_ratio=1.2)
        self.begin_load()
        self.say("start")
        self.wait_state("rolled_back")
        last = self.told("rollback")
        self.verify(last["reason"] in ("p99", "slower") and last["slower_percent"] > 41, f"{last}")

    def test_held_paused_aborted(self):
        """Too few requests: held, with that reason in the log. A pause, a resume, an abort, each once, told with who said
        it; what makes no sense is refused."""
        self.begin("good", steps=[20, 100], min_requests=1000000)
        self.verify_equal(self.say("resume", check=False).returncode, 1, "nothing to resume")
        self.say("start")
        held = self.told("hold")
        self.verify_equal((held["reason"], held["percent"]), ("too_few_requests", 20.0), "held")
        self.say("pause")
        self.verify_equal(self.status()["state"], "paused", "state")
        self.verify("paused" in self.dut.ctl("canary", "status").stdout, "for people")
        self.say("resume")
        self.verify_equal(self.say("start", check=False).returncode, 1, "it runs")
        self.verify_equal(self.dut.ctl("canary", "abort", "all/other", check=False).returncode, 1, "another name")
        self.say("abort")
        self.verify_equal(self.status()["state"], "aborted", "state")
        self.told("abort")
        by = {d["decision"]: d.get("by", "") for d in self.decisions()}
        for verb in ("start", "pause", "resume", "abort"):
            self.verify(by[verb].startswith(f"uid {os.getuid()}"), f"{verb} by {by[verb]!r}")
        self.verify_equal(set(self.bodies()), {"v1"}, "who answers")

    def test_restart(self):
        """A process that ends and comes back goes on with the weight of its state, not the configuration's."""
        self.begin("good", (0, 100), steps=[0.01, 100.0], interval=HOUR, window=HOUR)
        self.verify_equal(set(self.bodies(10)), {"good"}, "as configured")
        self.say("start")
        self.almost_all_stable("one of ten thousand is the canary's")
        self.dut.stop()
        self.dut.start()
        self.verify_equal((self.status()["state"], self.status()["percent"]), ("running", 0.01), "after a restart")
        self.almost_all_stable("after a restart")
        self.say("abort")
        self.dut.stop()
        self.dut.start()
        self.verify_equal((self.status()["state"], self.status()["percent"]), ("aborted", 0.0), "an abort")
        self.verify_equal(set(self.bodies(10)), {"v1"}, "an abort stands")

    def test_reload(self):
        """A reload that leaves the split alone leaves its canary alone; one that changes its weights ends it, says so, and
        the configuration's weights count."""
        self.begin("good", (0, 100), steps=[0.01, 100.0], interval=HOUR, window=HOUR)
        self.say("start")
        other = self.settings("good", (0, 100), steps=[0.01, 50.0, 100.0], interval=HOUR, window=HOUR, error_margin=1)
        other["virtual_hosts"][0]["routes"].insert(0, {
            "name": "new", "match": {"prefix": "/new"}, "direct_response": {"status": 200, "body": "new"}})
        self.dut.reload({**self.dut.settings, **other})
        self.verify_equal((self.status()["state"], self.status()["percent"]), ("running", 0.01), "after a reload")
        self.almost_all_stable("after a reload")
        changed = self.settings("good", (100, 0), steps=[50, 100], interval=HOUR, window=HOUR)
        self.dut.reload({**self.dut.settings, **changed})
        self.told("forget")
        self.verify_equal(self.status()["state"], "idle", "another split")
        self.verify_equal(set(self.bodies(10)), {"v1"}, "the configuration's weights")
        bad = self.settings("good")
        bad["virtual_hosts"][0]["routes"][0]["canary"] = {"cluster": "v3"}
        refused = self.dut.reload({**self.dut.settings, **bad}, check=False)
        self.verify(refused.returncode == 1 and "v3" in refused.stderr, refused.stderr)

    def test_sticky(self):
        """Clients that keep their share: who has the canary at 20 % has it at 60 %, and nobody at none."""
        sticky = {"header": "x-user"}
        self.begin("good", steps=[20], interval=HOUR, window=HOUR, sticky=sticky)
        def canaries():
            return {i for i, who in enumerate(self.bodies(60, "x-user")) if who == "good"}
        self.say("start")
        some = canaries()
        self.verify_equal(canaries(), some, "asked again")
        self.say("abort")
        self.verify_equal(canaries(), set(), "after the abort")
        self.dut.reload({**self.dut.settings, **self.settings("good", steps=[60], interval=HOUR, window=HOUR,
                                                              sticky=sticky)})
        self.say("start")
        more = canaries()
        self.note(f"of 60 clients {len(some)} at 20 %, {len(more)} at 60 %")
        self.verify(some and some < more and len(more) < 60, f"{sorted(some)} became {sorted(more)}")
