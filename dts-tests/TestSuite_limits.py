"""Rate limits: shared by workers to the token, fair to each identity, told in the answer, kept over a reload."""
import json
import os

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.lab import wait_for
from local.programs import HERE, curl, nginx, wait_listening
from local.suite import TestSuite, tells_the_time
from TestSuite_tls import Certs

PLAIN, MUTUAL = 80, 443
RATE, OFFERED, SECONDS, BURST = 1000, 5000, 3, 500
NAMES = ("red", "green", "blue")


class TestLimits(TestSuite):
    def set_up_suite(self):
        self.site = Site("li")
        lab = self.site.lab
        self.certs = c = Certs(lab.path("certs"))
        c.authority("mesh")
        for name in ("dut", *NAMES):
            c.leaf(name, spiffe=f"spiffe://mesh.local/ns/t/sa/{name}")
        web = nginx(lab, "origin", "web", f"server {{ listen {ORIGIN}:8080; return 200 'ok\\n'; }}")
        wait_listening(lab, web, "origin", ORIGIN, 8080)
        self.dut = None

    def tear_down_test_case(self):
        dut, self.dut = self.dut, None
        if dut:
            dut.stop()

    def tear_down_suite(self):
        self.site.close()

    def settings(self, limits, routes, **more):
        return {"rate_limits": limits, "listeners": [listener(PLAIN)], "virtual_hosts": one_host(routes),
                "clusters": [cluster("web", [(ORIGIN, 8080)], protocol="http1")], **more}

    def start(self, *args, workers=1, **more):
        self.dut = self.site.appliance(self.build, self.settings(*args, **more), workers=workers).start()
        return self.dut

    def limit(self, name):
        return next(r for r in self.dut.ctl_json("limits")["limits"] if r["name"] == name)

    def head(self, path="/", *more):
        """Status and headers of one GET."""
        text = curl(self.site.lab, "client", "-i", *more, f"http://{VIP}{path}").stdout
        lines = text.replace("\r", "").split("\n\n")[0].split("\n")
        return int(lines[0].split()[1]), dict(x.lower().split(": ", 1) for x in lines[1:])

    @tells_the_time
    def test_four_workers_three_identities(self):
        """1,000/s for each identity, 5,000/s offered by each of three over mutual TLS, four workers: each passes
        its burst and 1,000/s, nobody more; the bound is that of lib/contract/limits.h plus the ends of the run."""
        c, lab = self.certs, self.site.lab
        offered = OFFERED // 2 if self.small else OFFERED
        self.start([{"name": "each", "rate": f"{RATE}/s", "burst": BURST, "key": "identity"}],
                   [{"match": {"prefix": "/"}, "rate_limits": ["each"],
                     "direct_response": {"status": 200, "body": ""}}], workers=4,
                   secrets=[{"name": "dut", "certificate": c.pem("dut"), "private_key": c.key("dut")}],
                   trust=[{"name": "mesh", "trust_domain": "mesh.local", "bundle": c.pem("mesh")}],
                   listeners=[listener(MUTUAL, tls={"secret": "dut", "trust": "mesh"})])
        clients = [lab.start(f"paced-{n}", "client", "/usr/bin/python3", os.path.join(HERE, "paced_client.py"), VIP,
                             MUTUAL, c.pem("mesh"), c.pem(n), c.key(n), 8, offered, SECONDS) for n in NAMES]
        passed = 0
        for name, p in zip(NAMES, clients):
            self.verify_equal(p.wait(60), 0, f"{name}: {p.log()[-500:]}")
            r = json.loads(p.log().splitlines()[-1])
            ok, limited = r["answers"].get("200", 0), r["answers"].get("429", 0)
            passed += ok
            # A slow build still decides requests of the queue when the last one has been sent.
            least, most = (BURST + RATE * r[end] for end in ("seconds", "answered"))
            self.note(f"{name}: {r['sent']} sent in {r['seconds']:.3f} s, answered in {r['answered']:.3f} s, {ok} passed, "
                      f"{least:.0f} to {most:.0f} expected")
            self.verify_equal(ok + limited, r["sent"], f"{name}: answers {r['answers']}")
            # The last tokens may come after the last request; a client that the machine stops for longer than the bucket
            # takes to fill loses some.
            self.verify(least * 0.95 - 20 <= ok <= most + RATE * 0.1,
                        f"{name}: {ok} passed, want {least:.0f} to {most:.0f}")
        seen = self.limit("each")
        self.verify_equal((seen["passed"], seen["evicted"]), (passed, 0), "sidestepctl limits")
        busy = [w["requests"] for w in self.dut.ctl_json("status")["workers"]]
        self.verify(all(busy), f"requests by worker: {busy}")

    def test_answers(self):
        """429 with X-RateLimit-*, Retry-After and flag RL over HTTP/1.1 and HTTP/2; gRPC gets status 8 without a body;
        a 200 says what is left where asked; a dry run refuses nothing."""
        dut = self.start([{"name": "two", "rate": "2/h"}, {"name": "told", "rate": "10/m", "response_headers": "always"},
                          {"name": "dry", "rate": "1/h", "enforce": False}, {"name": "calls", "rate": "1/h"}],
                         [{"match": {"prefix": "/self"}, "direct_response": {"status": 200, "body": ""}, "rate_limits": ["told"]},
                          route("web", prefix="/two", rate_limits=["two"]), route("web", prefix="/told", rate_limits=["told"]),
                          route("web", prefix="/dry", rate_limits=["dry"]),
                          route("web", prefix="/pkg.Service/", rate_limits=["calls"])])
        for protocol in ("--http1.1", "--http2-prior-knowledge"):
            self.verify_equal(self.head("/two", protocol)[0], 200, "the burst")
        for protocol in ("--http1.1", "--http2-prior-knowledge"):
            status, head = self.head("/two", protocol)
            self.verify_equal(status, 429, protocol)
            self.verify_equal((head["x-ratelimit-limit"], head["x-ratelimit-remaining"], head["x-envoy-ratelimited"],
                               head["x-sidestep-flag"]), ("2, 2;w=3600", "0", "true", "rl"), f"{protocol} {head}")
            self.verify(1700 < int(head["retry-after"]) <= 1800, f"retry-after: {head}")
            self.verify(3500 < int(head["x-ratelimit-reset"]) <= 3600, f"reset: {head}")
        for path, left in (("/told", "9"), ("/told", "8"), ("/self", "7")):
            status, head = self.head(path)
            self.verify_equal((status, head.get("x-ratelimit-remaining")), (200, left), "told")
        for _ in range(3):
            status, head = self.head("/dry")
            self.verify_equal((status, "x-ratelimit-limit" in head), (200, False), "dry")
        self.verify_equal([self.limit("dry")[k] for k in ("passed", "tolerated", "limited")], [1, 2, 0], "dry run")
        call = ("-X", "POST", "-H", "content-type: application/grpc", "-H", "te: trailers", "--http2-prior-knowledge")
        self.head("/pkg.Service/Method", *call)
        status, head = self.head("/pkg.Service/Method", *call)
        self.verify_equal((status, head["grpc-status"], head["x-sidestep-flag"]), (200, "8", "rl"), f"grpc {head}")
        dut.wait_access(lambda r: r["status"] == 429 and r["flag"] == "RL" and r["reason"] == "rate_limited")
        self.verify_equal(dut.drops("rate_limited"), 3, "drops")
        self.verify_equal(dut.metric("sidestep_rate_limit_requests_total", limit="two", outcome="limited"), 2, "metric")
        self.verify("two" in dut.ctl("limits").stdout, "sidestepctl limits")

    def test_all_must_pass(self):
        """A listener's, a virtual host's and a route's limit: each request pays at all or at none; a header's values
        have a bucket each; who may not come in pays nothing."""
        routes = [route("web", prefix="/a", rate_limits=["tenant"]),
                  {"match": {"prefix": "/shut"}, "direct_response": {"status": 200, "body": ""},
                   "authorization": {"default": "deny"}},
                  route("web")]
        self.start([{"name": "door", "rate": "6/h"}, {"name": "host", "rate": "9/h"},
                    {"name": "tenant", "rate": "1/h", "key": "header", "header": "x-tenant"}], routes,
                   listeners=[listener(PLAIN, rate_limits=["door"])],
                   virtual_hosts=one_host(routes, rate_limits=["host"]))
        for _ in range(4):
            self.verify_equal(self.head("/shut")[0], 403, "denied")
        got = [self.head("/a", "-H", f"x-tenant: {t}")[0] for t in ("one", "one", "two", "one", "two", "three")]
        self.verify_equal(got, [200, 429, 200, 429, 429, 200], "tenants")
        self.verify_equal([self.head()[0] for _ in range(5)], [200, 200, 200, 429, 429], "the listener's six")
        self.verify_equal([(self.limit(n)["passed"], self.limit(n)["limited"]) for n in ("door", "host", "tenant")],
                          [(6, 2), (6, 0), (3, 3)], "who paid where")

    def test_reload(self):
        """An empty bucket is empty after a reload that changes others; one that is renamed is new; while requests
        come, a reload takes the limit away and none fails."""
        few = {"name": "few", "rate": "3/h"}
        both = [route("web", rate_limits=["few"])]
        dut = self.start([few], both)
        self.verify_equal([self.head()[0] for _ in range(4)], [200, 200, 200, 429], "the burst")
        full = dict(dut.settings)
        dut.reload({**full, "rate_limits": [{"name": "other", "rate": "1/s"}, few]})
        self.verify_equal(self.head()[0], 429, "after a reload")
        dut.reload({**full, "rate_limits": [{"name": "fresh", "rate": "3/h"}],
                    "virtual_hosts": one_host([route("web", rate_limits=["fresh"])])})
        self.verify_equal(self.head()[0], 200, "another name")
        dut.reload({**full, "rate_limits": [{"name": "wide", "rate": "10000000/s"}],
                    "virtual_hosts": one_host([route("web", rate_limits=["wide"])])})
        p = self.site.lab.start("load", "client", "h2load", "-n", "3000" if self.small else "10000", "-c", "4", "-m", "8",
                                f"http://{VIP}/")
        wait_for("requests under way", lambda: self.limit("wide")["passed"] > 100, 10, 0.01)
        dut.reload({**full, "rate_limits": [], "virtual_hosts": one_host([route("web")])})
        self.verify_equal(p.wait(60), 0, p.log()[-500:])
        self.verify(" 0 failed, 0 errored" in p.log() and " 0 4xx, 0 5xx" in p.log(), p.log()[-900:])
        bad = dut.reload({**full, "rate_limits": [{"name": "few", "rate": "lots"}]}, check=False)
        self.verify(bad.returncode == 1 and "rate_limits[0].rate" in bad.stderr, f"refused: {bad.stderr}")
