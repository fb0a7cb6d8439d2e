"""Authorization and tokens: who may do what, over mutual TLS and with JWTs, h1 and h2; dry run; the audit log."""
import base64
import json
import os
import time

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, route
from local.lab import sh, wait_for
from local.libconfig import dumps
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

    def test_expressions(self):
        """Expressions over path, identity and header, and a path template: the whole value must match. A wrong one is told."""
        rules = [{"name": "orders", "action": "allow", "paths": ["/users/{*}/orders"]},
                 {"name": "numbers", "action": "allow", "paths": [{"regex": "/items/[0-9]+"}], "ids": [{"regex": ".*/ns/shop/.*"}]},
                 {"name": "build", "action": "allow", "paths": ["/build"],
                  "when": [{"key": "request.headers[x-build]", "regex": ["20[0-9]{2}-.*"]}]}]
        self.reload({"rules": rules})
        for version in ("--http1.1", "--http2"):
            for who, path, more, want in (
                    ("bob", "/users/7/orders", (), 200), ("bob", "/users/7/8/orders", (), 403),
                    ("alice", "/items/17", (), 200), ("alice", "/items/17x", (), 403), ("bob", "/items/17", (), 403),
                    ("bob", "/build", ("-H", "x-build: 2024-05"), 200), ("bob", "/build", ("-H", "x-build: v2024-05"), 403),
                    ("bob", "/build", (), 403)):
                self.verify_equal(self.ask(who, path, version, *more), want, f"{version} {who} {path} {more}")
        rules[1]["paths"] = [{"regex": "/items/("}]
        old = self.dut.settings
        done = self.dut.reload({**old, **self.settings({"rules": rules})}, check=False)
        self.verify(done.returncode != 0 and "paths: regular expression" in done.stdout + done.stderr,
                    done.stdout + done.stderr)
        self.dut.write_config(old)

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

    def test_client_behind_a_proxy(self):
        """remote_ips is the peer without trusted hops, whatever x-forwarded-for says; with one, its last address."""
        rules = {"rules": [{"name": "office", "action": "allow", "remote_ips": ["192.0.2.0/24"]}]}
        told = ("-H", "x-forwarded-for: 203.0.113.1, 192.0.2.7")
        for hops, answers in ((0, (403, 403, 403)), (1, (403, 200, 403)), (2, (403, 403, 200))):
            settings = self.settings(rules)
            settings["listeners"][0]["trusted_hops"] = hops
            self.dut.reload({**self.dut.settings, **settings})
            got = (self.ask("alice", "/"), self.ask("alice", "/", *told),
                   self.ask("alice", "/", "-H", "x-forwarded-for: 192.0.2.9, 203.0.113.1"))
            self.verify_equal(got, answers, f"{hops} trusted hops")

    def test_profile_is_shown(self):
        """--check --show prints what would be in force: a profile's defaults, the file's own values, aliases as our keys."""
        path = self.site.lab.path("shown.cfg")
        settings = {**self.dut.settings, "profile": "istio"}
        settings["clusters"] = [{**settings["clusters"][0], "connectionPool": {"http": {"http2MaxRequests": 77}}}]
        with open(path, "w", encoding="utf-8") as f:
            f.write(dumps(settings))
        done = sh(os.path.join(self.build, "sidestep"), "--check", path, "--show")
        shown = json.loads(done.stdout.splitlines()[1])
        cluster_shown, route_shown = shown["clusters"][0], shown["virtual_hosts"][0]["routes"][0]
        self.verify_equal((cluster_shown["max_requests"], cluster_shown["load_balancing"], cluster_shown["outlier"]["interval"],
                           route_shown["timeout"]), (77, "least_request", "10s", "0s"), "shown")
        # Conditions of the profile, and Istio's own words for others.
        for retries, on, status in (({}, ["connect-failure", "refused-stream", "cancelled", "unavailable"], []),
                                    ({"retries": {"attempts": 1, "retryOn": "gateway-error,503"}},
                                     ["gateway-error", "retriable-status-codes"], [503])):
            host = settings["virtual_hosts"][0]
            more = {**settings, "virtual_hosts": [{**host, "routes": [{**host["routes"][0], "retry": {}, **retries}]}]}
            if retries:
                more["virtual_hosts"][0]["routes"][0].pop("retry")
            with open(path, "w", encoding="utf-8") as f:
                f.write(dumps(more))
            done = sh(os.path.join(self.build, "sidestep"), "--check", path, "--show")
            retry = json.loads(done.stdout.splitlines()[1])["virtual_hosts"][0]["routes"][0]["retry"]
            self.verify_equal((retry["on"], retry.get("retriable_status", [])), (on, status), f"retries {retries}")

    def test_custom_is_refused_by_name(self):
        """CUSTOM needs a provider: the reload is refused with the rule's line, and the old policy goes on."""
        self.reload({"default": "allow"})
        old = self.dut.settings
        done = self.dut.reload({**old, **self.settings({"rules": [{"name": "ext", "action": "custom"}]})}, check=False)
        self.verify(done.returncode != 0 and "needs a provider" in done.stdout + done.stderr, done.stdout + done.stderr)
        self.dut.write_config(old)
        self.verify_equal(self.ask("alice", "/"), 200, "the old policy")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenMaker:
    """Tokens and key sets by the openssl program."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def rsa(self, name):
        sh("openssl", "genrsa", "-out", self.path(name), "2048")
        modulus = sh("openssl", "rsa", "-in", self.path(name), "-noout", "-modulus").stdout.split("=")[1].strip()
        return {"kty": "RSA", "kid": name, "alg": "RS256", "use": "sig", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}

    def jwks(self, *keys):
        with open(self.path("jwks.json.new"), "w", encoding="ascii") as f:
            json.dump({"keys": keys}, f)
        os.rename(self.path("jwks.json.new"), self.path("jwks.json"))
        return self.path("jwks.json")

    def token(self, key, claims, **header):
        text = b64(json.dumps({"alg": "RS256", "kid": key, **header}).encode()) + "." + b64(json.dumps(claims).encode())
        with open(self.path("text"), "w", encoding="ascii") as f:
            f.write(text)
        sh("openssl", "dgst", "-sha256", "-sign", self.path(key), "-out", self.path("sig"), self.path("text"))
        with open(self.path("sig"), "rb") as f:
            return text + "." + b64(f.read())


class TestTokens(TestAuthz):
    """The same site in plaintext and with tokens. The origin tells which headers it got."""

    def set_up_suite(self):
        super().set_up_suite()
        self.maker = TokenMaker(self.site.lab.path("tokens"))
        self.k1, self.k2 = self.maker.rsa("k1"), self.maker.rsa("k2")

    def tokens(self, requirement="required", routes=None, authorization=None, **provider):
        provider = {"name": "login", "issuer": "https://iss.example", "audiences": ["shop"],
                    "jwks": self.maker.path("jwks.json"), "claims_to_headers": [{"claim": "sub", "header": "x-user"},
                                                                              {"claim": "[r][roles]", "header": "x-roles"}],
                    **provider}
        settings = self.settings(authorization, routes=routes, jwt_providers=[provider])
        settings["listeners"][0]["jwt"] = {"providers": ["login"], "requirement": requirement}
        self.dut.reload({**self.dut.settings, **settings})

    def send(self, path="/", *more):
        c = self.certs
        return curl(self.site.lab, "client", "-i", "--cacert", c.pem("mesh"), "--cert", c.pem("alice"), "--key", c.key("alice"),
                    "--resolve", f"dut.example:443:{VIP}", *more, f"https://dut.example{path}").stdout

    def status(self, path="/", *more):
        return int(self.send(path, *more).split(" ")[1])

    def claims(self, **more):
        return {"iss": "https://iss.example", "aud": "shop", "sub": "joe", "exp": int(time.time()) + 600, **more}

    def test_tokens(self):
        """A good token is let in on HTTP/1.1 and HTTP/2, in the header or the query; every other is 401 with a reason."""
        self.maker.jwks(self.k1)
        self.tokens()
        good = self.maker.token("k1", self.claims())
        now = int(time.time())
        for version in ("--http1.1", "--http2"):
            self.verify_equal(self.status("/", version, "-H", f"Authorization: Bearer {good}"), 200, "good")
            self.verify_equal(self.status(f"/?access_token={good}", version), 200, "good, in the query")
            answer = self.send("/", version).lower()
            self.verify(" 401" in answer.split("\n")[0] and "\nwww-authenticate: bearer\n" in answer, answer)
            for what, token in (("expired", self.maker.token("k1", self.claims(exp=now - 100))),
                                ("early", self.maker.token("k1", self.claims(nbf=now + 100))),
                                ("another issuer", self.maker.token("k1", self.claims(iss="https://other"))),
                                ("another audience", self.maker.token("k1", self.claims(aud=["blog"]))),
                                ("another key", self.maker.token("k2", self.claims())),
                                ("another key's name", self.maker.token("k2", self.claims(), kid="k1")),
                                ("changed", good[:-8] + ("A" if good[-8] != "A" else "B") + good[-7:]),
                                ("none", b64(b'{"alg":"none"}') + "." + good.split(".")[1] + ".AA"), ("text", "abc")):
                answer = self.send("/", version, "-H", f"Authorization: Bearer {token}").lower()
                self.verify(" 401" in answer.split("\n")[0] and 'error="invalid_token"' in answer, f"{what}: {answer}")
        self.verify(self.dut.drops("token_missing") == 2 and self.dut.drops("token_expired") >= 4
                    and self.dut.drops("token_refused") >= 4 and self.dut.drops("token_invalid") >= 8, "drops")
        line = self.wait_audit(lambda r: r.get("reason") == "token_expired")
        self.verify_equal((line["authorization"], line["status"], line["peer"], line["own"]), ("denied", 401, ALICE, DUT), "audit")
        self.verify(not any("access_token=" in r["path"] for r in self.dut.access() if r["status"] == 200),
                    "the log has a token")
        grpc = self.send("/", "--http2", "-X", "POST", "-H", "content-type: application/grpc").lower()
        self.verify(" 200" in grpc.split("\n")[0] and "grpc-status: 16" in grpc, grpc)

    def test_requirements(self):
        """A route may ask for less or more than its listener; allow_missing lets none in, and no wrong one."""
        self.maker.jwks(self.k1)
        good, wrong = self.maker.token("k1", self.claims()), self.maker.token("k2", self.claims())
        self.tokens(routes=[{**route("web", prefix="/open"), "name": "open", "jwt": "none"},
                            {**route("web", prefix="/maybe"), "name": "maybe", "jwt": "allow_missing"}, route("web")])
        for path, answers in (("/", (401, 200, 401)), ("/maybe", (200, 200, 401)), ("/open", (200, 200, 200))):
            got = tuple(self.status(path, *((("-H", f"Authorization: Bearer {t}")) if t else ())) for t in (None, good, wrong))
            self.verify_equal(got, answers, path)

    def test_claims(self):
        """Claims decide in rules and routes, reach the origin as headers that no client can write; the token does not."""
        self.maker.jwks(self.k1)
        rules = [{"name": "joe", "action": "allow", "request_principals": ["https://iss.example/joe"], "paths": ["/who"]},
                 {"name": "admins", "action": "allow", "paths": ["/admin", "/headers"],
                  "when": [{"key": "request.auth.claims[r][roles]", "values": ["admin"]}]},
                 {"name": "routed", "action": "allow", "paths": ["/routed"]}]
        vip = {"name": "vip", "match": {"prefix": "/routed", "headers": [{"name": "x-user", "exact": "joe"}]},
               "direct_response": {"status": 209}}
        self.tokens(routes=[vip, route("web")], authorization={"rules": rules}, forward=False)
        joe, ann = self.maker.token("k1", self.claims()), self.maker.token(
            "k1", self.claims(sub="ann", r={"roles": ["x", "admin"]}))

        def ask(path, token, *more):
            return self.status(path, "-H", f"Authorization: Bearer {token}", *more)
        self.verify_equal((ask("/who", joe), ask("/who", ann), ask("/admin", joe), ask("/admin", ann)), (200, 403, 403, 200), "rules")
        self.verify_equal((ask("/routed", joe), ask("/routed", ann), ask("/routed", ann, "-H", "x-user: joe")), (209, 200, 200), "routes")
        seen = self.send("/headers", "-H", f"Authorization: Bearer {ann}", "-H", "X-User: root", "-H", "x-roles: root").lower()
        self.verify('["x-user", "ann"]' in seen and '["x-roles", "x,admin"]' in seen and "root" not in seen and "bearer" not in seen, seen)

    def test_keys_change_by_reload(self):
        """A token that was let in is refused once its key is gone, although it was remembered."""
        self.maker.jwks(self.k1)
        self.tokens()
        old, new = self.maker.token("k1", self.claims()), self.maker.token("k2", self.claims())
        self.verify_equal([self.status("/", "-H", f"Authorization: Bearer {t}") for t in (old, old, new)], [200, 200, 401], "k1")
        self.maker.jwks(self.k2)
        self.dut.reload()
        self.verify_equal([self.status("/", "-H", f"Authorization: Bearer {t}") for t in (old, new)], [401, 200], "k2")
