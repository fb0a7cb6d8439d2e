"""Mirrors: the same requests to another cluster, which may be dead, stall or be killed without anyone noticing."""
import json
import os

from local.bench_site import ORIGIN, ORIGINS, Site, VIP, cluster, listener, one_host, route
from local.lab import wait_for
from local.programs import curl, h2_origin, h2_records, h2load, nginx, script, wait_listening
from local.suite import TestSuite
from TestSuite_tls import Certs

PORT = 8080
PRIMARY, SEEN, OTHER, STALLED = ORIGIN, ORIGINS[0], ORIGINS[1], ORIGINS[2]
NOBODY = "10.2.0.99"
H2C, MTLS = 8090, 8443
H2 = {"primary": PRIMARY, "seen": SEEN, "stalled": STALLED}
KINDS = ("mirrors", "mirrors_answered", "mirrors_failed", "mirrors_late", "mirrors_refused", "mirrors_full",
         "mirrors_too_large", "mirrors_cut")


class TestMirrors(TestSuite):
    def set_up_suite(self):
        self.site = Site("mi")
        lab = self.site.lab
        self.programs = {}
        for name, address, *more in (("primary", PRIMARY), ("seen", SEEN), ("other", OTHER), ("stalled", STALLED, "stall")):
            self.programs[name] = p = script(lab, "origin", name, "recorder.py", address, PORT, lab.path(f"{name}.jsonl"), *more)
            wait_listening(lab, p, "origin", address, PORT)
        web = nginx(lab, "origin", "web", f"server {{ listen {PRIMARY}:81; return 200 'ok\\n'; }}")
        wait_listening(lab, web, "origin", PRIMARY, 81)
        loose = {"consecutive_errors": 0}
        shown = self.start_h2(lab)
        trusted = {"secret": "dut", "trust": "mesh"}
        meant = {**trusted, "allowed_ids": [{"exact": "spiffe://mesh.local/ns/demo/sa/origin"}]}
        other = {**trusted, "allowed_ids": [{"exact": "spiffe://mesh.local/ns/demo/sa/somebody"}]}
        self.dut = self.site.appliance(self.build, {
            **shown,
            "listeners": [listener(80)],
            "clusters": [*[cluster(f"{n}-h2c", [(a, H2C)], protocol="http2") for n, a in H2.items()],
                         *[cluster(f"{n}-tls", [(a, MTLS)], protocol="http2", tls=meant) for n, a in H2.items()],
                         cluster("wrong-tls", [(SEEN, MTLS)], protocol="http2", tls=other, outlier=loose),
                         cluster("dead-h2c", [(SEEN, 9)], protocol="http2", outlier=loose),
                         cluster("primary", [(PRIMARY, PORT)], protocol="http1"),
                         cluster("fast", [(PRIMARY, 81)], protocol="http1"),
                         cluster("seen", [(SEEN, PORT)], protocol="http1"),
                         cluster("other", [(OTHER, PORT)], protocol="http1"),
                         cluster("stalled", [(STALLED, PORT)], protocol="http1", max_connections=16, max_pending=16),
                         cluster("dead", [(SEEN, 9)], protocol="http1", outlier=loose),
                         cluster("nobody", [(NOBODY, PORT)], protocol="http1", max_pending=8, outlier=loose)],
            "virtual_hosts": one_host([
                route("primary", prefix="/both", mirrors=[{"cluster": "seen"}, {"cluster": "other", "shadow_host": False}]),
                route("primary", prefix="/none", mirrors=[{"cluster": "seen", "percent": 0}]),
                route("primary-tls", prefix="/same/tls", mirrors=[{"cluster": "seen-tls"}, {"cluster": "seen-h2c"}]),
                route("primary-h2c", prefix="/same/h2c", mirrors=[{"cluster": "seen-tls"}, {"cluster": "seen-h2c"}]),
                *[route("primary-tls", prefix=f"/h2/{n}", mirrors=[{"cluster": n, "timeout": "300ms"}]) for n in
                  ("stalled-tls", "stalled-h2c", "wrong-tls", "dead-h2c")],
                *[route("fast", prefix=f"/{n}", mirrors=[{"cluster": n, "timeout": "1s"}]) for n in
                  ("stalled", "dead", "nobody", "seen")],
                route("fast", prefix="/off")])}).start()

    def start_h2(self, lab):
        """The same three over HTTP/2, in plain text and with mutual TLS."""
        certs = Certs(lab.path("certs"))
        certs.authority("mesh")
        for name in ("dut", "origin"):
            certs.leaf(name, spiffe=f"spiffe://mesh.local/ns/demo/sa/{name}")
        files = {"key": certs.key("origin"), "cert": certs.pem("origin"), "ca": certs.pem("mesh")}
        for name, address in H2.items():
            h2_origin(lab, "origin", f"{name}-h2c", [address], H2C, stall=name == "stalled")
            h2_origin(lab, "origin", f"{name}-tls", [address], MTLS, stall=name == "stalled", **files)
        return {"secrets": [{"name": "dut", "certificate": certs.pem("dut"), "private_key": certs.key("dut")}],
                "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": certs.pem("mesh")}]}

    def tear_down_suite(self):
        self.dut.stop()
        self.site.close()

    def records(self, name):
        with open(self.site.lab.path(f"{name}.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def counts(self):
        return {k: int(self.dut.metric(f"sidestep_{k}_total")) for k in KINDS}

    def since(self, before):
        return {k: v - before[k] for k, v in self.counts().items() if v != before[k]}

    def settle(self, before):
        """Counts once every copy has come to its end."""
        def idle():
            return sum(w["exchanges"] for w in self.dut.ctl_json("status")["workers"]) == 0

        wait_for("the mirrors to end", idle, 10, 0.05)
        return self.since(before)

    def test_same_bodies(self):
        """Both mirrors of a route get every request with the same path and body over HTTP/1.1 and HTTP/2, one with
        -shadow in the host's name; a body over the bound reaches the primary only; 0 % is none."""
        lab, before = self.site.lab, self.counts()
        sizes = (0, 1, 1000, 60000, 200000)
        for size in sizes:
            body = lab.path(f"body-{size}")
            with open(body, "wb") as f:
                f.write(os.urandom(size))
            for tag, protocol in (("h1", "--http1.1"), ("h2", "--http2-prior-knowledge")):
                got = curl(lab, "client", protocol, "-H", "Host: shop.example:80", "-H", "Expect:", "--data-binary", f"@{body}",
                           f"http://{VIP}/both/{tag}/{size}").stdout
                self.verify_equal(got, "ok\n", f"{tag} {size}")
                curl(lab, "client", protocol, f"http://{VIP}/none")
        self.settle(before)
        want = {(r["method"], r["path"], r["sha256"]) for r in self.records("primary") if r["path"].startswith("/both")}
        self.verify_equal(len(want), 2 * len(sizes), "the primary's requests")
        small = {w for w in want if not w[1].endswith("/200000")}
        for name, host in (("seen", "shop.example-shadow:80"), ("other", "shop.example:80")):
            got = self.records(name)
            self.verify_equal({(r["method"], r["path"], r["sha256"]) for r in got}, small, name)
            self.verify_equal({r["host"] for r in got}, {host}, f"{name}: host")
        self.verify_equal({r["host"] for r in self.records("primary") if r["path"].startswith("/both")},
                          {"shop.example:80"}, "primary: host")
        seen = self.since(before)
        self.verify_equal((seen["mirrors_answered"], seen["mirrors_too_large"]), (16, 4), f"{seen}")

    def test_same_bodies_over_h2(self):
        """Primary and mirrors over HTTP/2, in plain text and with mutual TLS: each mirror gets each request with the
        same body; one too long reaches the primary only; a mirror sees our identity."""
        lab, before = self.site.lab, self.counts()
        sizes = (0, 1, 20000, 60000, 200000)
        for size in sizes:
            body = lab.path(f"h2-body-{size}")
            with open(body, "wb") as f:
                f.write(os.urandom(size))
            for to in ("tls", "h2c"):
                for tag, protocol in (("h1", "--http1.1"), ("h2", "--http2-prior-knowledge")):
                    got = curl(lab, "client", protocol, "-H", "Host: shop.example", "-H", "Expect:", "--data-binary",
                               f"@{body}", f"http://{VIP}/same/{to}/{tag}/{size}").stdout
                    self.verify_equal(got, "1\n", f"{to} {tag} {size}")
        counts = self.settle(before)
        for to in ("tls", "h2c"):
            want = {(r["method"], r["path"], r["sha256"]) for r in h2_records(lab, f"primary-{to}")
                    if r["path"].startswith("/same")}
            self.verify_equal(len(want), 2 * len(sizes), f"the primary's requests, {to}")
            for mirror in ("tls", "h2c"):
                got = [r for r in h2_records(lab, f"seen-{mirror}") if r["path"].startswith(f"/same/{to}")]
                self.verify_equal({(r["method"], r["path"], r["sha256"]) for r in got},
                                  {w for w in want if not w[1].endswith("/200000")}, f"{to} to {mirror}")
                self.verify_equal({r["host"] for r in got}, {"shop.example-shadow"}, "host")
                if mirror == "tls":
                    self.verify_equal({r["peer"] for r in got}, {"URI:spiffe://mesh.local/ns/demo/sa/dut"}, "who asked")
        self.verify_equal((counts["mirrors_answered"], counts["mirrors_too_large"]), (32, 8), f"{counts}")

    def test_bad_mirrors_over_h2(self):
        """Mirrors over HTTP/2 that never answer, have another identity or refuse connections: the primary, over mutual
        TLS, answers everything, and its endpoint has no failure; what was left unanswered is reset."""
        lab, before = self.site.lab, self.counts()
        n = 100 if self.small else 400
        for name in ("stalled-tls", "stalled-h2c", "wrong-tls", "dead-h2c"):
            got = h2load(lab, "client", "-n", n, "-c", 2, "-m", 4, f"http://{VIP}/h2/{name}")
            self.verify_equal(got["2xx"], n, name)
            seen = self.settle(before)  # those that wait for one take all places of copies: the next finds them free
        self.note(f"copies: {seen}")
        self.verify(seen.get("mirrors_late", 0) > 0 and seen.get("mirrors_failed", 0) > 0, f"{seen}")
        for name in ("stalled-tls", "stalled-h2c"):
            over = wait_for("resets", lambda n=name: h2_records(lab, n, "closed"), 5, 0.05)
            self.verify_equal({r["rst"] for r in over}, {8}, f"{name}: how its streams ended")
        for c in self.dut.ctl_json("clusters")["clusters"]:
            if c["name"] == "primary-tls":
                self.verify_equal([(e["failures"], e["ejections"]) for e in c["endpoints"]], [(0, 0)], c["name"])

    def p50(self, path, n):
        log = self.site.lab.path(f"latency{path.replace('/', '-')}.txt")
        self.site.lab.run("client", "h2load", "--h1", "-n", n, "-c", 1, "-m", 1, "--log-file", log, f"http://{VIP}{path}")
        with open(log, encoding="ascii") as f:
            rows = [line.split() for line in f]
        self.verify_equal([r[1] for r in rows], ["200"] * n, f"{path}: statuses")
        return sorted(int(r[2]) for r in rows)[n // 2]

    def test_dead_and_stalled(self):
        """A mirror that refuses connections, one that is not there, one that reads and never answers: every request
        is answered by the primary, whose endpoint has no failure. The medians are told, not judged."""
        n = 300 if self.small else 1500
        before = self.counts()
        told = {p: self.p50(p, n) for p in ("/off", "/seen", "/dead", "/nobody", "/stalled", "/off/again")}
        self.note("p50: " + ", ".join(f"{p[1:]} {us} us" for p, us in told.items()))
        seen = self.settle(before)
        self.note(f"copies: {seen}")
        self.verify(seen.get("mirrors_failed", 0) > 0 and seen.get("mirrors_late", 0) > 0 and
                    seen.get("mirrors_refused", 0) > 0, f"each way to fail: {seen}")
        for c in self.dut.ctl_json("clusters")["clusters"]:
            if c["name"] in ("fast", "primary"):
                self.verify_equal([(e["failures"], e["ejections"]) for e in c["endpoints"]], [(0, 0)], c["name"])

    def test_killed_under_load(self):
        """The mirror's program is killed while requests come: no request fails."""
        before = self.counts()
        p = self.site.lab.start("load", "client", "h2load", "-D", 6, "-c", 4, "-m", 8, f"http://{VIP}/seen")
        wait_for("copies under way", lambda: self.counts()["mirrors_answered"] > before["mirrors_answered"] + 200, 10, 0.01)
        self.programs["seen"].kill()
        self.verify_equal(p.wait(60), 0, p.log()[-500:])
        self.verify(" 0 failed, 0 errored" in p.log() and " 0 3xx, 0 4xx, 0 5xx" in p.log(), p.log()[-900:])

        def failed():
            """The load may have ended before the death was felt: more requests, all answered, until a copy fails."""
            self.verify_equal(curl(self.site.lab, "client", f"http://{VIP}/seen").stdout, "ok\n", "the primary")
            return self.counts()["mirrors_failed"] > before["mirrors_failed"]
        wait_for("a copy to fail", failed, 10, 0.02)
        self.note(f"copies: {self.settle(before)}")
