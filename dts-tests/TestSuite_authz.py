"""Authorization and tokens: who may do what, over mutual TLS and with JWTs, h1 and h2; dry run; the audit log."""
import json
import os

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, route
from local.lab import wait_for
from local.programs import curl, curl_code, script, wait_listening
from local.suite import TestSuite
from TestSuite_tls import Certs

PORT = 8080
ID = "spiffe://mesh.local/ns/{}/sa/{}".format
ALICE, BOB, DUT = ID("shop", "alice"), ID("test", "bob"), ID("demo", "dut")


class TestAuthz(TestSuite):
    """One mutual-TLS listener; policies come and go by reload."""

    def set_up_suite(self):
        self.site = Site("az")
        lab = self.site.lab
        self.certs = c = Certs(lab.path("certs"))
        c.authority("mesh")
        c.leaf("dut", spiffe=DUT, dns=["dut.example", "www.dut.example"])
        c.leaf("alice", spiffe=ALICE)
        c.leaf("bob", spiffe=BOB)
        wait_listening(lab, script(lab, "origin", "o", "origin.py", ORIGIN, PORT, "o", lab.path("origin.txt")),
                       "origin", ORIGIN, PORT)
        self.audit = lab.path("audit.jsonl")
        self.dut = self.site.appliance(self.build, self.settings({"default": "allow"})).start()

    def tear_down_suite(self):
        self.dut.stop()
        self.site.close()

    def settings(self, authorization, policies=(), routes=None, host=None, **more):
        c = self.certs
        vhost = {"name": "all", "domains": ["*"], **({"authorization": host} if host else {}),
                 "routes": routes or [route("web")]}
        return {"listeners": [{**listener(443, tls={"mode": "strict", "secret": "dut", "trust": "mesh"},
                                          **({"authorization": authorization} if authorization else {})),
                               "virtual_hosts": ["all"]}],
                "virtual_hosts": [vhost], "clusters": [cluster("web", [(ORIGIN, PORT)], protocol="http1")],
                "policies": list(policies), "audit_log": {"path": self.audit},
                "secrets": [{"name": "dut", "certificate": c.pem("dut"), "private_key": c.key("dut")}],
                "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": c.pem("mesh")}], **more}

    def reload(self, authorization, *more, **kw):
        self.dut.reload({**self.dut.settings, **self.settings(authorization, *more, **kw)})

    def ask(self, who, path, *more, host="dut.example"):
        c = self.certs
        return curl_code(self.site.lab, "client", "--cacert", c.pem("mesh"), "--cert", c.pem(who), "--key", c.key(who),
                         "--resolve", f"{host}:443:{VIP}", *more, f"https://{host}{path}")

    def count(self, policy, result):
        return int(self.dut.metric("sidestep_authorization_total", policy=policy, result=result) or 0)

    def audit_lines(self):
        with open(self.audit, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def wait_audit(self, predicate):
        return wait_for("an audit record", lambda: next((r for r in self.audit_lines() if predicate(r)), None), 5, 0.05)

    def test_parts(self):
        """Identity, namespace, method, path, host, header, SNI, source address: each alone decides, on HTTP/1.1 and HTTP/2."""
        rules = [{"name": "no-test", "action": "deny", "namespaces": ["test"], "not_paths": [{"exact": "/open"}]},
                 {"name": "open", "action": "allow", "paths": [{"exact": "/open"}]},
                 {"name": "alice", "action": "allow", "ids": [{"exact": ALICE}], "paths": ["/users"], "not_methods": ["DELETE"]},
                 {"name": "team", "action": "allow", "when": [{"key": "request.headers[x-team]", "values": ["blue"]}],
                  "source_ips": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], "paths": ["/team"]},
                 {"name": "far", "action": "allow", "source_ips": ["203.0.113.0/24"], "paths": ["/far"]},
                 {"name": "sni", "action": "allow", "paths": ["/sni"],
                  "when": [{"key": "connection.sni", "values": ["www.dut.example"]}]},
                 {"name": "host", "action": "allow", "paths": ["/host"], "hosts": ["www.dut.example"], "ports": ["443"]}]
        self.reload({"rules": rules})
        for version in ("--http1.1", "--http2"):
            for who, path, more, host, want in (
                    ("alice", "/users/1", (), "dut.example", 200), ("alice", "/users2", (), "dut.example", 403),
                    ("alice", "/users/1", ("-X", "DELETE"), "dut.example", 403), ("bob", "/users/1", (), "dut.example", 403),
                    ("bob", "/open", (), "dut.example", 200), ("alice", "/open/1", (), "dut.example", 403),
                    ("alice", "/team", ("-H", "x-team: blue"), "dut.example", 200), ("alice", "/team", (), "dut.example", 403),
                    ("bob", "/team", ("-H", "x-team: blue"), "dut.example", 403), ("alice", "/far", (), "dut.example", 403),
                    ("alice", "/sni", (), "www.dut.example", 200), ("alice", "/sni", (), "dut.example", 403),
                    ("alice", "/host", (), "www.dut.example", 200), ("alice", "/host", (), "dut.example", 403)):
                self.verify_equal(self.ask(who, path, version, *more, host=host), want, f"{version} {who} {path} {more} {host}")
        self.verify(self.count("no-test", "denied") >= 4, "no-test was not counted")
        self.verify_equal(self.count("alice", "allowed"), 2, "alice allowed")

    def test_scopes(self):
        """A route's policy stands in place of the host's and the listener's; with inherit, what is around it counts, too."""
        deny_d = {"default": "allow", "rules": [{"name": "outer-d", "action": "deny", "paths": ["/d"]}]}
        for inherit, want in ((False, 200), (True, 403)):
            inner = {"inherit": inherit, "rules": [{"name": "inner", "action": "allow", "methods": ["GET"]}]}
            self.reload(deny_d, routes=[{**route("web"), "authorization": inner}])
            self.verify_equal(self.ask("alice", "/d"), want, f"route, inherit {inherit}")
            self.verify_equal(self.ask("alice", "/", "-X", "PUT"), 403, "only GET")
            self.reload(deny_d, host=inner)
            self.verify_equal(self.ask("alice", "/d"), want, f"host, inherit {inherit}")

    def test_default_deny_by_one_switch(self):
        """authorization.default of the file: a listener that says nothing refuses everything, and again nothing."""
        for word, want in (("deny", 403), ("allow", 200)):
            settings = {**self.dut.settings, **self.settings(None), "authorization": {"default": word}}
            self.dut.reload(settings)
            self.verify_equal(self.ask("alice", "/"), want, word)
        self.dut.settings.pop("authorization")

    def test_dry_run(self):
        """A policy under trial refuses nothing; what it would refuse is counted and in the audit log, with both identities.
        Then it is enforced, and does."""
        policy = {"name": "trial", "action": "deny", "dry_run": True, "rules": [{"name": "no-admin", "paths": ["/admin"]}]}
        scope = {"default": "allow", "policies": ["trial"]}
        self.reload(scope, [policy])
        self.verify_equal(self.ask("alice", "/admin/dry"), 200, "dry run")
        self.verify_equal(self.ask("alice", "/free"), 200, "elsewhere")
        line = self.wait_audit(lambda r: r["path"] == "/admin/dry")
        self.verify_equal((line["authorization"], line["rule"], line["peer"], line["own"]),
                          ("dry_run_denied", "no-admin", ALICE, DUT), "the record")
        self.verify_equal(self.count("trial", "dry_run_denied"), 1, "counted")
        self.verify_equal(self.count("trial", "denied"), 0, "not counted")
        self.reload(scope, [{**policy, "dry_run": False}])
        self.verify_equal(self.ask("alice", "/admin/wet"), 403, "enforced")
        self.verify_equal(self.count("trial", "denied"), 1, "counted")
        line = self.wait_audit(lambda r: r["path"] == "/admin/wet")
        self.verify_equal((line["authorization"], line["rule"], line["listener"], line["route"], line["status"]),
                          ("denied", "no-admin", "in", "to-web", 403), "the record")
        self.verify(not any(r["path"] == "/free" for r in self.audit_lines()), "what was allowed is in the audit log")

    def test_audit_marks(self):
        """AUDIT changes nothing and marks the request in both logs."""
        self.reload({"default": "allow", "rules": [{"name": "seen", "action": "audit", "paths": ["/pay"]}]})
        self.verify_equal(self.ask("alice", "/pay/1"), 200, "audited")
        line = self.wait_audit(lambda r: r["path"] == "/pay/1")
        self.verify_equal((line["authorization"], line["audited"], line["rule"]), ("allowed", True, "seen"), "the record")
        self.dut.wait_access(lambda r: r["path"] == "/pay/1" and r.get("audited"))
        self.verify_equal(self.count("seen", "audited"), 1, "counted")

    def test_custom_is_refused_by_name(self):
        """CUSTOM needs an external authorizer: the reload is refused with the rule's line, and the old policy goes on."""
        old = self.dut.settings
        done = self.dut.reload({**old, **self.settings({"rules": [{"name": "ext", "action": "custom"}]})}, check=False)
        self.verify(done.returncode != 0 and "external authorizer" in done.stdout + done.stderr, done.stdout + done.stderr)
        self.dut.write_config(old)
        self.verify_equal(self.ask("alice", "/"), 200, "the old policy")
