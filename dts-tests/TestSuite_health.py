"""Active health checks: origins that fail, hang, die and come back; over TCP, gRPC and mutual TLS; reloads."""
import collections
import json
import os
import time

from local.bench_site import ORIGIN, ORIGINS, VIP, cluster, route
from local.lab import wait_for
from local.programs import curl, h2load, nginx, script, wait_listening
from local.suite import tells_the_time
from TestSuite_decisions import PORT, DecisionSuite
from TestSuite_tls import Certs

INTERVAL = 0.3
CHECK = {"interval": "300ms", "timeout": "300ms", "no_traffic_interval": "0s"}
# Two probes, each at most an interval and its jitter after the one before; the last may take its timeout.
BOUND = 2 * INTERVAL * 1.1 + 0.3
QUIET = {"consecutive_errors": 0}


class TestHealth(DecisionSuite):
    def begin(self, check=CHECK, workers=2, **more):
        self.settings = {"clusters": [self.all_origins(protocol="http1", health_check=dict(check), **{
            "outlier": QUIET, "breaker": {"enabled": False}, **more})]}
        self.start([route("web", max_retries=0)], self.settings["clusters"], workers=workers)
        self.wait_health({o: "healthy" for o in ORIGINS})

    def endpoints(self, name="web"):
        """By address (by address and port where there are several ports)."""
        found = next(c for c in self.dut.ctl_json("endpoints")["clusters"] if c["name"] == name)["endpoints"]
        return {e["address"].rsplit(":", 1)[0]: e for e in found}

    def wait_health(self, want, name="web", timeout=20):
        """Waits for these addresses' health; returns the time it was seen, and all endpoints."""
        def look():
            found = self.endpoints(name)
            return found if all(found[a]["health"] == h for a, h in want.items()) else None
        found = wait_for(f"health {want}", look, timeout, 0.02)
        return time.monotonic(), found

    @tells_the_time
    def test_detection(self):
        """An origin that answers 500, closes without an answer, or hangs leaves rotation within the bound of its
        configuration and comes back; the three others never leave, and no request reaches it meanwhile."""
        self.begin()
        took = {}
        for status in (500, 0, -1):
            since = time.monotonic()
            self.control(ORIGINS[0], status)
            at, found = self.wait_health({ORIGINS[0]: "unhealthy"})
            took[status] = at - since
            self.verify_equal({found[o]["health"] for o in ORIGINS[1:]}, {"healthy"}, "the others")
            said = {500: "unexpected status", 0: "connection or stream ended early", -1: "no answer in time"}
            self.verify_equal(found[ORIGINS[0]]["reason"], said[status], "reason")
            self.verify_equal([self.code(f"/r{status}/{i}") for i in range(8)], [200] * 8, "requests meanwhile")
            self.control(ORIGINS[0], 200)
            self.wait_health({ORIGINS[0]: "healthy"})
        self.note(f"detected after {took}, bound {BOUND:.2f} s")
        events = self.dut.access("health")
        self.verify_equal({e["upstream"].split(":")[0] for e in events if e["change"] == "unhealthy"}, {ORIGINS[0]},
                          "who was ever unhealthy")
        self.verify(max(took.values()) < BOUND + (5 if self.small else 3), f"{took}")
        self.verify(self.dut.metric("sidestep_health_down_total") == 3, "counted")

    @tells_the_time
    def test_death(self):
        """An origin that is killed leaves rotation and its requests go elsewhere; started again, it is back. With TCP
        checks the same."""
        for kind in ("http", "tcp"):
            port = {"http": 8091, "tcp": 8092}[kind]
            def alive():
                p = script(self.site.lab, "origin", f"victim-{kind}", "origin.py", ORIGIN, port, "victim", self.log)
                return wait_listening(self.site.lab, p, "origin", ORIGIN, port)
            victim = alive()
            self.start([route("web", max_retries=0)], [cluster(
                "web", [(ORIGIN, port), (ORIGINS[0], PORT)], protocol="http1", outlier=QUIET,
                health_check={**CHECK, "type": kind})])
            self.wait_health({ORIGIN: "healthy", ORIGINS[0]: "healthy"})
            victim.kill()
            found = self.wait_health({ORIGIN: "unhealthy"})[1]
            self.verify_equal(found[ORIGIN]["reason"], "connection failed", "reason")
            self.verify_equal([self.code(f"/{i}") for i in range(6)], [200] * 6, "requests")
            alive()
            self.wait_health({ORIGIN: "healthy"})
            self.dut.stop()

    @tells_the_time
    def test_panic(self):
        """Where fewer than the panic threshold are healthy, all are picked; with no threshold none is: 503, UH."""
        self.begin(balancing={"panic_threshold": 30})
        for o in ORIGINS:
            self.control(o, 204)  # fails the check, and serves
        self.wait_health({o: "unhealthy" for o in ORIGINS})
        self.verify_equal({self.code(f"/p{i}") for i in range(8)}, {204}, "in panic")
        self.settings["clusters"][0]["balancing"] = {"panic_threshold": 0}
        self.dut.settings["clusters"] = self.settings["clusters"]
        self.dut.reload(self.dut.settings)
        self.verify_equal({self.code(f"/q{i}") for i in range(8)}, {503}, "without panic")
        self.settings["clusters"][0]["health_check"]["expected_statuses"] = [200, 204]
        self.dut.reload(self.dut.settings)
        self.wait_health({o: "healthy" for o in ORIGINS})
        self.verify_equal({self.code(f"/s{i}") for i in range(8)}, {204}, "204 is expected")

    @tells_the_time
    def test_reload(self):
        """Reloads neither forget who is unhealthy nor begin phases anew; a removed endpoint is not probed any more; one
        that the configuration calls draining gets no request."""
        self.begin()
        self.control(ORIGINS[0], 500)
        self.wait_health({ORIGINS[0]: "unhealthy"})
        web = self.settings["clusters"][0]
        self.dut.settings["clusters"] = [web]
        for i in range(5):
            web["max_pending"] = 1000 + i
            self.dut.reload(self.dut.settings)
            self.verify_equal(self.endpoints()[ORIGINS[0]]["health"], "unhealthy", f"after reload {i}")
        web["endpoints"] = web["endpoints"][:3]
        web["endpoints"][1]["health"] = "draining"
        self.dut.reload(self.dut.settings)
        self.wait_health({ORIGINS[1]: "draining"})
        wait_for("three probed", lambda: self.dut.metric("sidestep_health_endpoints") == 3, 5)
        since, probes = time.monotonic_ns(), self.endpoints()[ORIGINS[2]]["probes"]
        self.verify_equal({self.code(f"/d{i}") for i in range(6)}, {200}, "requests")
        wait_for("more probes", lambda: self.endpoints()[ORIGINS[2]]["probes"] >= probes + 3)
        served = collections.Counter((r[1], r[3] == "/health") for r in self.served(since))
        self.verify(("o3", True) not in served, f"the removed one was probed: {served}")
        self.verify(("o1", False) not in served and ("o1", True) in served, f"the draining one: {served}")

    @tells_the_time
    def test_log_and_ejection(self):
        """Outlier detection ejects for a minute what fails its requests only; the next good check lets it back. The
        health log has it all, with the numbers."""
        log = self.site.lab.path("health.jsonl")
        self.settings = {}
        self.start([route("web", max_retries=0)], [self.all_origins(
            protocol="http1", health_check={**CHECK, "interval": "3s", "path": "/control", "expected_statuses": ["200-499"],
                                            "method": "HEAD"},
            breaker={"enabled": False}, outlier={"consecutive_errors": 1, "base_ejection_time": "60s"})],
            health_log={"path": log})
        self.wait_health({o: "healthy" for o in ORIGINS})
        for i in range(8):
            self.code(f"/delay/{i}", "-H", "host: x")
        self.control(ORIGINS[0], 500)
        wait_for("the ejection", lambda: [self.code(f"/e{i}") for i in range(4)] and
                 self.endpoints()[ORIGINS[0]]["ejections"] == 1, 10)
        self.control(ORIGINS[0], 200)
        wait_for("its end", lambda: not self.endpoints()[ORIGINS[0]]["ejected"], 10)

        def lines():
            with open(log, encoding="utf-8") as f:
                rows = [json.loads(line) for line in f]
            return rows if any(r.get("change") == "unejected" for r in rows) else None
        rows = wait_for("the log", lines)
        self.verify_equal({r["kind"] for r in rows}, {"health", "ejected"}, "kinds")
        first = next(r for r in rows if r.get("change") == "healthy")
        self.verify(first["endpoints"] == 4 and first["in_a_row"] == 1 and "cluster" in first, f"{first}")

    @tells_the_time
    def test_over_mutual_tls(self):
        """Over the cluster's own TLS, with our certificate, on one connection for many probes; x-envoy-degraded
        keeps an endpoint for what the others cannot carry, x-envoy-immediate-health-check-fail takes it out at once."""
        lab, c = self.site.lab, Certs(self.site.lab.path("hcerts"))
        c.authority("mesh")
        for name in ("dut", "origin"):
            c.leaf(name, spiffe=f"spiffe://mesh.local/ns/demo/sa/{name}", dns=[f"{name}.example"])
        tls = (f"ssl_certificate {c.pem('origin')}; ssl_certificate_key {c.key('origin')}; ssl_verify_client on; "
               f"ssl_client_certificate {c.pem('mesh')};")
        servers = "".join(
            f"server {{ listen {o}:8443 ssl; {tls} access_log {lab.path(f'tls{i}.log')} seen; location / {{ "
            f"if (-f {lab.path(f'degraded{i}')}) {{ add_header x-envoy-degraded 1; return 200 'o{i}'; }} "
            f"if (-f {lab.path(f'told{i}')}) {{ add_header x-envoy-immediate-health-check-fail 1; return 200 'o{i}'; }} "
            f"return 200 'o{i}'; }} }}" for i, o in enumerate(ORIGINS))
        web = nginx(lab, "origin", "hctls", servers,
                    extra="log_format seen '$connection $request_uri $host $http_x_health_check $ssl_client_verify';")
        wait_listening(lab, web, "origin", ORIGINS[0], 8443)
        self.start([route("web", max_retries=0)], [cluster(
            "web", [(o, 8443) for o in ORIGINS], protocol="http1", outlier=QUIET,
            tls={"secret": "dut", "trust": "mesh", "allowed_ids": [{"prefix": "spiffe://mesh.local/"}]},
            health_check={**CHECK, "unhealthy_threshold": 50})], workers=2,
            secrets=[{"name": "dut", "certificate": c.pem("dut"), "private_key": c.key("dut")}],
            trust=[{"name": "mesh", "trust_domain": "mesh.local", "bundle": c.pem("mesh")}])
        self.wait_health({o: "healthy" for o in ORIGINS})
        lab.write("degraded1", "")
        self.wait_health({ORIGINS[1]: "degraded"})
        self.verify_equal({self.get(f"/x{i}") for i in range(12)}, {"o0", "o2", "o3"}, "who serves while one is degraded")
        os.remove(lab.path("degraded1"))
        lab.write("told2", "")
        found = self.wait_health({ORIGINS[1]: "healthy", ORIGINS[2]: "unhealthy"})[1]
        self.verify("said so itself" in found[ORIGINS[2]]["reason"], f"{found[ORIGINS[2]]}")
        os.remove(lab.path("told2"))
        self.wait_health({ORIGINS[2]: "healthy"})

        def probes():
            with open(lab.path("tls0.log"), encoding="utf-8") as f:
                return [line.split() for line in f if " /health " in line and line.endswith("\n")]
        rows = wait_for("five probes of one endpoint", lambda: len(probes()) >= 5 and probes())
        self.verify_equal({tuple(r[1:]) for r in rows}, {("/health", "web", "mesh", "SUCCESS")}, "what was asked")
        self.verify_equal(len({r[0] for r in rows}), 1, "connections of the probes")
        web.stop()

    @tells_the_time
    def test_told_by_a_request(self):
        """A request's answer says that its endpoint is not well: it is out at once, before any probe finds out."""
        lab = self.site.lab
        servers = "".join(f"server {{ listen {o}:8093; location = /health {{ return 200; }} location / {{ "
                          f"if (-f {lab.path(f'ill{i}')}) {{ add_header x-envoy-immediate-health-check-fail 1; "
                          f"return 200 'o{i}'; }} return 200 'o{i}'; }} }}" for i, o in enumerate(ORIGINS[:2]))
        web = nginx(lab, "origin", "hcill", servers)
        wait_listening(lab, web, "origin", ORIGINS[0], 8093)
        self.start([route("web")], [cluster("web", [(o, 8093) for o in ORIGINS[:2]], protocol="http1", outlier=QUIET,
                                            balancing={"panic_threshold": 0},
                                            health_check={**CHECK, "interval": "60s"})])
        self.wait_health({o: "healthy" for o in ORIGINS[:2]})
        lab.write("ill0", "")
        got = [self.get(f"/{i}") for i in range(10)]
        self.verify_equal(got.count("o0"), 1, f"answers: {got}")
        self.verify_equal(self.endpoints()[ORIGINS[0]]["health"], "unhealthy", "health")
        web.stop()

    @tells_the_time
    def test_grpc(self):
        """grpc.health.v1 against grpcio: the server's health and a service's; NOT_SERVING and an unknown service are
        failures."""
        lab = self.site.lab
        state, log = lab.write("grpc.state", "- 1\nshop.Cart 1\n"), lab.path("grpc.calls")
        p = script(lab, "origin", "grpc-health", "health_grpc.py", ORIGIN, "8094", state, log)
        wait_listening(lab, p, "origin", ORIGIN, 8094)
        check = {**CHECK, "type": "grpc"}
        self.start([route("all", prefix="/all"), route("cart")], [
            cluster("all", [(ORIGIN, 8094)], health_check=check),
            cluster("cart", [(ORIGIN, 8094)], health_check={**check, "service_name": "shop.Cart"}),
            cluster("nobody", [(ORIGIN, 8094)], health_check={**check, "service_name": "shop.Nobody"})])
        self.wait_health({ORIGIN: "healthy"}, "all")
        self.wait_health({ORIGIN: "healthy"}, "cart")
        lab.write("grpc.state", "- 1\nshop.Cart 2\n")
        found = self.wait_health({ORIGIN: "unhealthy"}, "cart")[1][ORIGIN]
        self.verify_equal((found["reason"], found["probe_status"]), ("gRPC health says not serving", 2), "cart")
        nobody = wait_for("a probe", lambda: (lambda e: e if e["probes"] else None)(self.endpoints("nobody")[ORIGIN]))
        self.verify_equal((nobody["health"], nobody["reason"], nobody["probe_status"]),
                          ("unhealthy", "no good answer of gRPC health", 5), "unknown service")
        self.verify_equal(self.endpoints("all")[ORIGIN]["health"], "healthy", "the server")
        lab.write("grpc.state", "- 1\nshop.Cart 1\n")
        self.wait_health({ORIGIN: "healthy"}, "cart")
        with open(log, encoding="utf-8") as f:
            self.verify_equal(set(f.read().split()), {"-", "shop.Cart", "shop.Nobody"}, "services asked for")

    def test_share_of_failures(self):
        """An endpoint that fails most of its requests, but never five in a row, is ejected when a window ends; the
        log says by which numbers. The others fail as little as before."""
        self.start([route("web", max_retries=0)], [self.all_origins(
            protocol="http1", breaker={"enabled": False},
            outlier={"consecutive_errors": 0, "interval": "1s", "base_ejection_time": "60s",
                     "success_rate_minimum_hosts": 0, "failure_percentage_minimum_hosts": 4})])
        curl(self.site.lab, "origin", "-X", "POST", f"http://{ORIGINS[0]}:{PORT}/control?status=500&percent=70")

        def ejected():
            h2load(self.site.lab, "client", "-n", 400, "-c", 4, f"http://{VIP}/")
            return self.dut.access("ejected")
        events = wait_for("the ejection", ejected, 20, 0)
        self.verify_equal([e["upstream"] for e in events], [f"{ORIGINS[0]}:{PORT}"], "who")
        e = events[0]
        self.verify_equal((e["reason"], e["threshold_percent"], e["times"], e["endpoints"]),
                          ("share of failures", 50, 1, 4), f"{e}")
        self.verify(e["requests"] >= 50 and e["failures"] * 2 >= e["requests"] and e["for_seconds"] == 60, f"{e}")
        since = time.monotonic_ns()
        h2load(self.site.lab, "client", "-n", 100, "-c", 4, f"http://{VIP}/")
        self.verify(not [r for r in self.served(since) if r[1] == "o0"], "it was asked again")

    def test_found_and_not_enforced(self):
        """With enforcing_consecutive_5xx = 0 an endpoint that fails is found, told and counted, and asked as before;
        after a reload that takes the key away it is ejected."""
        def clusters(**outlier):
            return [self.all_origins(protocol="http1", breaker={"enabled": False}, outlier={
                "consecutive_errors": 2, "base_ejection_time": "60s", **outlier})]
        self.start([route("web", max_retries=0)], clusters(enforcing_consecutive_5xx=0))
        curl(self.site.lab, "origin", "-X", "POST", f"http://{ORIGINS[0]}:{PORT}/control?status=500")

        def told(enforced, n):
            self.code("/")
            found = [e for e in self.dut.access("ejected") if e["enforced"] == enforced]
            return found if len(found) >= n else None
        for e in wait_for("three that were found", lambda: told(False, 3), 60, 0):
            self.verify_equal((e["upstream"], e["reason"], e["in_a_row"], e["threshold"], e["ejected"], "times" in e),
                              (f"{ORIGINS[0]}:{PORT}", "errors in a row", 2, 2, 0, False), f"{e}")
        self.verify_equal(self.endpoints()[ORIGINS[0]]["ejections"], 0, "ejections")
        self.verify_equal(self.dut.metric("sidestep_ejections_total"), 0, "ejections counted")
        wait_for("the count of those found", lambda: self.dut.metric("sidestep_ejections_spared_total") >= 3)
        self.dut.reload({**self.dut.settings, "clusters": clusters()})
        e = wait_for("an ejection", lambda: told(True, 1), 60, 0)[0]
        self.verify_equal((e["upstream"], e["times"], e["ejected"]), (f"{ORIGINS[0]}:{PORT}", 1, 1), f"{e}")
        self.verify_equal({self.code(f"/after{i}") for i in range(8)}, {200}, "after it")
