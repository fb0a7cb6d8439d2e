"""Why: what is explained about a request is what happens to it."""
import json
import random
import re
import socket

from local.bench_site import CLIENT, ORIGINS, VIP, Site, cluster, listener
from local.lab import wait_for
from local.libconfig import dumps
from local.programs import curl, nginx, script, wait_listening
from local.suite import TestSuite

PORT = 8080
PATHS = ["/", "/a", "/a/", "/a/b", "/ab", "/b", "/b/a", "/a/b/c", "/a%2fb", "/b/../a"]
PATTERNS = ["/a.*", "/[ab]/b", "(/a|/b)+", "/a/b+", ".*b", "/(a|ab)", "/b{1,2}a*"]
NAMES = ["x-a", "x-b", "x-c"]
VALUES = ["1", "2", "12", "21"]
METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
HOSTS = ["a.example", "b.a.example", "B.example", "c.example:80"]


class Dice:
    """A configuration and requests, by a seed."""

    def __init__(self, seed):
        self.r = random.Random(seed)

    def chance(self, part):
        return self.r.random() < part

    def field(self):
        kind = self.r.choice(["exact", "exact", "prefix", "suffix", "present", "regex"])
        value = {"present": True, "regex": self.r.choice(["1", "[12]+", "2.*"])}.get(kind, self.r.choice(VALUES))
        return {"name": self.r.choice(NAMES), kind: value, **({"invert": True} if self.chance(.25) else {})}

    def match(self):
        kind = self.r.choice(["path", "prefix", "prefix", "regex", "path_separated_prefix"])
        m = {kind: self.r.choice(PATTERNS if kind == "regex" else PATHS[:8])}
        if self.chance(.3):
            m["methods"] = self.r.sample(METHODS, self.r.randint(1, 4))
        for key, part in (("headers", .4), ("query", .25), ("cookies", .2)):
            if self.chance(part):
                m[key] = [self.field() for _ in range(self.r.randint(1, 2))]
        return m

    def rules(self):
        out = []
        for i in range(self.r.randint(1, 4)):
            rule = {"name": f"rule-{i}", "action": self.r.choice(["allow", "allow", "deny", "audit"])}
            if self.chance(.6):
                rule["paths"] = self.r.sample(["/a", "/b/*", "/ab", "/", "*b"], 2)
            if self.chance(.4):
                rule["methods"] = self.r.sample(METHODS, 3)
            if self.chance(.3):
                rule["when"] = [{"key": "request.headers[x-a]", "values": ["1", "2*"]}]
            if self.chance(.2):
                rule["source_ips"] = [self.r.choice(["10.1.0.0/16", "192.168.0.0/16"])]
            if self.chance(.2) and rule["action"] != "audit":
                rule["dry_run"] = True
            out.append(rule)
        return {"rules": out, **({"default": "allow"} if self.chance(.5) else {})}

    def action(self):
        what = self.r.randint(0, 9)
        if what < 2:
            return {"direct_response": {"status": self.r.choice([200, 204, 404, 503])}}
        if what == 2:
            return {"redirect": {"path": "/new", "status": self.r.choice([301, 302, 307])}}
        if what < 5:
            split = {"clusters": [{"name": n, "weight": w} for n, w in (("a", 30), ("b", 70))]}
            return {**split, **({"sticky": {"header": "x-b"}} if self.chance(.5) else {})}
        more = {"rewrite": {"prefix": "/z"}} if what == 5 else {"maintenance": {"enabled": True}} if what == 6 else {}
        return {"clusters": [{"name": self.r.choice("ab")}], **more}

    def host(self, name, domains):
        routes = [{"name": f"{name}-{i}", "match": self.match(), **self.action()} for i in range(self.r.randint(1, 25))]
        for r in routes:
            if self.chance(.1):
                r["authorization"] = {**self.rules(), **({"inherit": True} if self.chance(.5) else {})}
            # What a prefix's rewriting needs.
            if "rewrite" in r and not {"prefix", "path_separated_prefix"} & set(r["match"]):
                del r["rewrite"]
        return {"name": name, "domains": domains, "routes": routes,
                **({"precedence": "gateway"} if self.chance(.3) else {})}

    def settings(self):
        hosts = [self.host("ha", ["a.example", "*.a.example"]), self.host("hb", ["b.example"])]
        if self.chance(.5):
            hosts.append(self.host("rest", ["*"]))
        return {"listeners": [{**listener(80), "virtual_hosts": [h["name"] for h in hosts],
                               **({"authorization": self.rules()} if self.chance(.5) else {})}],
                "virtual_hosts": hosts,
                "clusters": [cluster("a", [(ORIGINS[0], 80)], protocol="http1"),
                             cluster("b", [(ORIGINS[1], 80)], protocol="http1")]}

    def pairs(self, between):
        return between.join(self.r.choice(NAMES) + self.r.choice(["", "=" + self.r.choice(VALUES)])
                            for _ in range(self.r.randint(0, 3)))

    def request(self, name):
        query, cookies = self.pairs("&"), self.pairs("; ")
        headers = [["x-request-id", name]]
        headers += [[self.r.choice(NAMES), self.r.choice(VALUES)] for _ in range(self.r.randint(0, 3))]
        headers += [["cookie", cookies]] if cookies else []
        return {"method": self.r.choice(METHODS), "authority": self.r.choice(HOSTS), "headers": headers,
                "path": self.r.choice(PATHS) + self.r.choice(["", "", "b", "/b", "/c"]) + ("?" + query if query else "")}


class TestWhy(TestSuite):
    def set_up_suite(self):
        self.site = Site("wy")
        lab = self.site.lab
        web = nginx(lab, "origin", "web", "\n".join(
            f"server {{ listen {ORIGINS[i]}:80; keepalive_requests 100000; location / {{ return 200 'o{i}'; }} }}"
            for i in range(2)))
        wait_listening(lab, web, "origin", ORIGINS[0], 80)
        wait_listening(lab, script(lab, "origin", "bad", "origin.py", ORIGINS[2], PORT, "bad", lab.path("bad.txt")),
                       "origin", ORIGINS[2], PORT)
        self.dut = self.site.appliance(self.build, Dice(0).settings()).start()

    def tear_down_suite(self):
        try:
            self.dut.stop()
        finally:
            self.site.close()

    def full(self, settings):
        return {**self.dut.settings, **settings}

    def ask(self, r, **more):
        """Over the socket itself: a program for each of thousands of questions would take the time."""
        words = ["why", "listener=in", f"source={CLIENT}"] + [f"{k}={r[k]}" for k in ("method", "authority", "path")]
        words += [f"header={n}: {v}" for n, v in r["headers"]] + [f"{k}={v}" for k, v in more.items()]
        return self.say(words)

    def say(self, words):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.dut.socket)
            s.sendall("\x1f".join(words).encode() + b"\n")
            answer = b"".join(iter(lambda: s.recv(65536), b""))
        state, _, text = answer.decode().partition("\n")
        return state, json.loads(text)

    def why(self, *words, **kw):
        return self.dut.ctl("why", "--listener", "in", *words, **kw)

    def send(self, requests):
        file = self.site.lab.path("requests.json")
        with open(file, "w", encoding="utf-8") as f:
            json.dump(requests, f)
        p = script(self.site.lab, "client", "why_client", "why_client.py", VIP, 80, file)
        p.wait(120)
        return json.loads(p.log())

    def difference(self, r, said, record, status):
        """What was said about a request and is not so; None: all of it is."""
        state, v = said
        if state != "ok":
            return f"refused: {v}"
        got = {k: record.get(k) for k in ("virtual_host", "route")}
        want = {k: (v[k] or {}).get("name") for k in ("virtual_host", "route")}
        if got != want:
            return f"{want} was said, {got} happened"
        may = {c["name"] for c in v.get("clusters", [])}
        sent = record.get("cluster") if record.get("upstream") or record.get("reason") == "no_healthy" else None
        if v["outcome"]["what"] == "upstream" and sent not in may:
            return f"one of the clusters {may} was said, {sent} happened"
        if v["outcome"].get("status", 200) != status:
            return f"{v['outcome']} was said, {status} happened"
        if v["outcome"].get("reason") != record.get("reason"):
            return f"{v['outcome']} was said, {record.get('reason')} happened"
        a = v.get("authorization")
        rule = a and ((a.get("dry_rule") if a["dry_run_denied"] else a.get("rule")) or a.get("audit") or {}).get("name")
        if (rule or None) != record.get("rule"):
            return f"the rule {rule} was said, {record.get('rule')} happened"
        return None

    def round(self, seed, n):
        dice = Dice(seed)
        self.dut.reload(self.full(dice.settings()))
        requests = [dice.request(f"s{seed}-{i}") for i in range(n)]
        said = [self.ask(r) for r in requests]
        after = self.dut.access_end()
        statuses = self.send(requests)
        mine = {}

        def all_here():
            mine.update((x["request_id"], x) for x in self.dut.read_access(after)[0] if "request_id" in x)
            return all(r["headers"][0][1] in mine for r in requests)
        wait_for("the records of all requests", all_here, 10, 0.05)
        for r, s, status in zip(requests, said, statuses):
            d = self.difference(r, s, mine[r["headers"][0][1]], status)
            self.verify(d is None, f"seed {seed}, {r}: {d}; {s[1]}")
        return [s[1]["outcome"]["what"] for s in said]

    def test_random(self):
        """Random configurations, random requests: host, route, cluster, status, reason and rule that are said are those of
        the access log. 10,000 of them in the long run."""
        rounds, n = (50, 200) if self.long else (3, 60) if self.small else (6, 80)
        ends = [w for seed in range(1, rounds + 1) for w in self.round(seed, n)]
        self.verify(all(ends.count(w) > len(ends) / 40 for w in ("upstream", "direct_response", "refused")),
                    f"not all kinds were among them: { {w: ends.count(w) for w in set(ends)} }")
        self.note(f"{len(ends)} requests, each as it was said")

    def test_text(self):
        """For people: file and line of everything, what kept other routes from it, rules, endpoints. A candidate changes
        nothing; wrong questions are named."""
        routes = [{"name": "beta", "match": {"prefix": "/cart", "headers": [{"name": "x-beta", "exact": "1"}]},
                   "clusters": [{"name": "a"}]},
                  {"name": "cart", "match": {"prefix": "/cart"}, "clusters": [{"name": "pair"}], "timeout": "3s",
                   "rewrite": {"prefix": "/basket"}, "request_headers": {"set": [{"name": "x-via", "value": "why"}]},
                   "retry": {"on": "5xx", "max_retries": 2}}]
        settings = {"listeners": [listener(80, authorization={"default": "allow", "rules": [
                        {"name": "no-delete", "action": "deny", "methods": ["DELETE"]}]})],
                    "virtual_hosts": [{"name": "all", "domains": ["*.example"], "routes": routes}],
                    "clusters": [cluster("a", [(ORIGINS[0], 80)], protocol="http1"),
                                 cluster("pair", [(ORIGINS[1], 80), (ORIGINS[2], PORT)], protocol="http1",
                                         outlier={"consecutive_errors": 1, "max_ejection_percent": 100, "min_health_percent": 0,
                                                  "base_ejection_time": "60s"})]}
        self.dut.reload(self.full(settings))
        text = self.why("--authority", "shop.example", "--path", "/cart/7").stdout
        with open(self.dut.config, encoding="utf-8") as f:
            lines = f.read().split("\n")
        for what, name in (("route", "cart"), ("cluster", "pair"), ("virtual host", "all"), ("listener", "in")):
            m = re.search(rf"^{what} +{name}  \((.*):(\d+)\)", text, re.M)
            self.verify(m and m[1] == self.dut.config, f"no line of {what} {name} in\n{text}")
            near = "\n".join(lines[int(m[2]) - 1:int(m[2]) + 6])
            self.verify(f'"{name}"' in near, f"{what} {name} does not begin in line {m[2]}:\n{near}")
        for want in ('header "x-beta": not exactly "1"', "path /basket/7", "set x-via: why", "max_retries 2",
                     "2 of 2 endpoints eligible", "allowed: no rule stands against it", "outcome         upstream"):
            self.verify(want in text, f"\"{want}\" is not in\n{text}")
        text = self.why("--authority", "shop.example", "--path", "/cart", "--method", "DELETE").stdout
        for want in ("denied: a rule denies", "no-delete", "refused with 403", "flag RBAC"):
            self.verify(want in text, f"\"{want}\" is not in\n{text}")
        text = self.why("--authority", "shop.example", "--path", "/cart", "-H", "X-Beta: 1").stdout
        self.verify(re.search(r"^route +beta ", text, re.M), text)
        self.candidate(settings)
        self.wrong()
        self.ejected()

    def candidate(self, settings):
        def settled():  # the snapshot before the last reload is buried a moment after it
            status = self.dut.ctl_json("status")
            return status if status["live_snapshots"] == 1 else None
        before = wait_for("one live snapshot", settled, 10, 0.01)
        routes = [{"name": "closed", "match": {"prefix": "/"}, "direct_response": {"status": 418}}]
        other, config = self.site.lab.path("other.cfg"), self.dut.config
        self.dut.config = other
        try:
            self.dut.write_config(self.full({**settings, "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": routes}]}))
            self.dut.settings = self.full(settings)
            v = json.loads(self.dut.ctl("--json", "why", "--listener", "in", "--authority", "x", "--config", other).stdout)
            self.verify_equal((v["outcome"]["status"], v["candidate"], v["file"]), (418, True, other), "the candidate says")
            with open(other, "a", encoding="utf-8") as f:
                f.write("nonsense = 1;\n")
            p = self.why("--authority", "x", "--config", other, check=False)
            self.verify(p.returncode == 1 and "nonsense" in p.stderr, f"a wrong candidate: {p.stderr}")
        finally:
            self.dut.config = config
        after = self.dut.ctl_json("status")
        self.verify_equal([after[k] for k in ("generation", "config_hash", "live_snapshots")],
                          [before[k] for k in ("generation", "config_hash", "live_snapshots")], "what is in force")

    def test_diff(self):
        """What a reload of another file would change, item by item with file and line; nothing of it happens. Wrong files and
        what is read at start only are refused."""
        def settings(timeout, second, more=()):
            return {"listeners": [listener(80)], "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"name": "cart", "match": {"prefix": "/cart"}, "clusters": [{"name": "pair"}], "timeout": timeout}]}],
                "clusters": [cluster("pair", [(ORIGINS[0], 80), (second, 80)], protocol="http1"), *more]}
        self.dut.reload(self.full(settings("3s", ORIGINS[1])))
        before = self.dut.ctl_json("status")
        other = self.site.lab.path("other.cfg")

        def diff(wanted):
            with open(other, "w", encoding="utf-8") as f:
                f.write(dumps(self.full(wanted)))
            return self.dut.ctl("diff", other, check=False)
        self.verify_equal(diff(settings("3s", ORIGINS[1])).stdout, "nothing would change\n", "the same again")
        text = diff(settings("4s", ORIGINS[3], [cluster("new", [(ORIGINS[2], 80)])])).stdout
        for want in (r"^~ route all\.cart  \(" + re.escape(other) + r":\d+\): timeout$", r"^\+ cluster new  \(",
                     r"^\+ endpoint pair\..*10\.2\.0\.14", r"^- endpoint pair\..*10\.2\.0\.12"):
            self.verify(re.search(want, text, re.M), f"{want} is not in\n{text}")
        self.verify_equal(len(text.splitlines()), 4, f"differences in\n{text}")
        p = diff({**settings("4s", ORIGINS[1]), "drain_timeout": "77s"})
        self.verify(p.returncode == 1 and "drain_timeout" in p.stderr, f"at start only: {p.returncode} {p.stderr}")
        p = diff({**settings("soon", ORIGINS[1])})
        self.verify(p.returncode == 1 and "timeout" in p.stderr, f"a wrong file: {p.returncode} {p.stderr}")
        after = self.dut.ctl_json("status")
        self.verify_equal([after[k] for k in ("generation", "config_hash")], [before[k] for k in (
            "generation", "config_hash")], "what is in force")

    def by_id(self, name):
        return self.say(["why", f"request={name}"])[1]

    def ask_past(self, r, record):
        """What is wrong with what is said of a request that has happened; None: nothing is."""
        v = self.by_id(r["headers"][0][1])
        if {k: x for k, x in v["recorded"].items() if k != "kind"} != {
                k: x for k, x in record.items() if k != "kind"}:
            return f"{v['recorded']} is remembered, {record} was written"
        for key in ("listener", "virtual_host", "route", "cluster", "rule"):
            if v["decided"].get(key, {}).get("name") != record.get(key):
                return f"{key} {v['decided'].get(key)} is said to have decided, {record.get(key)} did"
        kept = {n.lower() for n, _ in r["headers"]} <= {"x-request-id", "user-agent"}
        if kept and v["differs"]:
            return f"decided otherwise with all that decides: {v['differs']}, {v}"
        return None

    def test_request(self):
        """Requests that have happened, by their ids: the record is the access log's, who decided is who decided, and what is
        explained by it differs only where headers decide. Past configurations are said to be past."""
        dice = Dice(77)
        self.dut.reload(self.full(dice.settings()))
        requests = [dice.request(f"past-{i}") for i in range(60 if self.small else 120)]
        for r in requests[::2]:
            del r["headers"][1:]
        after = self.dut.access_end()
        self.send(requests)
        mine = {}

        def all_here():
            mine.update((x["request_id"], x) for x in self.dut.read_access(after)[0] if "request_id" in x)
            return all(r["headers"][0][1] in mine for r in requests)
        wait_for("the records of all requests", all_here, 10, 0.05)
        for r in requests:
            d = self.ask_past(r, mine[r["headers"][0][1]])
            self.verify(d is None, f"{r}: {d}")
        self.past(requests[0])
        p = self.dut.ctl("why", "--request", "nobody", check=False)
        self.verify(p.returncode == 1 and 'no request "nobody"' in p.stderr, f"an id that nobody had: {p.stderr}")

    def past(self, r):
        name = r["headers"][0][1]
        before = self.by_id(name)
        self.verify(before["in_force"] and all(":" in x["at"] for k, x in before["decided"].items() if k == "listener"),
                    f"in force: {before}")
        text = self.dut.ctl("why", "--request", name).stdout
        for want in (f"request {name}", "which is in force", f"answered        {before['recorded']['status']} "):
            self.verify(want in text, f"\"{want}\" is not in\n{text}")
        closed = [{"name": "closed", "match": {"prefix": "/"}, "direct_response": {"status": 418}}]
        self.dut.reload(self.full({**Dice(77).settings(), "virtual_hosts": [
            {"name": n, "domains": d, "routes": closed} for n, d in (("ha", ["*.example"]), ("hb", ["*"]))],
            "listeners": [{**listener(80), "virtual_hosts": ["ha", "hb"]}]}))
        v = self.by_id(name)
        self.verify(not v["in_force"] and v["recorded"] == before["recorded"], f"after a reload: {v}")
        self.verify(v["explained"]["outcome"].get("status") == 418 and "route" in v["differs"], f"after a reload: {v}")
        history = {e["number"]: e for e in self.dut.ctl_json("history")["entries"]}
        self.verify_equal(history[v["history"]]["config_hash"], v["recorded"]["config"], "the entry that it was decided by")
        self.verify("no longer in force" in self.dut.ctl("why", "--request", name).stdout, "the text after a reload")

    def wrong(self):
        for words, want in ((("--listener", "out"), 'no listener is named "out"'),
                            (("--listener", "in"), "not a request that is read"),
                            (("--listener", "in", "--authority", "a", "-H", "no colon"), "not a request that is read"),
                            (("--listener", "in", "--authority", "a", "--path", "/.."), "refused with 400"),
                            (("--listener", "in", "--authority", "a", "--source", "10.1"), "no address"),
                            ((), "which")):
            p = self.dut.ctl("why", *words, check=False)
            self.verify(p.returncode == 1 and want in p.stderr, f"{words}: {p.returncode} {p.stderr}")

    def ejected(self):
        curl(self.site.lab, "origin", "-X", "POST", f"http://{ORIGINS[2]}:{PORT}/control?status=500")
        r = {"method": "GET", "authority": "shop.example", "path": "/cart", "headers": []}

        def gone():
            curl(self.site.lab, "client", "-o", "/dev/null", "-H", "Host: shop.example", f"http://{VIP}/cart")
            return next((e for e in self.ask(r)[1]["clusters"][0]["endpoints"] if not e["eligible"]), None)
        e = wait_for("an endpoint that is ejected", gone, 10, 0.05)
        self.verify_equal(e["address"], f"{ORIGINS[2]}:{PORT}", "who is not eligible")
        self.verify(e["why"].startswith("ejected, for "), str(e))
