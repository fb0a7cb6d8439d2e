"""Balancing: weights, sticky cookies and headers, failover, subsets, slow and dying origins, panic."""
import collections
import concurrent.futures
import math
import re
import time

from local.bench_site import ORIGINS, VIP, listener, one_host, route
from local.lab import wait_for
from local.programs import curl, curl_code
from local.suite import tells_the_time
from TestSuite_decisions import PORT, DecisionSuite

H2 = "--http2-prior-knowledge"


class BalanceSuite(DecisionSuite):
    """The four origins of the decisions. One of them is slow where a case says so."""

    def settings(self, policy, endpoints=None, routes=None, **more):
        """endpoints: a dict of more keys per origin; more: keys of the cluster."""
        endpoints = endpoints or [{} for _ in ORIGINS]
        return {"listeners": [listener(80)], "virtual_hosts": one_host(routes or [route("web")]),
                "clusters": [{"name": "web", "protocol": "http1", "load_balancing": policy, "endpoints": [
                    {"address": a, "port": PORT, **e} for a, e in zip(ORIGINS, endpoints)], **more}]}

    def start(self, policy, workers=1, **more):
        top = more.pop("top", {})
        self.dut = self.site.appliance(self.build, {**self.settings(policy, **more), **top}, workers=workers).start()
        return self.dut

    def ask(self, n, *words, path="/x"):
        """n requests, on one connection (HTTP/2: on one each): the names of the origins that answered."""
        argv = []
        if H2 in words:
            return [curl(self.site.lab, "client", *words, f"http://{VIP}{path}").stdout.strip() for _ in range(n)]
        for i in range(n):
            argv += (["--next"] if i else []) + ["-sS", *words, f"http://{VIP}{path.replace('#', str(i))}"]
        return curl(self.site.lab, "client", *argv).stdout.split()

    def one(self, *words, path="/x"):
        return self.ask(1, *words, path=path)[0]

    def clusters(self):
        return self.dut.ctl_json("clusters")["clusters"][0]

    def active(self):
        """Requests under way at each origin."""
        return [e["active"] for e in self.clusters()["endpoints"]]


class TestTurns(BalanceSuite):
    def test_weights(self):
        """Weights 1, 2, 5: of 80 requests each origin gets its eighths, give or take two turns, over h1 and h2."""
        self.start("round_robin", endpoints=[{"weight": 1}, {"weight": 2}, {"weight": 5}])
        for words in ([], [H2]):
            n = 40 if words else 80
            got = collections.Counter(self.ask(n, *words))
            for name, weight in (("o0", 1), ("o1", 2), ("o2", 5)):
                self.verify(abs(got[name] - n * weight / 8) <= 2, f"{words} {dict(got)}")

    @tells_the_time
    def test_slow_start(self):
        """An origin that a reload adds begins with a tenth of its turns, and has its fourth when its window is over."""
        window = 4
        # The fourth power of its age: a slow machine's requests are still of its beginning.
        few = {"endpoints": [{}] * 3,
               "balancing": {"slow_start_window": f"{window}s", "slow_start_aggression": 0.25}}
        self.start("round_robin", **few)
        self.ask(4)
        time.sleep(window)  # those of the start are full members
        few["endpoints"] = [{}] * 4
        self.dut.reload({**self.dut.settings, **self.settings("round_robin", **few)})
        began = time.monotonic()
        got = collections.Counter(self.ask(12))
        self.verify(got["o3"] <= 1 and min(got[f"o{i}"] for i in range(3)) >= 3,
                    f"{dict(got)} in {time.monotonic() - began:.1f} s")
        time.sleep(window)
        self.ask(36)  # its last turn was laid out when it weighed less
        got = collections.Counter(self.ask(40))
        self.verify(all(9 <= got[f"o{i}"] <= 11 for i in range(4)), dict(got))

    def test_least_request(self):
        """Of two origins one is busy: all requests that come meanwhile go to the other (two choices of two)."""
        self.start("least_request", endpoints=[{}, {}], outlier={"consecutive_errors": 0}, routes=[
            route("web", timeout="20s", max_retries=0)])
        lab = self.site.lab
        for i in range(2):
            held = lab.start(f"held{i}", "client", "curl", "-sS", f"http://{VIP}/hold{lab.path(f'gate{i}')}")
            wait_for("it to be under way", lambda: 1 in self.active(), 5, 0.02)
            idle = self.active().index(0)
            self.verify_equal(set(self.ask(30)), {f"o{idle}"}, "who answered while the other had a request")
            lab.write(f"gate{i}", "open")
            self.verify_equal(held.wait(), 0, "the request of the busy one")
            wait_for("its end", lambda: self.active() == [0, 0], 5, 0.05)

    @tells_the_time
    def test_peak_ewma(self):
        """Slow answers of one origin are noticed: afterwards it gets almost nothing, and random gives it a quarter."""
        share = {}
        for policy in ("random", "peak_ewma"):
            # Only o3 knows the path: the others answer at once.
            self.start(policy, endpoints=[{}, {}, {}, {"labels": {"slow": "yes"}}], routes=[
                {**route("web", prefix="/delay"), "subset": {"slow": "yes"}}, route("web")],
                balancing={"default_rtt": "1ns"})
            for _ in range(3):
                self.verify_equal(self.one(path="/delay/300"), "o3", "the slow one")
            n = 160 if policy == "random" else 80  # its share of them is a draw: 5 standard deviations to spare
            share[policy] = collections.Counter(self.ask(n))["o3"] * 80 / n
            if policy == "random":
                self.tear_down_test_case()
        self.note(f"of 80 requests the slow one got {share}")
        self.verify(share["peak_ewma"] <= 2 and share["random"] >= 8, str(share))


class TestSticky(BalanceSuite):
    def test_cookie(self):
        """A client without the cookie gets one with its attributes, and stays at its origin, on four workers, over
        h1 and h2, over a reload; clients without it spread."""
        policy = [{"cookie": {"name": "sid", "ttl": "1h", "path": "/"}}]
        self.start("maglev", workers=4, routes=[route("web", hash_policy=policy)])
        seen = collections.Counter()
        clients = {}
        for i in range(20):  # twenty draws that fall on two of four origins: once in 170,000 times
            words = [H2] if i % 2 else []
            text = curl(self.site.lab, "client", "-i", *words, f"http://{VIP}/").stdout
            made = re.findall(r"(?im)^set-cookie: (sid=[0-9a-f]{16}); Max-Age=3600; Path=/; HttpOnly\r?$", text)
            self.verify_equal(len(made), 1, f"cookies in {text}")
            clients[made[0]] = text.split()[-1]
            seen[clients[made[0]]] += 1
        self.verify(len(clients) == 20 and len(seen) >= 3, f"20 clients at {dict(seen)}")
        self.dut.reload(self.with_process(self.settings("maglev", routes=[
            route("web", hash_policy=policy, timeout="4s")])))
        for cookie, origin in clients.items():
            for words in ([], [H2]):
                text = curl(self.site.lab, "client", "-i", *words, "-H", f"Cookie: a=b; {cookie}",
                            f"http://{VIP}/").stdout
                self.verify_equal(text.split()[-1], origin, f"the origin of {cookie}")
                self.verify("set-cookie" not in text.lower(), "a cookie for who has one")

    def with_process(self, settings):
        """What is read at start only, as it was."""
        return {**self.dut.settings, **settings}

    def test_session_cookie(self):
        """ttl 0s makes a session cookie: no Max-Age; http_only false shows it to scripts, SameSite none is Secure; header before it is enough."""
        self.start("ring_hash", balancing={"hash_policy": [
            {"header": "x-user", "terminal": True},
            {"cookie": {"name": "c", "ttl": "0s", "http_only": False, "same_site": "none"}}]})
        text = curl(self.site.lab, "client", "-i", f"http://{VIP}/").stdout
        self.verify(re.search(r"(?im)^set-cookie: c=[0-9a-f]{16}; Secure; SameSite=None\r?$", text), text)
        text = curl(self.site.lab, "client", "-i", "-H", "x-user: eve", f"http://{VIP}/").stdout
        self.verify("set-cookie" not in text.lower(), text)

    def test_header_path_query_source(self):
        """Each kind of key keeps a key at one origin and spreads many; without a key requests spread."""
        for kind, words, path in (({"header": "X-User"}, ["-H", "x-user: #"], "/"), ({"path": True}, [], "/#?a=1"),
                                  ({"query": "user"}, [], "/?a=1&user=#")):
            self.start("maglev", workers=2, routes=[route("web", hash_policy=[kind])])
            where = {}
            for key in range(10):
                got = set(self.ask(2, *[w.replace("#", str(key)) for w in words], path=path.replace("#", str(key))))
                self.verify_equal(len(got), 1, f"{kind} {key} at {got}")
                where[key] = got.pop()
            self.verify(len(set(where.values())) >= 3, f"{kind}: {where}")
            self.tear_down_test_case()
        self.start("maglev", routes=[route("web", hash_policy=[{"source": True}]),
                                     ])
        got = set(self.ask(5)) | {self.one(H2) for _ in range(3)}
        self.verify_equal(len(got), 1, "one source at one origin")
        self.tear_down_test_case()
        self.start("maglev", routes=[route("web", hash_policy=[{"header": "x-none"}])])
        self.verify(len(set(self.ask(20))) >= 3, "requests without a key spread")

    @tells_the_time
    def test_origin_dies(self):
        """The origin behind a key dies: its keys go elsewhere, others stay; it returns and so do they."""
        self.start("maglev", routes=[route("web", hash_policy=[{"header": "x-user"}])], outlier={
            "consecutive_errors": 2, "base_ejection_time": "2s"})
        users = {u: self.one("-H", f"x-user: {u}") for u in range(20)}
        victim = users[0]
        self.control(ORIGINS[int(victim[1])], 500)
        for _ in range(2):
            curl_code(self.site.lab, "client", "-H", "x-user: 0", f"http://{VIP}/")
        for user, origin in users.items():
            now = self.one("-H", f"x-user: {user}")
            self.verify(now != victim if origin == victim else now == origin, f"user {user}: {origin} then {now}")
        self.control(ORIGINS[int(victim[1])], 200)
        wait_for("its return", lambda: self.one("-H", "x-user: 0") == victim, 10, 0.2)

    def test_bounded_load(self):
        """A bound of 150 % spreads one hot key: none of four origins has more than ceil(1.5 * requests / 4)."""
        self.start("maglev", routes=[route("web", hash_policy=[{"header": "x-user"}], timeout="20s", max_retries=0)],
                   balancing={"hash_balance_factor": 150})
        gate = self.site.lab.path("crowd")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            jobs = [pool.submit(self.one, "-H", "x-user: hot", path=f"/hold{gate}") for _ in range(12)]
            try:
                wait_for("12 under way", lambda: sum(self.active()) == 12, 10, 0.05)
                active = self.active()
            finally:
                self.site.lab.write("crowd", "open")
            for job in jobs:
                job.result()
        self.verify(max(active) <= 5, f"under way: {active}")


class TestTiers(BalanceSuite):
    def test_failover(self):
        """Near endpoints first; when one of two fails the next place gets what it cannot carry, then everything."""
        here = {"region": "eu", "zone": "eu-1"}
        self.start("round_robin", endpoints=[here, here, {"region": "eu", "zone": "eu-2"}, {"region": "us"}],
                   top={"locality": here}, outlier={"consecutive_errors": 2, "base_ejection_time": "60s",
                                                    "max_ejection_percent": 100, "min_health_percent": 0})
        self.verify_equal(set(self.ask(20)), {"o0", "o1"}, "the same zone")
        self.fail_one(0)
        got = collections.Counter(self.ask(100))
        self.verify(got["o1"] in range(50, 91) and got["o1"] + got["o2"] == 100, f"one of two down: {dict(got)}")
        self.fail_one(1)
        self.verify_equal(set(self.ask(20)), {"o2"}, "the same region")
        self.fail_one(2)
        self.verify_equal(set(self.ask(20)), {"o3"}, "elsewhere")

    def test_distribute(self):
        """Shares by place: within five standard deviations, over HTTP/1.1; a place that is gone leaves its share to the
        others; what stands nowhere gets nothing. Istio's name of the key is taken."""
        here, n = {"region": "eu", "zone": "eu-1"}, 300
        self.start("round_robin", endpoints=[here, {"region": "eu", "zone": "eu-2"}, {"region": "us"}, {}],
                   top={"locality": here}, localityLbSetting={"distribute": [
                       {"from": "eu/eu-1/*", "to": ["eu/eu-1/*:70", "eu/eu-2/*:20", "us/*:10"]}]},
                   outlier={"consecutive_errors": 2, "base_ejection_time": "60s", "max_ejection_percent": 100,
                            "min_health_percent": 0})
        self.verify_shares(n, o0=.7, o1=.2, o2=.1)
        self.fail_one(0)
        self.verify_shares(n, o1=2 / 3, o2=1 / 3)

    def test_distribute_and_priorities(self):
        """Shares by place within a priority, over HTTP/1.1: the next one takes over what the first cannot carry, in the same
        shares; who stands in no place gets nothing."""
        here, there, n = {"region": "eu", "zone": "eu-1"}, {"region": "us"}, 300
        self.start("round_robin", endpoints=[here, there, {**here, "priority": 1}, {**there, "priority": 1}],
                   top={"locality": here}, balancing={"distribute": [{"from": "eu/*", "to": ["eu/*:70", "us/*:30"]}]},
                   outlier={"consecutive_errors": 2, "base_ejection_time": "60s", "max_ejection_percent": 100,
                            "min_health_percent": 0})
        self.verify_shares(n, o0=.7, o1=.3)
        self.fail_one(0)
        self.verify_shares(n, o1=.7, o2=.21, o3=.09)
        self.fail_one(1)
        self.verify_shares(n, o2=.7, o3=.3)

    def verify_shares(self, n, **want):
        """Of n requests, within five standard deviations."""
        got = collections.Counter(self.ask(n))
        for name in ("o0", "o1", "o2", "o3"):
            p = want.get(name, 0)
            away = 5 * math.sqrt(n * p * (1 - p)) + 1
            self.verify(abs(got[name] - n * p) <= (away if 0 < p < 1 else 0), f"{name}: {dict(got)}, want {want}")

    def fail_one(self, i):
        self.control(ORIGINS[i], 500)

        def ejected():
            curl_code(self.site.lab, "client", f"http://{VIP}/")
            return self.clusters()["endpoints"][i]["ejected"]
        wait_for(f"o{i} to be ejected", ejected, 20, 0)

    def test_panic(self):
        """All ejected: by default (30 %) all are asked again and counted; a priority that is healthy comes first."""
        self.start("round_robin", endpoints=[{}, {}], outlier={
            "consecutive_errors": 2, "base_ejection_time": "60s", "max_ejection_percent": 100,
            "min_health_percent": 0})
        self.fail_one(0)
        self.fail_one(1)
        for i in (0, 1):
            self.control(ORIGINS[i], 200)
        for words in ([], [H2]):
            self.verify_equal(set(self.ask(10, *words)), {"o0", "o1"}, "who answers in panic")
        self.verify((self.dut.metric("sidestep_panic_picks_total") or 0) >= 20, "panic picks are counted")
        self.verify(self.clusters()["panics"] >= 20, f"status: {self.clusters()}")

    def test_subsets(self):
        """Routes and weighted destinations name labels; nobody has them: 503 UH with a drop of its own, or the fallback."""
        v1, v2 = {"labels": {"version": "v1"}}, {"labels": {"version": "v2"}}
        routes = [{**route("web", prefix="/two"), "subset": {"version": "v2"}},
                  {**route("web", prefix="/three"), "subset": {"version": "v3"}},
                  {"name": "split", "match": {"prefix": "/split"}, "clusters": [
                      {"name": "web", "weight": 50, "subset": {"version": "v1"}},
                      {"name": "web", "weight": 50, "subset": {"version": "v2"}}]}, route("web")]
        self.start("round_robin", endpoints=[v1, v1, v2, {}], routes=routes)
        for words in ([], [H2]):
            self.verify_equal(set(self.ask(10, *words, path="/two")), {"o2"}, "version v2")
            self.verify_equal(set(self.ask(24, *words, path="/split")), {"o0", "o1", "o2"}, "v1 and v2")
            self.verify_equal(set(self.ask(10, *words, path="/rest")), {"o0", "o1", "o2", "o3"}, "without labels")
            self.verify_equal(curl_code(self.site.lab, "client", *words, f"http://{VIP}/three"), 503, "nobody")
        self.dut.wait_access(lambda r: r["status"] == 503 and r["flag"] == "UH")
        self.verify_equal(self.dut.drops("no_subset"), 2, "drops")
        # Blue-green: the labels change places, no endpoint is new.
        self.dut.reload({**self.dut.settings, **self.settings("round_robin", endpoints=[v2, v1, v1, {}], routes=routes,
                                                              balancing={"subset_fallback": "any"})})
        self.verify_equal(set(self.ask(10, path="/two")), {"o0"}, "version v2 after the reload")
        self.verify_equal(set(self.ask(16, path="/three")), {"o0", "o1", "o2", "o3"}, "fallback any")
