"""Decisions: routing, splits, retries, timeouts, ejection, authorization, headers, our own replies."""
import collections
import json
import re
import time

from local.bench_site import ORIGIN, ORIGINS, Site, VIP, cluster, listener, one_host, route
from local.lab import wait_for
from local.programs import curl, curl_code, h2load, nginx, script, wait_listening
from local.suite import TestSuite, tells_the_time
from TestSuite_tls import Certs

PORT = 8080


class DecisionSuite(TestSuite):
    """A site with four origins that fail on request, and an appliance per case."""

    def set_up_suite(self):
        self.site = Site("de")
        lab = self.site.lab
        self.log = lab.path("origins.txt")
        for i, address in enumerate(ORIGINS):
            wait_listening(lab, script(lab, "origin", f"o{i}", "origin.py", address, PORT, f"o{i}", self.log),
                           "origin", address, PORT)
        self.dut = None

    def tear_down_test_case(self):
        for address in ORIGINS:
            self.control(address, 200)
        dut, self.dut = self.dut, None
        if dut:
            dut.stop()

    def tear_down_suite(self):
        self.site.close()

    def control(self, address, status):
        """Tells an origin how to answer from now on (inside its own namespace, not through the appliance)."""
        curl(self.site.lab, "origin", "-X", "POST", f"http://{address}:{PORT}/control?status={status}")

    def start(self, routes, clusters, workers=1, listeners=None, **more):
        self.dut = self.site.appliance(self.build, {
            "listeners": listeners or [listener(80)], "virtual_hosts": one_host(routes) if isinstance(routes, list)
            else routes["hosts"], "clusters": clusters, **more}, workers=workers).start()
        return self.dut

    def get(self, path="/", *more, check=True):
        # The URL first: where more begins another transfer, the one before it must have its own.
        return curl(self.site.lab, "client", f"http://{VIP}{path}", *more, check=check).stdout

    def code(self, path="/", *more):
        return curl_code(self.site.lab, "client", *more, f"http://{VIP}{path}")

    def served(self, since=0):
        """Origin log lines: (ns, origin, method, path, request id)."""
        with open(self.log, encoding="utf-8") as f:
            rows = [line.split() for line in f]
        return [(int(r[0]), *r[1:]) for r in rows if int(r[0]) >= since]

    def all_origins(self, **more):
        return cluster("web", [(o, PORT) for o in ORIGINS], **more)


class TestRouting(DecisionSuite):
    def test_match(self):
        """Virtual hosts exact, wildcard and any; path exact, prefix and regex; method; headers; the first
        match in file order wins; no match is 404 with flag NR."""
        def direct(body, **match):
            return {"name": body.replace(" ", "-"), "match": match, "direct_response": {"status": 200, "body": body}}
        hosts = [
            {"name": "exact", "domains": ["a.example"], "routes": [
                direct("exact path", path="/one"),
                direct("regex", regex="/v[0-9]+/items/[a-z]+"),
                direct("post", prefix="/m", methods=["POST"]),
                direct("header", prefix="/h", headers=[{"name": "x-user", "exact": "bob"}]),
                direct("prefix one", prefix="/one"),
                direct("prefix h", prefix="/h")]},
            {"name": "wild", "domains": ["*.example"], "routes": [direct("wild", prefix="/")]},
            {"name": "deep", "domains": ["*.deep.example"], "routes": [direct("deep", prefix="/")]},
            {"name": "any", "domains": ["*"], "routes": [direct("any", path="/only")]}]
        self.start({"hosts": hosts}, [], listeners=[listener(80, virtual_hosts=["exact", "wild", "deep", "any"])])
        for host, path, extra, want in (
                ("a.example", "/one", [], "exact path"), ("A.EXAMPLE:80", "/one", [], "exact path"),
                ("a.example", "/one/x", [], "prefix one"), ("a.example", "/v12/items/ab", [], "regex"),
                ("a.example", "/v12/items/ab/c", [], None), ("a.example", "/m", ["-X", "POST"], "post"),
                ("a.example", "/m", [], None), ("a.example", "/h", ["-H", "X-User: bob"], "header"),
                ("a.example", "/h", ["-H", "X-User: eve"], "prefix h"), ("b.example", "/", [], "wild"),
                ("x.deep.example", "/", [], "deep"), ("other.test", "/only", [], "any"),
                ("other.test", "/", [], None)):
            body = self.get(path, "-H", f"Host: {host}", *extra)
            if want:
                self.verify_equal(body, want, f"{host} {path} {extra}")
            else:
                self.verify_equal(self.code(path, "-H", f"Host: {host}", *extra), 404, f"{host} {path} {extra}")
        self.dut.wait_access(lambda r: r["status"] == 404 and r["flag"] == "NR")

    def test_path_is_normalised(self):
        """Dot segments and percent-encoded letters cannot walk around a route (or its authorization)."""
        self.start([{"match": {"prefix": "/admin"}, "direct_response": {"status": 403, "body": "no"}},
                    {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": "yes"}}], [])
        for path in ("/admin", "/x/../admin", "/./admin", "/%61dmin", "/x/%2e%2e/admin"):
            self.verify_equal(self.code(path, "--path-as-is"), 403, path)

    def test_split(self):
        """Weighted clusters 90/9/1: 100,000 requests (10,000 on slow builds) split within 1 % of them."""
        n = 10000 if self.small else 100000
        # One nginx per share: each has its own access log, which is the count.
        servers = "\n".join(f"server {{ listen {ORIGINS[i]}:81; access_log {self.site.lab.path(f'split{i}.log')} probe; "
                            f"return 200 'o{i}'; }}" for i in range(3))
        web = nginx(self.site.lab, "origin", "split", servers)
        wait_listening(self.site.lab, web, "origin", ORIGINS[0], 81)
        self.start([route({"a": 90, "b": 9, "c": 1})],
                   [cluster(x, [(ORIGINS[i], 81)], protocol="http1") for i, x in enumerate("abc")])
        got = h2load(self.site.lab, "client", "-n", n, "-c", 10, "-m", 10, f"http://{VIP}/")
        self.verify_equal(got["2xx"], n, "answered")
        web.stop()
        for i, share in enumerate((90, 9, 1)):
            with open(self.site.lab.path(f"split{i}.log"), encoding="ascii") as f:
                count = sum(1 for _ in f)
            self.note(f"{share} %: {100 * count / n:.2f} %")
            # 1 % is 10 standard deviations of 100,000 draws, but 3 of 10,000
            self.verify(abs(count / n - share / 100) < (0.02 if self.small else 0.01), f"{share} % got {count} of {n}")

    def test_round_robin(self):
        """Round robin spreads evenly over four endpoints; a weight of 3 gets three times as much."""
        self.start([route("web")], [self.all_origins(protocol="http1")])
        for _ in range(10):
            self.get("/a", "--next", "-sS", f"http://{VIP}/b", "--next", "-sS", f"http://{VIP}/c",
                     "--next", "-sS", f"http://{VIP}/d")
        count = collections.Counter(r["upstream"] for r in self.access(40))
        self.verify_equal(sorted(count.values()), [10, 10, 10, 10], f"picks {dict(count)}")

    def access(self, n):
        wait_for(f"{n} access-log records", lambda: len(self.dut.access()) >= n, 5, 0.05)
        return self.dut.access()

    def test_headers(self):
        """X-Request-Id is made when absent and kept when present; X-Forwarded-For and -Proto are appended;
        traceparent is carried on in the same trace; hop-by-hop fields and those named by Connection stop here."""
        self.start([route("web", request_headers={"set": [{"name": "x-set", "value": "1"}], "remove": ["x-gone"]},
                          response_headers={"set": [{"name": "x-served-by", "value": "sidestep"}],
                                            "remove": ["x-origin"]})],
                   [self.all_origins(protocol="http1")])
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        seen = dict((k.lower(), v) for k, v in json.loads(self.get(
            "/headers", "-H", f"traceparent: {trace}", "-H", "x-gone: 1", "-H", "Connection: x-private, keep-alive",
            "-H", "x-private: 1", "-H", "TE: gzip")))
        self.verify(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
                                 seen.get("x-request-id", "")), f"x-request-id: {seen}")
        self.verify_equal(seen.get("x-forwarded-for"), "10.1.0.1", "x-forwarded-for")
        self.verify_equal(seen.get("x-forwarded-proto"), "http", "x-forwarded-proto")
        self.verify_equal(seen.get("traceparent", "").split("-")[1], trace.split("-")[1], "trace id")
        self.verify_equal(seen.get("x-set"), "1", "x-set")
        for gone in ("x-gone", "x-private", "te", "keep-alive"):
            self.verify(gone not in seen, f"{gone} went through: {seen}")
        out = curl(self.site.lab, "client", "-D", "-", "-o", "/dev/null", "-H", "x-request-id: mine",
                   f"http://{VIP}/headers").stdout.lower()
        self.verify("x-served-by: sidestep" in out and "x-origin" not in out, out)
        self.dut.wait_access(lambda r: r.get("request_id") == "mine")

    def test_own_replies(self):
        """A reply of our own says why in a short body and in a response flag; for gRPC it is a grpc-status."""
        self.start([route("web", prefix="/dead")], [cluster("web", [("10.2.0.99", 1)], protocol="http1",
                                                            connect_timeout="300ms")])
        text = self.get("/nothing", "-i")
        self.verify(" 404 " in text.split("\r\n")[0] and "no route" in text, text)
        text = self.get("/dead", "-i")
        self.verify(" 503 " in text.split("\r\n")[0] and "UF" in text, text)
        text = self.get("/nothing", "-i", "--http2-prior-knowledge", "-X", "POST", "-H",
                        "content-type: application/grpc", "-H", "te: trailers").lower()
        self.verify("http/2 200" in text and "grpc-status: " in text, text)


class TestResilience(DecisionSuite):
    def test_connect_retry(self):
        """A failed connect is tried once more on another endpoint: no request fails while one endpoint is closed."""
        self.start([route("web")], [cluster("web", [(ORIGINS[0], 1), (ORIGINS[1], PORT)], protocol="http1",
                                            outlier={"consecutive_errors": 0})])
        for i in range(20):
            self.verify_equal(self.code(f"/{i}"), 200, f"request {i}")
        self.verify(self.dut.metric("sidestep_retries_total") >= 5, "no retry was counted")

    @tells_the_time
    def test_total_timeout(self):
        """No response headers within the route's timeout: 504 with flag UT, at about that time."""
        self.start([route("web", timeout="400ms")], [self.all_origins(protocol="http1")])
        begun = time.monotonic()
        self.verify_equal(self.code("/delay/5000"), 504, "status")
        took = time.monotonic() - begun
        self.verify(0.35 < took < (3 if self.small else 1.5), f"took {took:.2f} s")
        self.dut.wait_access(lambda r: r["status"] == 504 and r["flag"] == "UT")
        self.verify_equal(self.code("/slow/20480"), 200, "a slow body is not a late response")

    @tells_the_time
    def test_connect_timeout(self):
        """An endpoint that does not answer SYN: 503 with flag UF after the connect timeout."""
        self.start([route("web", max_retries=0)], [cluster("web", [("10.2.0.99", 80)], protocol="http1",
                                                           connect_timeout="300ms")])
        begun = time.monotonic()
        self.verify_equal(self.code("/"), 503, "status")
        self.verify(time.monotonic() - begun < 4, "took too long")
        self.dut.wait_access(lambda r: r["flag"] == "UF")

    @tells_the_time
    def test_ejection_four_workers(self):
        """Five failures eject, on all of four workers: requests that begin after the ejection do not reach
        the endpoint (its own log against ours); it returns after the base time; others are untouched."""
        base = 10 if self.small else 3  # forty requests come within it
        self.start([route("web", max_retries=0)], [self.all_origins(protocol="http1", outlier={
            "consecutive_errors": 5, "base_ejection_time": f"{base}s", "max_ejection_percent": 50,
            "min_health_percent": 30})], workers=4)
        for i in range(16):
            self.code(f"/warm{i}")
        self.control(ORIGINS[0], 500)
        bad = 0
        for i in range(200):
            bad += self.code(f"/e{i}") == 500
            if self.ejected() == [ORIGINS[0]]:
                break
        self.verify_equal(self.ejected(), [ORIGINS[0]], "ejected endpoints")
        self.verify_equal(bad, 5, "failures before the ejection")
        record = self.dut.wait_access(lambda r: ORIGINS[0] in json.dumps(r), kind="ejected")
        self.verify(record is not None, "no ejection event")
        since = time.monotonic_ns()
        for i in range(40):
            self.verify_equal(self.code(f"/after{i}"), 200, f"request {i} after the ejection")
        self.verify(not [r for r in self.served(since) if r[1] == "o0"], "a pick after the ejection reached it")
        self.control(ORIGINS[0], 200)
        wait_for("its return", lambda: not self.ejected(), base + 8, 0.2)
        since = time.monotonic_ns()
        for i in range(32):
            self.code(f"/back{i}")
        self.verify([r for r in self.served(since) if r[1] == "o0"], "it did not get requests again")

    test_ejection_four_workers.seconds = 240

    def ejected(self):
        """Addresses of the ejected endpoints, by sidestepctl."""
        found = []
        for c in self.dut.ctl_json("clusters")["clusters"]:
            for e in c["endpoints"]:
                if e["ejected"]:
                    found.append(e["address"].rsplit(":", 1)[0])
        return found

    def test_ejection_cap(self):
        """The cap holds: with all four failing no more than half are ejected, and the answers say so."""
        self.start([route("web", max_retries=0)], [self.all_origins(protocol="http1", breaker={"enabled": False}, outlier={
            "consecutive_errors": 5, "base_ejection_time": "30s", "max_ejection_percent": 50,
            "min_health_percent": 30})], workers=2)
        for address in ORIGINS:
            self.control(address, 500)
        for i in range(60):
            self.code(f"/cap{i}")
        self.verify_equal(len(self.ejected()), 2, "ejected of four at 50 %")

    def test_all_down(self):
        """All endpoints ejected (cap 100 %, no panic): 503 with flag UH and no attempt at any endpoint."""
        self.start([route("web", max_retries=0)], [cluster("web", [(ORIGINS[0], PORT)], protocol="http1", outlier={
            "consecutive_errors": 2, "base_ejection_time": "30s", "max_ejection_percent": 100,
            "min_health_percent": 0}, balancing={"panic_threshold": 0})])
        self.control(ORIGINS[0], 500)
        for i in range(2):
            self.verify_equal(self.code(f"/x{i}"), 500, "failing endpoint's own answer")
        since = time.monotonic_ns()
        text = self.get("/gone", "-i")
        self.verify(" 503 " in text.split("\r\n")[0] and "UH" in text, text)
        self.verify(not self.served(since), "an ejected endpoint was asked")

    def test_origin_dies(self):
        """Kill -9 of an origin under load: every request that fails carries a flag; later ones all succeed."""
        victim = script(self.site.lab, "origin", "victim", "origin.py", ORIGIN, 8090, "victim", self.log)
        wait_listening(self.site.lab, victim, "origin", ORIGIN, 8090)
        self.start([route("web")], [cluster("web", [(ORIGIN, 8090), (ORIGINS[0], PORT)], protocol="http1")])
        load = self.site.lab.start("dieload", "client", "h2load", "-n", 300 if self.small else 2000, "-c", 4, "-m", 4,
                                   f"http://{VIP}/")
        wait_for("load to run", lambda: len(self.dut.access()) > 50, 20)
        victim.kill()
        load.wait(100)
        n = 300 if self.small else 2000
        wait_for("all records", lambda: len(self.dut.access()) >= n, 10, 0.1)
        failed = [r for r in self.dut.access() if r["status"] >= 500 or r["status"] == 0]
        self.note(f"{len(failed)} of {n} requests failed when the origin was killed")
        self.verify(len(failed) <= 16, f"{len(failed)} failed")
        self.verify(all(r["flag"] not in ("", "-") for r in failed), f"failures without a flag: {failed[:3]}")
        for i in range(10):
            self.verify_equal(self.code(f"/later{i}"), 200, "after the death")

    def test_upstream_half_answer(self):
        """An endpoint that closes without an answer: 503 UC for POST, and the client is told."""
        self.start([route("web", max_retries=0)], [cluster("web", [(ORIGINS[0], PORT)], protocol="http1",
                                                           outlier={"consecutive_errors": 0})])
        self.control(ORIGINS[0], 0)
        text = self.get("/", "-i", "-d", "x")
        self.verify(" 503 " in text.split("\r\n")[0] or " 502 " in text.split("\r\n")[0], text)
        self.dut.wait_access(lambda r: r["flag"] == "UC")


class TestAuthorization(DecisionSuite):
    def test_identity_and_path(self):
        """Same identity: /users/x is 200, /admin/x is 403; another identity is refused both; no rule by which
        a client without a certificate gets in; DELETE is denied by a deny rule. Refusals are logged with the identity."""
        lab = self.site.lab
        c = Certs(lab.path("authzcerts"))
        c.authority("mesh")
        c.leaf("dut", spiffe="spiffe://mesh.local/ns/demo/sa/dut", dns=["dut.example"])
        for name in ("alice", "bob"):
            c.leaf(name, spiffe=f"spiffe://mesh.local/ns/demo/sa/{name}")
        alice = "spiffe://mesh.local/ns/demo/sa/alice"
        self.start([route("web")], [self.all_origins(protocol="http1")], listeners=[listener(
            443, tls={"mode": "strict", "secret": "dut", "trust": "mesh"},
            authorization={"default": "deny", "rules": [
                {"name": "no-delete", "action": "deny", "methods": ["DELETE"]},
                {"name": "alice-users", "action": "allow", "ids": [{"exact": alice}], "paths": ["/users/"]}]})],
            secrets=[{"name": "dut", "certificate": c.pem("dut"), "private_key": c.key("dut")}],
            trust=[{"name": "mesh", "trust_domain": "mesh.local", "bundle": c.pem("mesh")}])

        def ask(who, path, *more):
            return curl_code(lab, "client", "--cacert", c.pem("mesh"), "--cert", c.pem(who), "--key", c.key(who),
                             "--resolve", f"dut.example:443:{VIP}", *more, f"https://dut.example{path}")
        self.verify_equal(ask("alice", "/users/x"), 200, "alice /users/x")
        self.verify_equal(ask("alice", "/admin/x"), 403, "alice /admin/x")
        self.verify_equal(ask("alice", "/users/../admin/x", "--path-as-is"), 403, "alice around the corner")
        self.verify_equal(ask("bob", "/users/x"), 403, "bob /users/x")
        self.verify_equal(ask("alice", "/users/x", "-X", "DELETE"), 403, "alice deletes")
        self.dut.wait_access(lambda r: r["status"] == 403 and r.get("peer") == alice)
        self.verify(self.dut.drops("denied") >= 4, "denied was not counted")
