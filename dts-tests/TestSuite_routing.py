"""Routing: what a route asks of a request, precedence, and everything that it does besides forwarding."""
import collections
import datetime
import json
import threading
import time

from local.bench_site import ORIGINS, VIP, cluster, listener, one_host, route
from local.lab import wait_for
from local.programs import curl, h2load
from local.suite import tells_the_time
from TestSuite_decisions import PORT, DecisionSuite
from TestSuite_tls import Certs

VERSIONS = ("--http1.1", "--http2-prior-knowledge")


def direct(body, **match):
    return {"name": body, "match": match, "direct_response": {"status": 200, "body": body}}


class RoutingSuite(DecisionSuite):
    def head(self, path, *more, host="a.example", version=VERSIONS[0]):
        """Status, headers (lower-case names; several values in a list), body."""
        text = curl(self.site.lab, "client", version, "-i", "-H", f"Host: {host}", *more, f"http://{VIP}{path}").stdout
        first, _, rest = text.partition("\n")
        block, _, body = rest.replace("\r", "").partition("\n\n")
        headers = collections.defaultdict(list)
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            headers[name.strip().lower()].append(value.strip())
        return int(first.split()[1]), headers, body

    def both(self, check):
        for version in VERSIONS:
            check(version)

    def seen(self, path, *more, host="a.example", version=VERSIONS[0]):
        """The headers that an origin got."""
        _, _, body = self.head(path, *more, host=host, version=version)
        return {k.lower(): v for k, v in json.loads(body)}


class TestRoutingMatches(RoutingSuite):
    def test_fields(self):
        """Query, cookies, ranges, suffix, inversion, port; in both protocol versions."""
        self.start([direct("probe", query=[{"name": "probe", "present": True}]),
                    direct("v2", query=[{"name": "v", "exact": "2"}]),
                    direct("beta", cookies=[{"name": "beta", "exact": "on"}]),
                    direct("user", cookies=[{"name": "user", "regex": "[a-z]+@x"}]),
                    direct("hot", headers=[{"name": "x-load", "range": [90, 101]}]),
                    direct("dev", query=[{"name": "v", "suffix": "-dev"}]),
                    direct("port", ports=[8080]),
                    direct("named", query=[{"name": "id", "exact": "", "invert": True},
                                           {"name": "id", "present": True}]),
                    direct("rest")], [], listeners=[listener(80), listener(8080, name="other")])

        def check(version):
            for path, extra, want in (("/?probe", [], "probe"), ("/?a=1&v=2", [], "v2"), ("/?v=3-dev", [], "dev"),
                                      ("/?v=1&v=2", [], "rest"), ("/?v=2&v=1", [], "v2"), ("/?v=%32", [], "rest"),
                                      ("/", ["-H", "Cookie: a=1; beta=on"], "beta"),
                                      ("/", ["-H", "Cookie: user=ab@x"], "user"),
                                      ("/", ["-H", "Cookie: user=AB@x"], "rest"),
                                      ("/", ["-H", "X-Load: 100"], "hot"), ("/", ["-H", "X-Load: 101"], "rest"),
                                      ("/?id=1", [], "named"), ("/?id=", [], "rest"), (":8080/", [], "port")):
                self.verify_equal(self.head(path, *extra, version=version)[2], want, f"{version} {path} {extra}")
        self.both(check)

    def test_who_asks(self):
        """The client's SPIFFE id and the SNI of its handshake choose routes."""
        certs = Certs(self.site.lab.path("certs"))
        certs.authority("mesh")
        certs.leaf("dut", spiffe="spiffe://mesh.local/dut", dns=["dut.example", "api.example"])
        for name in ("cart", "billing"):
            certs.leaf(name, spiffe=f"spiffe://mesh.local/ns/shop/sa/{name}")
        self.start([direct("billing", source_ids=["spiffe://mesh.local/ns/shop/sa/billing"]),
                    direct("api", sni=["api.example"]),
                    direct("shop", source_ids=[{"prefix": "spiffe://mesh.local/ns/shop/"}])], [],
                   listeners=[listener(443, tls={"secret": "dut", "trust": "mesh"})],
                   secrets=[{"name": "dut", "certificate": certs.pem("dut"), "private_key": certs.key("dut")}],
                   trust=[{"name": "mesh", "trust_domain": "mesh.local", "bundle": certs.pem("mesh")}])
        for who, name, want in (("billing", "dut.example", "billing"), ("cart", "api.example", "api"),
                                ("cart", "dut.example", "shop")):
            got = curl(self.site.lab, "client", "--cert", certs.pem(who), "--key", certs.key(who), "--cacert",
                       certs.pem("mesh"), "--resolve", f"{name}:443:{VIP}", f"https://{name}/").stdout
            self.verify_equal(got, want, f"{who} at {name}")

    def test_gateway_precedence(self):
        """The Gateway API's order: exact, longest prefix (whole segments), method, headers, query; relative weights,
        0 among them."""
        routes = [direct("rest", prefix="/"), direct("foo", prefix="/foo"),
                  direct("method", prefix="/foo", methods=["POST"]),
                  direct("header", prefix="/foo", headers=[{"name": "x-a", "exact": "1"}]),
                  direct("query", prefix="/foo", headers=[{"name": "x-a", "exact": "1"}],
                         query=[{"name": "q", "exact": "1"}]),
                  direct("long", prefix="/foo/bar"), direct("exact", path="/foo/bar"),
                  {"name": "split", "match": {"path": "/split"}, "clusters": [
                      {"name": "a", "weight": 3}, {"name": "b", "weight": 0}, {"name": "c"}]}]
        self.start({"hosts": one_host(routes, precedence="gateway")},
                   [cluster(x, [(ORIGINS[i], PORT)], protocol="http1") for i, x in enumerate("abc")])
        for path, extra, want in (("/", [], "rest"), ("/foox", [], "rest"), ("/foo/", [], "foo"),
                                  ("/foo", ["-X", "POST", "-H", "x-a: 1"], "method"),
                                  ("/foo", ["-H", "x-a: 1"], "header"), ("/foo?q=1", ["-H", "x-a: 1"], "query"),
                                  ("/foo/bar/x", ["-H", "x-a: 1"], "long"), ("/foo/bar", [], "exact")):
            self.verify_equal(self.head(path, *extra)[2], want, f"{path} {extra}")
        count = collections.Counter(self.get(*["/split"] + ["--next", "-sS", f"http://{VIP}/split"] * 299).split())
        # Of 300 draws, with 6 standard deviations to either side.
        self.verify(180 <= count["o0"] <= 270 and 30 <= count["o2"] <= 120 and not count["o1"], f"split {count}")


class TestRoutingActions(RoutingSuite):
    def test_redirect(self):
        """Scheme, host, port, path and prefix in Location; codes; the query stays unless it is told to go."""
        def to(name, match, **redirect):
            return {"name": name, "match": match, "redirect": redirect}
        self.start([to("tls", {"path": "/tls"}, scheme="https"),
                    to("port", {"path": "/port"}, scheme="https", port=8443, status=301),
                    to("host", {"path": "/host"}, host="b.example", status=307),
                    to("full", {"path": "/full"}, path="/new", status=308),
                    to("old", {"prefix": "/old/"}, prefix="/new/", status=303),
                    to("seg", {"path_separated_prefix": "/seg"}, prefix="/", strip_query=True),
                    to("regex", {"prefix": "/v"}, regex="^/v([0-9]+)/(.*)$", substitution="/\\2/of/\\1"),
                    to("storm", {"prefix": "/storm"}, regex="^/storm(a+)+$", substitution="/")], [])

        def check(version):
            for host, path, want, status in (
                    ("a.example", "/tls?x=1", "https://a.example/tls?x=1", 302),
                    ("a.example:80", "/tls", "https://a.example/tls", 302),
                    ("a.example", "/port", "https://a.example:8443/port", 301),
                    ("a.example:8080", "/host", "http://b.example:8080/host", 307),
                    ("a.example", "/full?x", "http://a.example/new?x", 308),
                    ("a.example", "/old/x/y?z=1", "http://a.example/new/x/y?z=1", 303),
                    ("a.example", "/seg/x?z=1", "http://a.example/x", 302),
                    ("a.example", "/seg", "http://a.example/", 302),
                    ("a.example", "/v2/x/y?z=1", "http://a.example/x/y/of/2?z=1", 302)):
                got, headers, _ = self.head(path, host=host, version=version)
                self.verify_equal((got, headers["location"]), (status, [want]), f"{version} {host}{path}")
        self.both(check)
        self.verify_equal(self.head("/storm" + "a" * 40 + "!")[0], 500, "an expression that takes too long")

    def test_variables(self):
        """Values of headers say who asked and how, over both versions; a header that is not there writes nothing; a
        route's endpoints get their own names as host, at each attempt."""
        def values(kind, **fields):
            return {kind: [{"name": f"x-{k}", "value": v} for k, v in fields.items()]}
        ends = [{"address": ORIGINS[0], "port": 9, "hostname": "dead.example"},
                {"address": ORIGINS[1], "port": PORT, "hostname": "live.example"}]
        self.start([{"name": "named", "match": {"prefix": "/headers/named"}, "cluster": "named", "rewrite": {"auto_host": True},
                     "retry": {"backoff": {"base": "1ms"}}},
                    {"name": "all", "cluster": "web", "request_headers": values(
                        "set", who="%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", how="%PROTOCOL%", user="%REQ(x-name?x-id):5%!",
                        lacks="%REQ(x-nobody)%", at="%HOSTNAME% %DOWNSTREAM_LOCAL_ADDRESS%", part="100%% %REQ(:path)%"),
                     "response_headers": values("add", asked="%REQ(:method)% %REQ(:authority)%", port="%DOWNSTREAM_REMOTE_PORT%")}],
                   [self.all_origins(protocol="http1"),
                    {"name": "named", "protocol": "http1", "endpoints": ends, "outlier": {"consecutive_errors": 0}}])

        def check(version):
            _, headers, body = self.head("/headers?q=1", "-H", "x-id: somebody", version=version)
            got = {k.lower(): v for k, v in json.loads(body)}
            self.verify_equal({k: got.get(f"x-{k}") for k in ("who", "how", "user", "lacks", "at", "part")},
                              {"who": "10.1.0.1", "how": "HTTP/2" if "2" in version else "HTTP/1.1", "user": "someb!",
                               "lacks": None, "at": f"dut {VIP}:80", "part": "100% /headers?q=1"}, version)
            self.verify_equal(headers["x-asked"], ["GET a.example"], "response")
            self.verify(1024 <= int(headers["x-port"][0]) < 65536, f"the client's port: {headers['x-port']}")
            for _ in range(4):
                got = self.seen("/headers/named", version=version)
                self.verify_equal((got["host"], got["x-forwarded-host"]), ("live.example", "a.example"), "host")
        self.both(check)
        self.verify(self.dut.metric("sidestep_retries_total") > 0, "the dead endpoint was not tried")

    def test_rewrite(self):
        """Full path, prefix, expression with captures; host by text and by header; the original goes along."""
        def to(name, match, **rewrite):
            return {"name": name, "match": match, "cluster": "web", "rewrite": rewrite}
        self.start([to("full", {"path": "/full"}, path="/headers"),
                    to("prefix", {"path_separated_prefix": "/api"}, prefix="/"),
                    to("regex", {"prefix": "/u/"}, regex="^/u/([a-z]+)/(\\d+)$", substitution="/headers/\\2/\\1"),
                    to("host", {"path": "/headers"}, host="inner.example"),
                    to("tenant", {"path": "/headers/t"}, host_header="x-tenant"),
                    to("storm", {"prefix": "/storm"}, regex="^/storm(a+)+$", substitution="/")],
                   [self.all_origins(protocol="http1")])

        def check(version):
            log = time.monotonic_ns()
            for path, want in (("/full?q=1", "/headers?q=1"), ("/api/headers", "/headers"),
                               ("/u/bob/12?q=1", "/headers/12/bob?q=1")):
                got = self.seen(path, version=version)
                self.verify_equal(self.served(log)[-1][3], want, f"{version} {path}")
                self.verify_equal(got.get("x-envoy-original-path"), path, f"{version} {path} original")
            got = self.seen("/headers", version=version)
            self.verify_equal((got["host"], got["x-forwarded-host"]), ("inner.example", "a.example"), "host")
            got = self.seen("/headers/t", "-H", "x-tenant: t1.example", version=version)
            self.verify_equal(got["host"], "t1.example", "host by header")
            self.verify("x-envoy-original-path" not in self.seen("/headers", version=version), "path was not rewritten")
        self.both(check)
        status, _, body = self.head("/storm" + "a" * 40 + "!")
        self.verify(status == 500 and "too many steps" in body, f"{status} {body}")
        self.verify_equal(self.dut.metric("sidestep_drops_total", reason="rewrite_limit"), 1, "counted")

    def test_headers_by_level(self):
        """Operations of a share, then of its route, then of the virtual host."""
        def op(kind, name, value):
            return {kind: [{"name": name, "value": value}]}
        self.start({"hosts": one_host([{
            "name": "r", "clusters": [{"name": "web", "weight": 100, "request_headers": op("add", "x-a", "share"),
                                       "response_headers": op("set", "x-share", "1")}],
            "request_headers": op("add", "x-a", "route")}], request_headers=op("add", "x-a", "host"),
            response_headers={"remove": ["x-origin"]})}, [self.all_origins(protocol="http1")])
        _, headers, body = self.head("/headers")
        self.verify_equal([v for k, v in json.loads(body) if k.lower() == "x-a"], ["share", "route", "host"], "order")
        self.verify(headers["x-share"] == ["1"] and not headers["x-origin"], f"response {dict(headers)}")

    def test_maintenance(self):
        """Route, virtual host and listener: 503 with the configured body and Retry-After, until a reload ends it."""
        closed = {"body": "back soon", "retry_after": "2m"}
        routes = [{"name": "shop", "match": {"prefix": "/shop"}, "cluster": "web", "maintenance": closed},
                  {"name": "open", "match": {"path": "/"}, "cluster": "web"}]
        clusters = [self.all_origins(protocol="http1")]
        self.start(routes, clusters)

        def verify_closed(path, version):
            status, headers, body = self.head(path, version=version)
            self.verify_equal((status, body, headers["retry-after"]), (503, "back soon", ["120"]), f"{version} {path}")
        self.both(lambda v: verify_closed("/shop/x", v))
        self.verify_equal(self.code("/"), 200, "the other route")
        status, headers, _ = self.head("/shop/x", "-X", "POST", "-H", "content-type: application/grpc",
                                       version=VERSIONS[1])
        self.verify_equal((status, headers["grpc-status"]), (200, ["14"]), "gRPC")
        self.dut.wait_access(lambda r: r["status"] == 503 and r["flag"] == "UO")
        settings = dict(self.dut.settings)
        settings["listeners"] = [listener(80, maintenance=closed)]
        self.dut.reload(settings)
        self.both(lambda v: verify_closed("/nothing/here", v))
        settings["listeners"] = [listener(80)]
        settings["virtual_hosts"] = one_host(routes, maintenance={**closed, "enabled": False})
        settings["virtual_hosts"][0]["routes"][0]["maintenance"]["enabled"] = False
        self.dut.reload(settings)
        self.verify_equal(self.code("/shop/x"), 200, "opened again")

    def test_cors(self):
        """Preflights are answered by us, before authorization; responses say who may read them; nobody else is told."""
        self.start([{"name": "api", "match": {"prefix": "/", "methods": ["GET", "PUT"]}, "cluster": "web", "cors": {
            "allow_origins": ["https://app.example", {"prefix": "https://dev-"}, {"regex": "https://[a-z]+\\.test"}],
            "allow_methods": ["GET", "PUT"], "allow_headers": ["x-token"], "expose_headers": ["x-origin"],
            "allow_credentials": True},
            "authorization": {"default": "deny", "rules": [{"name": "get", "action": "allow", "methods": ["GET"]}]}},
            {"name": "open", "match": {"path": "/open"}, "cluster": "web", "cors": {"allow_origins": ["*"]}}],
            [self.all_origins(protocol="http1")])

        def ask(origin, version, path="/x", method="PUT"):
            return self.head(path, "-X", "OPTIONS", "-H", f"Origin: {origin}", "-H",
                             f"Access-Control-Request-Method: {method}", version=version)

        def check(version):
            for origin in ("https://app.example", "https://dev-7.example", "https://ab.test"):
                status, h, _ = ask(origin, version)
                self.verify_equal((status, h["access-control-allow-origin"], h["access-control-allow-credentials"],
                                   h["access-control-allow-methods"], h["access-control-allow-headers"],
                                   h["access-control-max-age"], h["vary"]),
                                  (200, [origin], ["true"], ["GET, PUT"], ["x-token"], ["5"], ["Origin"]),
                                  f"{version} {origin}")
            for origin in ("https://app.example.evil", "https://ab1.test", "null"):
                status, h, _ = ask(origin, version)
                self.verify(status != 200 and not h["access-control-allow-origin"],
                            f"{version} {origin}: {status} {dict(h)}")
            status, h, _ = self.head("/x", "-H", "Origin: https://app.example", version=version)
            self.verify_equal((status, h["access-control-allow-origin"], h["access-control-expose-headers"]),
                              (200, ["https://app.example"], ["x-origin"]), "a response")
            status, h, _ = self.head("/x", "-X", "PUT", "-H", "Origin: https://app.example", version=version)
            self.verify_equal((status, h["access-control-allow-origin"]), (403, ["https://app.example"]), "our own answer")
            status, h, _ = self.head("/x", "-H", "Origin: https://other.example", version=version)
            self.verify(status == 200 and not h["access-control-allow-origin"], "another origin's response")
            _, h, _ = self.head("/open", "-X", "POST", "-d", "", "-H", "Origin: https://any.example",
                                version=version)
            self.verify_equal(h["access-control-allow-origin"], ["*"], "open to all")
        self.both(check)


class TestRoutingSplits(RoutingSuite):
    def split(self, a, b, **sticky):
        return [{"name": "s", "clusters": [{"name": "a", "weight": a}, {"name": "b", "weight": b}], "sticky": sticky}]

    def clusters(self):
        return [cluster(x, [(ORIGINS[i], PORT)], protocol="http1") for i, x in enumerate("ab")]

    def test_sticky(self):
        """A cookie is made and keeps its client's share; a header does too; changed weights move only who must."""
        self.start(self.split(50, 50, cookie="share", ttl="1h"), self.clusters())
        status, headers, body = self.head("/")
        text = headers["set-cookie"][0]
        self.verify(text.startswith("share=") and text.endswith("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"), text)
        mine = text.split(";")[0]
        for version in VERSIONS * 4:
            _, again, same = self.head("/", "-H", f"Cookie: x=1; {mine}", version=version)
            self.verify(same == body and not again["set-cookie"], f"moved from {body} to {same}")

        def shares():
            args = []
            for i in range(100):
                args += ["-H", f"x-user: u{i}", "-sS", f"http://{VIP}/", "--next"]
            return curl(self.site.lab, "client", *args[:-1]).stdout.split()
        settings = dict(self.dut.settings)
        seen = {}
        for a in (50, 70, 100):
            settings["virtual_hosts"] = one_host(self.split(a, 100 - a, header="x-user"))
            self.dut.reload(settings)
            seen[a] = shares()
            self.verify_equal(shares(), seen[a], f"the same clients again at {a} %")
        self.verify(25 <= seen[50].count("o0") <= 75 and 47 <= seen[70].count("o0") <= 93, f"{seen}")
        for before, after in ((50, 70), (70, 100)):
            back = [i for i in range(100) if seen[before][i] == "o0" and seen[after][i] == "o1"]
            self.verify_equal(back, [], f"clients that left what grew from {before} to {after}")

    @staticmethod
    def began(record):
        """A record's time is that of its end."""
        end = datetime.datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()
        return end - record["duration_us"] / 1e6

    @tells_the_time
    def test_blue_green(self):
        """Under load, one reload moves everything: no request that begins after it goes to the old side; none fails."""
        self.start(self.split(100, 0, header="x-user"), self.clusters(), workers=2)
        got = {}
        load = threading.Thread(target=lambda: got.update(h2load(
            self.site.lab, "client", "-D", 3, "-c", 8, "-m", 4, f"http://{VIP}/")))
        load.start()
        wait_for("load on the old side", lambda: len(self.dut.access()) > 100, 5, 0.05)
        settings = dict(self.dut.settings)
        settings["virtual_hosts"] = one_host(self.split(0, 100, header="x-user"))
        self.dut.reload(settings)
        since = time.time()
        for i in range(20):
            self.verify_equal(self.get(f"/after{i}").strip(), "o1", f"request {i} after the reload")
        load.join()
        records = self.dut.access()
        first = min(r["generation"] for r in records)
        wrong = [r for r in records if (r["generation"] > first) != (r.get("cluster") == "b")]
        self.verify_equal(wrong[:1], [], f"{len(wrong)} records of one generation with the other's side")
        after = [r for r in records if self.began(r) > since + 0.01]
        self.verify(len(after) > 100, f"only {len(after)} requests began after the reload")
        late = [r for r in after if r.get("cluster") != "b"]
        self.verify_equal(late[:1], [], f"{len(late)} requests to the old side that began after the reload")
        self.verify(got["failed"] == 0 and got["5xx"] == 0 and got["2xx"] > 100, f"{got}")
