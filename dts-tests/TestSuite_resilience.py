"""Resilience: retries, deadlines, limits, breakers; and three hops in a row that fail together."""
import collections
import concurrent.futures
import json
import time

from local.appliance import MEMORY, Appliance, ports
from local.bench_site import ORIGINS, VIP, cluster, one_host, route
from local.lab import Lab, wait_for
from local.programs import curl, curl_code, h2_origin, h2_records, h2load, script, wait_listening
from local.suite import TestSuite, tells_the_time
from TestSuite_decisions import PORT, DecisionSuite
from TestSuite_tls import Certs

SERVICE = "10.1.0.2"
FAR = [f"10.4.0.{n}" for n in (11, 12, 13, 14)]


class TestOneHop(DecisionSuite):
    @tells_the_time
    def test_retries_hide_failures(self):
        """A 503, a connection closed without an answer and a hang of one endpoint in four: no client sees any of
        them, over HTTP/1.1 and HTTP/2; the log names the attempts."""
        self.start([route("web", retry={"per_try_timeout": "200ms", "backoff": {"base": "5ms"}})],
                   [self.all_origins(protocol="http1", outlier={"consecutive_errors": 0})])
        for status in (503, 0, -1):
            self.control(ORIGINS[0], status)
            for i in range(6):
                flag = ("--http1.1", "--http2-prior-knowledge")[i % 2]
                self.verify_equal(self.code(f"/s{status}/{i}", flag), 200, f"origin does {status}, {flag}")
        tried = self.dut.wait_access(lambda r: r["attempts"] == 2 and r["status"] == 200)
        self.verify(tried is not None, "no record with two attempts")
        self.verify(self.dut.metric("sidestep_retries_total") >= 3, "retries were not counted")

    def test_post_is_sent_once(self):
        """Endpoints that answer 503, close without an answer, or hang: a POST reaches one once. Told so by
        non_idempotent, it is sent again."""
        self.start([route("twice", prefix="/twice", retry={"non_idempotent": True, "backoff": {"base": "1ms"}}),
                    route("once", timeout="400ms")],
                   [self.all_origins(protocol="http1", name="once", outlier={"consecutive_errors": 0},
                                     breaker={"enabled": False}),
                    self.all_origins(protocol="http1", name="twice", outlier={"consecutive_errors": 0},
                                     breaker={"enabled": False})])
        since = time.monotonic_ns()
        for status in (503, 0, -1):
            for address in ORIGINS:
                self.control(address, status)
            for i in range(4):
                self.verify(self.code(f"/p{status}/{i}", "-d", "x") >= 500, "a failure was hidden")
        count = collections.Counter(r[3] for r in self.served(since) if r[3].startswith("/p"))
        self.verify_equal(set(count.values()), {1}, f"times each POST was sent: {count}")
        for address in ORIGINS:
            self.control(address, 503)
        self.code("/twice/a", "-d", "x")
        self.verify_equal(len([r for r in self.served(since) if r[3] == "/twice/a"]), 4, "told to send it again")

    def all_origins(self, name="web", **more):
        return cluster(name, [(o, PORT) for o in ORIGINS], **more)

    def h2_records(self, path, event="request", n=1):
        """What node's origin has of a path, once there are n of it."""
        def some():
            found = [r for r in h2_records(self.site.lab, "node", event) if r["path"] == path]
            return found if len(found) >= n else None
        return wait_for(f"{n} {event} of {path}", some, 5, 0.02)

    @tells_the_time
    def test_hedging(self):
        """The origins never answer the first try of a path: the second one's answer is delivered and the first
        stream is reset. A late first answer wins, too. A POST is sent once unless told otherwise."""
        origin = h2_origin(self.site.lab, "origin", "node", ORIGINS[:2], 8090)
        ahead = dict(protocol="http2", outlier={"consecutive_errors": 0}, breaker={"enabled": False})
        late = {"hedge_on_per_try_timeout": True, "per_try_timeout": "150ms", "max_retries": 1}
        try:
            self.start([route("tight", prefix="/first/700/", timeout="5s", retry={**late, "per_try_timeout": "1s"}),
                        route("web", prefix="/first/0/told", timeout="5s", retry={**late, "non_idempotent": True}),
                        route("web", prefix="/first/0/post", timeout="600ms", retry=late),
                        route("web", timeout="5s", retry=late)],
                       [cluster("web", [(o, 8090) for o in ORIGINS[:2]], **ahead),
                        cluster("tight", [(o, 8090) for o in ORIGINS[:2]],
                                retry_budget={"percent": 1, "min_concurrent": 1}, **ahead)])
            self.the_second_try_wins()
            self.the_first_try_wins()
            self.posts_are_not_hedged()
            self.within_the_budget()
        finally:
            origin.kill()

    def the_second_try_wins(self):
        for i, flag in enumerate(("--http1.1", "--http2-prior-knowledge")):
            path = f"/first/0/get{i}"
            self.verify_equal(self.get(path, flag), "2\n", f"{flag}: whose answer")
            tries = self.h2_records(path, n=2)
            self.verify_equal(len({r["to"] for r in tries}), 2, "endpoints that were tried")
            over = self.h2_records(path, "closed", 2)
            self.verify_equal(sorted(r["rst"] for r in over), [0, 8], "one in order, one with CANCEL")
        self.verify_equal([self.dut.metric(f"sidestep_{k}_total") for k in ("hedges", "hedges_won", "retries")],
                          [2, 0, 2], "hedges, hedges won, retries")

    def the_first_try_wins(self):
        self.verify_equal(self.get("/late/500/x"), "1\n", "whose answer")
        self.verify_equal(sorted(r["rst"] for r in self.h2_records("/late/500/x", "closed", 2)), [0, 8], "streams")
        self.verify_equal(self.dut.metric("sidestep_hedges_won_total"), 1, "hedges won")

    def posts_are_not_hedged(self):
        self.verify_equal(self.code("/first/0/post", "-d", "order"), 504, "a POST whose origin stalls")
        self.h2_records("/first/0/post", "closed")
        self.verify_equal(len(self.h2_records("/first/0/post")), 1, "times it was sent")
        self.verify_equal(self.get("/first/0/told", "-d", "order"), "2\n", "told to send it again")
        tries = self.h2_records("/first/0/told", n=2)
        self.verify_equal({(r["length"], r["sha256"]) for r in tries}, {(5, tries[0]["sha256"])}, "bodies")

    def within_the_budget(self):
        """Four late tries at once and one place: one gets a second try, the others are over."""
        before = self.dut.drops("retry_budget")
        urls = [f"http://{VIP}/first/700/{i}" for i in range(4)]
        out = curl(self.site.lab, "client", "-Z", "--parallel-immediate", "-w", "%{http_code}\n",
                   *[a for u in urls for a in ("-o", "/dev/null", u)], check=False).stdout
        self.verify_equal(sorted(out.split()), ["200", "504", "504", "504"], "statuses")
        self.verify_equal(self.dut.drops("retry_budget") - before, 3, "refused by the budget")
        self.verify_equal(self.dut.metric("sidestep_hedges_total"), 5, "hedges in all")

    def test_retriable_headers(self):
        """What a response's headers say decides: a prefix, an expression, a number, the absence of one. Requests of
        one kind are never sent again."""
        again = {"on": ["retriable-headers"], "max_retries": 2, "backoff": {"base": "1ms"},
                 "retriable_request_headers": [{"name": "x-once", "present": True, "invert": True}]}
        kinds = {"prefix": {"name": "x-origin", "prefix": "o"}, "regex": {"name": "content-type", "regex": "text/.*ain"},
                 "range": {"name": "content-length", "range": [3, 4]}, "suffix": {"name": "x-origin", "suffix": "9"},
                 "absent": {"name": "x-origin", "present": True, "invert": True}}
        self.start([route("web", prefix=f"/{k}", retry={**again, "retriable_headers": [m]}) for k, m in kinds.items()],
                   [self.all_origins(protocol="http1", outlier={"consecutive_errors": 0})])
        since = time.monotonic_ns()
        for kind in kinds:
            self.verify_equal(self.code(f"/{kind}"), 200, kind)
            self.verify_equal(self.code(f"/{kind}/once", "-H", "x-once: 1"), 200, kind)
        count = collections.Counter(r[3] for r in self.served(since))
        self.verify_equal(dict(count), {p: n for k in kinds for p, n in (
            (f"/{k}", 1 if k in ("suffix", "absent") else 3), (f"/{k}/once", 1))}, "tries")

    def test_marks(self):
        """A hop's mark that a request was retried below is believed of an endpoint with an identity of the mesh and
        of clusters that are said to be hops; not of a stranger, nor of one whose certificate names a host."""
        lab, port = self.site.lab, {"plain": 8090, "next": 8091, "host": 8092}
        certs = Certs(lab.path("certs"))
        certs.authority("mesh")
        for name, named in (("dut", {"spiffe": "spiffe://mesh.local/ns/demo/sa/dut"}),
                            ("next", {"spiffe": "spiffe://mesh.local/ns/demo/sa/next"}), ("host", {"dns": ["next.example"]})):
            certs.leaf(name, **named)
        files = {n: {"key": certs.key(n), "cert": certs.pem(n), "ca": certs.pem("mesh")} for n in ("next", "host")}
        origins = [h2_origin(lab, "origin", f"marked-{n}", ORIGINS[:1], p, **files.get(n, {})) for n, p in port.items()]
        shown = {"secret": "dut", "trust": "mesh"}
        tls = {"next": {"tls": {**shown, "allowed_ids": [{"prefix": "spiffe://mesh.local/"}]}},
               "host": {"tls": {**shown, "sni": "next.example"}}, "plain": {}}
        loose = dict(protocol="http2", outlier={"consecutive_errors": 0}, breaker={"enabled": False})
        try:
            self.start([route(n, prefix=f"/marked/{n}", retry={"backoff": {"base": "1ms"}, "max_retries": 2})
                        for n in (*port, "said")],
                       [cluster("said", [(ORIGINS[0], port["plain"])], mesh_hop=True, **loose),
                        *[cluster(n, [(ORIGINS[0], p)], **loose, **tls[n]) for n, p in port.items()]],
                       secrets=[{"name": "dut", "certificate": certs.pem("dut"), "private_key": certs.key("dut")}],
                       trust=[{"name": "mesh", "trust_domain": "mesh.local", "bundle": certs.pem("mesh")}])
            for name, tries, at in (("next", 1, "next"), ("said", 1, "plain"), ("plain", 3, "plain"), ("host", 3, "host")):
                self.verify_equal(self.code(f"/marked/{name}"), 503, name)
                seen = [r for r in h2_records(lab, f"marked-{at}") if r["path"] == f"/marked/{name}"]
                self.verify_equal(len(seen), tries, f"{name}: tries")
            self.verify_equal(self.dut.drops("retry_guard"), 2, "not retried for the mark")
        finally:
            for p in origins:
                p.kill()

    @tells_the_time
    def test_deadlines(self):
        """What remains goes upstream; the smaller of two deadlines wins; gRPC gets status 4 in a head of its own."""
        self.start([route("web", timeout="3s")], [self.all_origins(protocol="http1")])
        sent = {k.lower(): v for k, v in json.loads(self.get("/headers"))}
        self.verify_equal(sent["x-envoy-attempt-count"], "1", "attempt count")
        self.verify(0 < int(sent["x-envoy-expected-rq-timeout-ms"]) <= 1000, f"expected: {sent}")
        grpc = ["-H", "content-type: application/grpc", "--http2-prior-knowledge"]
        sent = {k.lower(): v for k, v in json.loads(self.get("/headers", *grpc, "-H", "grpc-timeout: 2S"))}
        self.verify(sent["grpc-timeout"].endswith("m") and 0 < int(sent["grpc-timeout"][:-1]) <= 2000, f"{sent}")
        begun = time.monotonic()
        text = self.get("/delay/2000", *grpc, "-i", "-H", "grpc-timeout: 300m")
        self.verify("grpc-status: 4" in text and " 200" in text.splitlines()[0], text)
        self.verify_equal(self.code("/delay/2000", "-H", "x-envoy-expected-rq-timeout-ms: 300"), 504, "hop's deadline")
        self.verify(time.monotonic() - begun < 2.5, "the deadlines were not kept")
        self.dut.wait_access(lambda r: r["flag"] == "UT" and r["status"] == 504)

    def test_limits_over_four_workers(self):
        """max_requests = 5 over four workers: of 24 requests at once exactly 5 are served, the others get 503, UO
        and x-envoy-overloaded. A request of high priority has limits of its own."""
        gate = self.site.lab.path("gate")
        self.start([route("web", timeout="20s", max_retries=0)],
                   [self.all_origins(protocol="http1", max_requests=5, breaker={"enabled": False})], workers=4)
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            # /hold sends its head at once and ends when the gate opens
            held = [pool.submit(self.get, f"/hold{gate}", "-i", check=False) for _ in range(24)]
            wait_for("refusals", lambda: len(self.dut.access()) >= 19, 20)
            use = self.dut.ctl_json("clusters")["clusters"][0]["default_priority"]["requests"]
            urgent = self.get("/", "-i", "-H", "priority: u=1")
            self.site.lab.write("gate", "open")
            texts = [h.result() for h in held]
        self.verify_equal(use, {"used": 5, "size": 5}, "status: requests under way")
        self.verify(" 200 " in urgent.splitlines()[0], f"high priority: {urgent}")
        refused = [t for t in texts if " 503 " in t.splitlines()[0]]
        self.verify_equal((len(texts) - len(refused), len(refused)), (5, 19), "served, refused")
        self.verify(all("x-envoy-overloaded: true" in t.lower() for t in refused), refused[0])
        self.verify_equal(self.dut.drops("upstream_overflow"), 19, "drops")

    def test_overload(self):
        """Over the watermark of connections a request is refused before it is routed: 503, OM. An urgent one still
        passes; when the connections have gone, all do."""
        gate = self.site.lab.path("relief")
        self.start([route("web", timeout="20s", max_retries=0)], [self.all_origins(protocol="http1")],
                   memory={**MEMORY, "connections": 40}, overload={"connections": 50})
        with concurrent.futures.ThreadPoolExecutor(11) as pool:
            held = [pool.submit(self.get, f"/hold{gate}", check=False) for _ in range(11)]  # 22 of 40
            wait_for("shedding", lambda: "OM" in self.get("/nowhere", "-i", check=False), 10, 0.1)
            urgent = self.get("/", "-i", "-H", "priority: u=0", check=False)
            self.site.lab.write("relief", "open")
            for h in held:
                h.result()
        self.verify(" 200 " in urgent.splitlines()[0], f"an urgent request: {urgent}")
        self.verify(self.dut.drops("overloaded") >= 1, "drops")
        wait_for("relief", lambda: self.code("/") == 200, 20, 0.2)

    def test_pending_delay(self):
        """A cluster's only connection is taken and somebody waits for it: after a while newcomers get 503, UO at once;
        when it is free again, nobody does. Another cluster is not disturbed."""
        gate = self.site.lab.path("line")
        one = dict(self.all_origins(protocol="http1", max_connections=1, pending_delay="200ms"))
        one["endpoints"] = one["endpoints"][:1]
        self.start([route("other", prefix="/other", timeout="20s"), route("web", timeout="20s", max_retries=0)],
                   [one, dict(one, name="other")])
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            held = [pool.submit(self.get, f"/hold{gate}", check=False)]
            wait_for("the first", lambda: (self.dut.metric("sidestep_exchanges") or 0) >= 1, 10, 0.05)
            held.append(pool.submit(self.get, "/waits", check=False))
            wait_for("refusals", lambda: "x-sidestep-flag: UO" in self.get("/new", "-i", "-m", "0.4", check=False), 10)
            self.verify_equal(self.code("/other"), 200, "another cluster")
            self.site.lab.write("line", "open")
            for h in held:
                h.result()
        self.verify(self.dut.drops("pending_delay") >= 1, "drops")
        wait_for("relief", lambda: self.code("/") == 200, 20, 0.1)

    @tells_the_time
    def test_breaker(self):
        """Ten failures open it: 503, UO, no endpoint is asked; after its time two good probes close it. Both are in
        the log, the status and the metrics."""
        self.start([route("web", max_retries=0)],
                   [self.all_origins(protocol="http1", outlier={"consecutive_errors": 0},
                                     breaker={"open_time": "1s"})], workers=2)
        for address in ORIGINS:
            self.control(address, 503)
        codes = [self.get(f"/b{i}", "-i", check=False) for i in range(10)]
        self.verify(not [c for c in codes if "UO" in c], "it opened too early")
        since = time.monotonic_ns()
        text = self.get("/open", "-i", check=False)
        self.verify(" 503 " in text.splitlines()[0] and "x-sidestep-flag: UO" in text, text)
        self.verify(not self.served(since), "an endpoint was asked")
        self.verify_equal(self.dut.ctl_json("clusters")["clusters"][0]["breaker"], "open", "status")
        for address in ORIGINS:
            self.control(address, 200)
        wait_for("probes", lambda: self.code("/probe") == 200, 5, 0.1)
        wait_for("closing", lambda: self.code("/probe") == 200 and
                 self.dut.ctl_json("clusters")["clusters"][0]["breaker"] == "closed", 5, 0.1)
        for detail in ("opened", "closed"):
            record = self.dut.wait_access(lambda r, d=detail: r.get("detail") == d, kind="breaker")
            self.verify(record is not None, f"no record that it {detail}")
        self.verify_equal(self.dut.metric("sidestep_breakers_opened_total"), 1, "metric")
        self.verify(self.dut.drops("breaker_open") >= 1, "drop")


class TestThreeHops(TestSuite):
    """client - a - b - c - four origins, all with the shipped defaults."""

    def set_up_suite(self):
        self.lab = lab = Lab("re")
        hosts = ("client", "a", "b", "c", "origin")
        for host in hosts:
            lab.host(host)
        lab.wire("client", "cl", "a", "a0", a_addrs=["10.1.0.1/24"], b_port=True)
        lab.wire("a", "a1", "b", "b0", a_port=True, b_port=True)
        lab.wire("b", "b1", "c", "c0", a_port=True, b_port=True)
        lab.wire("c", "c1", "origin", "or", b_addrs=[f + "/24" for f in FAR], a_port=True)
        self.log = lab.path("far.txt")
        for i, address in enumerate(FAR):
            wait_listening(lab, script(lab, "origin", f"f{i}", "origin.py", address, PORT, f"f{i}", self.log),
                           "origin", address, PORT)
        self.hops = []

    def set_up_test_case(self):
        """Fresh hops, so that no case begins with another's breakers."""
        ahead = cluster("next", [(f, PORT) for f in FAR], protocol="http1")
        for i, (name, device) in reversed(list(enumerate((("a", "a"), ("b", "b"), ("c", "c"))))):
            self.hops.insert(0, Appliance(self.lab, self.build, name, f"hop-{name}", {
                "workers": {"count": 1},
                "ports": ports(("up", f"net_af_xdp0,iface={device}0", f"10.{i + 1}.0.2/24"),
                               ("down", f"net_af_xdp1,iface={device}1", f"10.{i + 2}.0.1/24")),
                "listeners": [{"name": "in", "address": f"10.{i + 1}.0.2", "port": 80, "virtual_hosts": ["all"],
                               "edge": i == 0}],
                "virtual_hosts": one_host([route("next")]), "clusters": [ahead]}).start())
            ahead = cluster("next", [(f"10.{i + 1}.0.2", 80)], protocol="http2", mesh_hop=True)

    def tear_down_test_case(self):
        for address in FAR:
            self.control(address, 200)
        hops, self.hops = self.hops, []
        for hop in hops:
            hop.stop()

    def tear_down_suite(self):
        self.lab.close()

    def control(self, address, status, percent=100):
        curl(self.lab, "origin", "-X", "POST", f"http://{address}:{PORT}/control?status={status}&percent={percent}")

    def asked(self, since):
        with open(self.log, encoding="utf-8") as f:
            return [r for r in (line.split() for line in f) if int(r[0]) >= since]

    def test_outage(self):
        """All origins fail: they see at most 1.2 times the client's requests; only the last hop retries, its
        answers tell the others so, and the edge's client is told nothing of it."""
        n = 300
        for address in FAR:
            self.control(address, 503)
        since = time.monotonic_ns()
        text = curl(self.lab, "client", "-i", f"http://{SERVICE}/first", check=False).stdout
        self.verify("x-sidestep-retried" not in text.lower() and " 503 " in text.splitlines()[0], text)
        first = len(self.asked(since))
        self.verify_equal(first, 4, "tries of one request over three hops")
        got = h2load(self.lab, "client", "-n", n, "-c", 4, "-m", 2, f"http://{SERVICE}/")
        self.verify_equal(got["2xx"], 0, "answered well")
        seen = len(self.asked(since))
        self.note(f"{n + 1} requests, {seen} at the origins")
        self.verify(seen <= 1.2 * (n + 1), f"{seen} requests at the origins for {n + 1} of the client's")
        self.verify_equal([h.metric("sidestep_retries_total") > 0 for h in self.hops], [False, False, True],
                          "who retried: a, b, c")
        self.verify(self.hops[1].drops("retry_guard") > 0, "b was not told")

    def test_one_in_four_fails_sometimes(self):
        """One endpoint of four fails 10 % of its requests: at least 99.9 % of the client's are answered well."""
        n = 1000 if self.small else 3000
        self.control(FAR[0], 503, 10)
        since = time.monotonic_ns()
        got = h2load(self.lab, "client", "-n", n, "-c", 4, "-m", 4, f"http://{SERVICE}/", timeout=60)
        self.note(f"{got['2xx']} of {n} answered well, {len(self.asked(since))} at the origins")
        self.verify(got["2xx"] >= 0.999 * n, f"{got['2xx']} of {n}")
        self.verify(self.hops[2].metric("sidestep_retries_total") > 0, "nothing failed: nothing was shown")

    def test_post(self):
        """No POST reaches an origin twice, through three hops, whatever the origins do."""
        since = time.monotonic_ns()
        for status in (503, 0):
            for address in FAR:
                self.control(address, status)
            for i in range(4):
                code = curl_code(self.lab, "client", "-d", "order", f"http://{SERVICE}/order/{status}/{i}")
                self.verify(code >= 500, f"status {code}")
        count = collections.Counter(r[3] for r in self.asked(since) if r[3].startswith("/order"))
        self.verify_equal((len(count), set(count.values())), (8, {1}), f"times each POST was seen: {count}")
