"""External authorization: authorizers that allow, deny, stall, reset and lie, over HTTP/1.1 and HTTP/2 clients, and over mutual TLS."""
import json
import os
import threading
import time

from local.bench_site import ORIGIN, ORIGINS, Site, VIP, cluster, listener, one_host, route
from local.lab import wait_for
from local.programs import curl, h2load, nghttpd, script, wait_listening
from local.suite import TestSuite, tells_the_time
from TestSuite_tls import Certs

PORT, ASK, ASK_TLS, ASK_H2 = 8080, 9000, 9443, 9002
TIMEOUT = 400  # ms
# Else the cluster's breaker answers for the authorizer after ten failures, as it should.
CALM = {"outlier": {"consecutive_errors": 0}, "breaker": {"enabled": False}}


class TestExtAuthz(TestSuite):
    def set_up_suite(self):
        self.site = Site("ex")
        lab = self.site.lab
        self.certs = c = Certs(lab.path("certs"))
        c.authority("mesh")
        c.leaf("dut", spiffe="spiffe://mesh.local/ns/demo/sa/dut", dns=["dut.example"])
        c.leaf("sso", spiffe="spiffe://mesh.local/ns/demo/sa/sso", dns=["sso.example"])
        wait_listening(lab, script(lab, "origin", "o", "origin.py", ORIGIN, PORT, "o", lab.path("origin.txt")),
                       "origin", ORIGIN, PORT)
        self.log = lab.path("asked.jsonl")
        for name, port, more in (("sso", ASK, ()), ("sso-tls", ASK_TLS, (c.pem("sso"), c.key("sso"), c.pem("mesh")))):
            wait_listening(lab, script(lab, "origin", name, "authorizer.py", ORIGINS[0], port, self.log, *more),
                           "origin", ORIGINS[0], port)
        self.dut = self.site.appliance(self.build, self.settings()).start()

    def tear_down_suite(self):
        self.dut.stop()
        self.site.close()

    def settings(self, rules=None, provider=None, clusters=()):
        c = self.certs
        tls = {"secret": "dut", "trust": "mesh", "sni": "sso.example",
               "allowed_ids": [{"exact": "spiffe://mesh.local/ns/demo/sa/sso"}]}
        rules = rules if rules is not None else [{"name": "in", "action": "custom", "provider": "sso", "not_paths": ["/free"]}]
        return {"listeners": [listener(authorization={"default": "allow", "rules": rules})],
                "virtual_hosts": one_host([route("web")]),
                "clusters": [cluster("web", [(ORIGIN, PORT)], protocol="http1"),
                             cluster("sso", [(ORIGINS[0], ASK)], protocol="http1", max_pending=4096,
                                     **CALM),
                             cluster("sso-tls", [(ORIGINS[0], ASK_TLS)], protocol="http1", tls=tls), *clusters],
                "ext_authz": [{"name": "sso", "cluster": "sso", "path_prefix": "/check", "timeout": "20s",
                               "include_request_headers_in_check": ["x-do", "cookie"],
                               "headers_to_upstream_on_allow": ["x-auth-user"],
                               "headers_to_downstream_on_allow": ["set-cookie"], **(provider or {})}],
                "secrets": [{"name": "dut", "certificate": c.pem("dut"), "private_key": c.key("dut")}],
                "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": c.pem("mesh")}]}

    def reload(self, *args, **kw):
        self.dut.reload({**self.dut.settings, **self.settings(*args, **kw)})

    def send(self, path, *more):
        """(status, head and body in lower case)"""
        text = curl(self.site.lab, "client", "-i", *more, f"http://{VIP}{path}").stdout.lower()
        return int(text.split(" ")[1]), text

    def asked(self, path):
        with open(self.log, encoding="utf-8") as f:
            return [r for r in map(json.loads, f) if r["path"].startswith(path)]

    def reached(self, path):
        with open(self.site.lab.path("origin.txt"), encoding="ascii") as f:
            return sum(1 for line in f if line.split()[3] == path)

    def test_order(self):
        """The authorizer first, then deny, allow and the default, on HTTP/1.1 and HTTP/2; its refusal is the client's answer."""
        rules = [{"name": "no", "action": "deny", "paths": ["/no"]},
                 {"name": "in", "action": "custom", "provider": "sso", "not_paths": ["/free"]}]
        self.reload(rules)
        for version in ("--http1.1", "--http2-prior-knowledge"):
            self.verify_equal(self.send("/free/deny", version)[0], 200, "not asked about")
            self.verify_equal(self.send("/allow", version)[0], 200, "allowed")
            self.verify_equal(self.send("/no/allow", version)[0], 403, "allowed, and denied by a rule")
            status, text = self.send("/no/login", version)
            self.verify(status == 302 and "location: https://login.example/" in text and "set-cookie: state=1" in text
                        and "x-sidestep-flag: uaex" in text, text)
            status, text = self.send("/deny", version)
            self.verify(status == 403 and text.endswith("not you\n") and "x-why: policy" in text, text)
        self.verify_equal(self.asked("/check/free"), [], "asked about /free")
        self.verify_equal((self.reached("/no/allow"), self.reached("/deny"), self.reached("/allow")), (0, 0, 2), "reached the origin")
        line = self.dut.wait_access(lambda r: r["path"] == "/deny")
        self.verify_equal((line["flag"], line["reason"], line["status"]), ("UAEX", "ext_authz_denied", 403), "the record")
        self.verify_equal(int(self.dut.metric("sidestep_authorization_total", policy="in", result="denied")), 4, "counted")
        grpc = self.send("/deny", "--http2-prior-knowledge", "-X", "POST", "-H", "content-type: application/grpc")[1]
        self.verify("http/2 200" in grpc and "grpc-status: 7" in grpc, grpc)

    def test_headers(self):
        """What the check carries, what an answer adds on both sides, and a body that waits meanwhile."""
        self.reload()
        status, text = self.send("/headers?a=b", "-H", "x-do: user", "-H", "x-auth-user: forged", "-H", "authorization: Bearer t",
                                 "-H", "x-other: 1")
        told = {k.lower(): v for k, v in json.loads(text.split("\n\n", 1)[1])}
        self.verify(status == 200 and told["x-auth-user"] == "alice" and "set-cookie: seen=1" in text, text)
        check = self.asked("/check/headers?a=b")[-1]
        head = check["headers"]
        self.verify_equal((check["method"], head["host"], head["authorization"], head["x-do"], head["content-length"],
                           head["x-forwarded-for"], head["x-forwarded-proto"], head.get("x-other"), head.get("x-auth-user")),
                          ("GET", VIP, "Bearer t", "user", "0", "10.1.0.1", "http", None, None), "the check")
        big = self.site.lab.write("big", "x" * 300000)
        for version in ("--http1.1", "--http2-prior-knowledge"):
            status, text = self.send("/sha256", version, "-H", "x-do: close", "-H", "expect:", "--data-binary", f"@{big}")
            self.verify(status == 200 and "300000" in text, text)
        self.verify_equal(self.asked("/check/sha256")[-1]["headers"]["content-length"], "0", "of a check")

    @tells_the_time
    def test_no_good_answer(self):
        """Stalled, reset, lying, failing, huge: the failure mode closes by default and opens when told; a refusal stays one."""
        failures = ("stall", "reset", "lie", "error", "huge")
        for mode, want in (({"status_on_error": 503}, 503), ({"fail_open": True}, 200)):
            self.reload(provider={**mode, "timeout": f"{TIMEOUT}ms"})
            for word in failures:
                before = self.dut.metric("sidestep_ext_authz_failed_total")
                start = time.monotonic()
                self.verify_equal(self.send(f"/free-not/{word}")[0], want, f"{word}, {mode}")
                took = time.monotonic() - start
                self.verify(word != "stall" or took >= TIMEOUT / 1000, f"{word} took {took} s")
                self.verify_equal(self.dut.metric("sidestep_ext_authz_failed_total") - before, 1, f"{word} counted")
            self.verify_equal(self.send("/hugedeny")[0], 403, "denied, with a body that is too long")
        self.verify_equal(self.dut.metric("sidestep_ext_authz_late_total"), 2, "late")
        self.verify_equal(self.dut.drops("ext_authz_failed"), len(failures), "drops")

    def test_client_goes_away(self):
        """A client that goes away while its check is under way: the check is given up."""
        self.reload()
        before = self.dut.metric("sidestep_ext_authz_cut_total")
        gone = self.site.lab.start("gone", "client", "curl", "--http2-prior-knowledge", f"http://{VIP}/gone/stall")
        wait_for("its check", lambda: self.asked("/check/gone"), 5)
        gone.kill()
        wait_for("a check given up", lambda: self.dut.metric("sidestep_ext_authz_cut_total") == before + 1, 5)

    @tells_the_time
    def test_authorizer_dies(self):
        """Nothing listens: refused at once, not after the timeout; when it is back, requests pass."""
        dead = cluster("dead", [(ORIGINS[1], 9999)], protocol="http1", **CALM)
        self.reload(provider={"cluster": "dead"}, clusters=[dead])
        start = time.monotonic()
        self.verify_equal(self.send("/allow")[0], 403, "dead")
        self.verify(time.monotonic() - start < 5, "waited for nobody")
        self.reload()
        self.verify_equal(self.send("/allow")[0], 200, "back")

    def test_dry_run(self):
        """Tried, not enforced: what would be denied is counted and logged."""
        rule = {"name": "trial", "action": "custom", "provider": "sso", "dry_run": True}
        self.reload([rule])
        for word in ("deny", "error", "allow"):
            self.verify_equal(self.send(f"/dry/{word}")[0], 200, word)
        self.verify_equal(int(self.dut.metric("sidestep_authorization_total", policy="trial", result="dry_run_denied")), 2, "counted")
        line = self.dut.wait_access(lambda r: r["path"] == "/dry/deny")
        self.verify_equal((line["status"], line["flag"]), (200, "-"), "the record")

    def test_mutual_tls(self):
        """The authorizer demands our certificate and shows its own: checks go over the cluster's TLS."""
        self.reload(provider={"cluster": "sso-tls"})
        self.verify_equal(self.send("/tls/allow")[0], 200, "allowed")
        self.verify_equal(self.send("/tls/deny")[0], 403, "denied")
        self.verify_equal(len(self.asked("/check/tls/")), 2, "asked")

    def test_over_http2(self):
        """An authorizer that speaks HTTP/2 (nghttpd: a file that is there allows, 404 denies)."""
        lab = self.site.lab
        root = lab.path("root")
        os.makedirs(os.path.join(root, "check"))
        with open(os.path.join(root, "check", "known"), "w", encoding="ascii") as f:
            f.write("yes")
        nghttpd(lab, "origin", "sso-h2", ORIGINS[0], ASK_H2, root)
        self.reload(provider={"cluster": "sso-h2"},
                    clusters=[cluster("sso-h2", [(ORIGINS[0], ASK_H2)], protocol="http2")])
        for version in ("--http1.1", "--http2-prior-knowledge"):
            self.verify_equal(self.send("/known", version)[0], 200, "allowed")
            status, text = self.send("/unknown", version)
            self.verify(status == 404 and "x-sidestep-flag: uaex" in text, text)

    def test_reload_while_it_waits(self):
        """A reload takes rule, provider and cluster away while checks are under way: each request gets an answer."""
        self.reload(provider={"timeout": "3s"})
        codes = []

        def one():
            codes.append(self.send("/wait/stall")[0])

        threads = [threading.Thread(target=one) for _ in range(3)]
        for t in threads:
            t.start()
        wait_for("checks under way", lambda: len(self.asked("/check/wait/stall")) == 3, 5)
        bare = self.settings([])
        self.dut.reload({**self.dut.settings, **bare, "clusters": bare["clusters"][:1], "ext_authz": []})
        self.verify_equal(self.send("/wait/deny")[0], 200, "nobody is asked any more")
        for t in threads:
            t.join()
        self.verify_equal(codes, [403] * 3, "the failure mode of then")

    def test_many(self):
        """Many clients at once over connections that are kept: every one is allowed."""
        self.reload()
        n = 500 if self.small else 2000
        got = h2load(self.site.lab, "client", "-n", n, "-c", 5, "-m", 10, f"http://{VIP}/many/allow")
        self.verify_equal(got["2xx"], n, "allowed")
        checks = len(self.asked("/check/many"))
        self.verify_equal(checks, n, "checks")
