"""Rotation: new certificates, keys and bundles are used without a reload, bad ones refused by name, old connections ended."""
import json
import os
import re
import shutil
import time

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.lab import sh, wait_for
from local.programs import curl, nginx, wait_listening
from local.suite import TestSuite
from TestSuite_tls import CLIENT_ID, Certs, NODE, ORIGIN_ID

MAIN, AGED, LINKED = 443, 444, 445
# What a bad file must be refused with: (files put in place of live.pem and live.key, what the reason says).
WRONGS = {
    "expired": ("certificate 1 has expired",),
    "future": ("certificate 1 is not valid yet",),
    "torn": ("live.pem: ",),
    "empty": ("no certificate in it",),
    "mismatch": ("is not the key of",),
    "missing": ("No such file or directory",),
    "other-domain": ("is not in trust domain mesh.local",),
}


class TestRotation(TestSuite):
    def set_up_suite(self):
        self.site = Site("ro")
        lab = self.site.lab
        self.certs = c = Certs(lab.path("certs"))
        c.authority("mesh")
        c.authority("next")
        c.leaf("client", spiffe=CLIENT_ID)
        c.leaf("client-next", ca="next", spiffe=CLIENT_ID)
        c.leaf("origin", spiffe=ORIGIN_ID, dns=["origin.example"])
        for name in ("one", "two"):
            self.leaf(name)
        self.put("one")
        shutil.copy(c.pem("mesh"), c.pem("bundle"))
        for n, name in enumerate(("one", "two")):
            os.mkdir(lab.path(f"v{n}"))
            for kind in ("pem", "key"):
                shutil.copy(os.path.join(c.folder, f"{name}.{kind}"), lab.path(f"v{n}/tls.{kind}"))
        os.symlink("v0", lab.path("data"))
        tls = (f"ssl_certificate {c.pem('origin')}; ssl_certificate_key {c.key('origin')}; ssl_verify_client on; "
               f"ssl_client_certificate {c.pem('mesh')};")
        log = "log_format who '$msec $connection $ssl_client_serial'; "
        p = nginx(lab, "origin", "up", f"{log} server {{ listen 9001 ssl; {tls} access_log {lab.path('who.log')} who; "
                                       "location / { return 200 \"from the origin\\n\"; } }")
        wait_listening(lab, p, "origin", ORIGIN, 9001)
        tls = {"mode": "strict", "secret": "live", "trust": "mesh"}
        self.dut = self.site.appliance(self.build, {
            "secrets": [{"name": "live", "certificate": c.pem("live"), "private_key": c.key("live")},
                        {"name": "linked", "certificate": lab.path("data/tls.pem"),
                         "private_key": lab.path("data/tls.key")}],
            "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": c.pem("bundle")}],
            "listeners": [listener(MAIN, "main", tls=tls),
                          listener(AGED, "aged", tls=tls, http={"max_connection_age": "1500ms"}),
                          listener(LINKED, "linked", tls={**tls, "secret": "linked"})],
            "virtual_hosts": one_host([route("up", prefix="/up/"),
                                       {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": "direct\n"}}]),
            "clusters": [cluster("up", [(ORIGIN, 9001)], protocol="http1", outlier={"consecutive_errors": 0},
                                 tls={"secret": "live", "trust": "mesh", "allowed_ids": [{"exact": ORIGIN_ID}]})]}).start()

    def tear_down_suite(self):
        try:
            self.dut.stop()
        finally:
            self.site.close()

    def leaf(self, name, *more):
        self.certs.leaf(name, "mesh", NODE, ["dut.example"], 30, *more)

    def rename(self, source, target):
        """A whole file in place of another."""
        shutil.copy(source, target + ".new")
        os.rename(target + ".new", target)

    def put(self, name):
        self.rename(self.certs.key(name), self.certs.key("live"))
        self.rename(self.certs.pem(name), self.certs.pem("live"))

    def serial_of(self, name):
        return sh("openssl", "x509", "-noout", "-serial", "-in", self.certs.pem(name)).stdout.strip()

    def serial(self, port=MAIN):
        """Of the certificate that openssl s_client is shown."""
        c = self.certs
        text = self.site.lab.run("client", "openssl", "s_client", "-connect", f"{VIP}:{port}", "-servername", "dut.example",
                                 "-CAfile", c.pem("mesh"), "-cert", c.pem("client"), "-key", c.key("client"), check=False,
                                 input="").stdout
        return sh("openssl", "x509", "-noout", "-serial", input=text).stdout.strip()

    def state(self, name="live"):
        return next(s for s in self.dut.ctl_json("secrets")["secrets"] if s["name"] == name)

    def shown(self, name, port=MAIN):
        want = self.serial_of(name)
        wait_for(f"certificate {name} on port {port}", lambda: self.serial(port) == want, 10, 0.05)

    def clients(self, protocol, seconds, port=MAIN, n=4, path="/"):
        """Starts clients that keep their connections; returns a function that waits for what they saw."""
        c = self.certs
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "local", "rotation_client.py")
        p = self.site.lab.start(f"clients-{protocol.replace('/', '-')}-{port}", "client", "/usr/bin/python3", script, VIP,
                                str(port), c.pem("mesh"), c.pem("client"), c.key("client"), str(seconds), protocol, str(n),
                                path)

        def seen():
            self.verify_equal(p.wait(seconds + 60), 0, "clients: " + p.log()[-800:])
            return json.loads(p.log().strip().splitlines()[-1])
        return seen

    def test_every_way_of_changing(self):
        """A rename onto the files, a write into them, and a link renamed: each is shown to new clients without a reload.
        The generation has grown, and the hash of the configuration is the same."""
        before = self.dut.ctl_json("status")
        self.verify_equal(self.serial(), self.serial_of("one"), "the first certificate")
        self.put("two")
        self.shown("two")
        for kind in ("key", "pem"):
            shutil.copy(os.path.join(self.certs.folder, f"one.{kind}"), os.path.join(self.certs.folder, f"live.{kind}"))
        self.shown("one")
        self.verify_equal(self.serial(LINKED), self.serial_of("one"), "behind the link")
        os.symlink("v1", self.site.lab.path("data.new"))
        os.rename(self.site.lab.path("data.new"), self.site.lab.path("data"))
        self.shown("two", LINKED)
        self.verify_equal(self.state("linked")["refusals"], 0, "certificate and key that moved together")
        after = self.dut.ctl_json("status")
        self.verify_equal(after["config_hash"], before["config_hash"], "hash")
        self.verify(after["generation"] >= before["generation"] + 3, "generations")

    def test_every_refusal_has_its_reason(self):
        """Bad files are refused by name, counted, logged, shown; the certificate before goes on. Good ones end it."""
        c = self.certs
        self.put("one")
        self.shown("one")
        self.leaf("expired", "--expired")
        self.leaf("future", "--future")
        c.leaf("other-domain", "mesh", "spiffe://else.local/x", ["dut.example"])
        with open(c.pem("one"), encoding="ascii") as f:
            self.site.lab.write("certs/torn.pem", f.read()[:300] + "\n-----END CERTIFICATE-----\n")
        self.site.lab.write("certs/empty.pem", "")
        for name, reasons in WRONGS.items():
            if name == "missing":
                os.unlink(c.pem("live"))
            elif name == "mismatch":
                self.rename(c.key("two"), c.key("live"))
            else:
                if os.path.exists(c.key(name)):
                    self.rename(c.key(name), c.key("live"))
                self.rename(c.pem(name), c.pem("live"))
            for reason in reasons:
                wait_for(f"{name} to be refused", lambda r=reason: r in (self.state()["refused"] or ""), 10, 0.05)
            self.verify("live" in self.state()["refused"], "the reason names the file")
            self.verify_equal(self.serial(), self.serial_of("one"), f"{name}: the last good one")
            self.verify_equal(self.dut.metric("sidestep_secret_refused", secret="live"), 1, "gauge")
            self.put("one")
            wait_for(f"the end of {name}", lambda: self.state()["refused"] is None, 10, 0.05)
        log = self.dut.process.log()
        for name, (reason,) in WRONGS.items():
            self.verify(re.search(rf'msg="secret refused" secret=live.*{re.escape(reason)}', log), f"{name}: no line")
        self.verify(self.dut.metric("sidestep_secret_refusals_total", secret="live") >= len(WRONGS), "counted")
        self.verify("live" in self.dut.ctl("secrets").stdout, "sidestepctl secrets")
        left = self.dut.metric("sidestep_secret_expiry_seconds", secret="live")
        self.verify(29 * 86400 < left <= 30 * 86400, f"expires in {left} s")
        self.verify(self.dut.metric("sidestep_secret_expiry_seconds", secret="mesh", kind="trust") > left, "the bundle")

    def test_a_bundle_with_another_authority(self):
        """A client of another authority is refused; let in when the bundle has both; refused when that is taken back."""
        c = self.certs

        def answer():
            done = curl(self.site.lab, "client", "--cacert", c.pem("mesh"), "--resolve", f"dut.example:{MAIN}:{VIP}", "--cert",
                        c.pem("client-next"), "--key", c.key("client-next"), f"https://dut.example:{MAIN}/", check=False)
            return done.stdout
        self.verify_equal(answer(), "", "unknown authority")
        with open(c.pem("mesh"), encoding="ascii") as a, open(c.pem("next"), encoding="ascii") as b:
            self.site.lab.write("certs/both.pem", a.read() + b.read())
        self.rename(c.pem("both"), c.pem("bundle"))
        wait_for("both authorities", lambda: answer() == "direct\n", 10, 0.05)
        self.rename(c.pem("mesh"), c.pem("bundle"))
        wait_for("one authority", lambda: answer() == "", 10, 0.05)

    def test_connections_have_an_age(self):
        """max_connection_age 1.5 s: every connection ends in order, none later, and not all at once; HTTP/1.1 by
        "connection: close", HTTP/2 by GOAWAY; no request fails."""
        before = self.dut.metric("sidestep_http_retired_total")
        waits = [self.clients(p, 4, AGED, 6) for p in ("http/1.1", "h2")]
        for got in (w() for w in waits):
            self.verify_equal(got["failed"], [], "failed")
            self.verify(got["goodbyes"] >= 12, f"too few ended: {got}")
            self.verify(all(1.2 < n < 1.9 + 1.5 * self.small for n in got["lives"]), f"lives: {got['lives']}")
            self.verify(len(set(got["lives"])) > 2, f"all at once: {got['lives']}")
        self.verify(self.dut.metric("sidestep_http_retired_total") > before + 20, "counted")

    def test_rotation_under_load(self):
        """Every 2 seconds a certificate that lives for 7, while clients of both protocols keep their connections, through
        to an origin that demands ours: no request fails, and no connection outlives its certificate, on either leg. 10
        seconds; with --long two minutes."""
        c, seconds = self.certs, 120 if self.long else 10
        until = {}

        def rotate(n):
            self.leaf(f"short{n}", "--seconds", "7")
            text = sh("openssl", "x509", "-noout", "-serial", "-enddate", "-in", c.pem(f"short{n}")).stdout
            until[int(re.search(r"serial=(\w+)", text)[1], 16)] = \
                float(sh("date", "-d", re.search(r"notAfter=(.*)", text)[1], "+%s").stdout)
            self.put(f"short{n}")
            self.shown(f"short{n}")
        rotate(0)
        began = time.time()
        waits = [self.clients(p, seconds, MAIN, 3, "/up/x") for p in ("http/1.1", "h2")]
        n = 0
        while time.time() < began + seconds - 1:
            n += 1
            time.sleep(max(0.0, began + 2 * n - time.time()))
            rotate(n)
        for got in (w() for w in waits):
            self.note(f"{got['requests']} requests on {got['connections']} connections, {len(got['serials'])} certificates, "
                      f"latest answer {-got['overdue']:.1f} s before its certificate's end")
            self.verify_equal(got["failed"], [], "failed")
            self.verify(got["overdue"] < 0, f"a connection is older than its certificate by {got['overdue']} s")
            self.verify(len(got["serials"]) >= 2 and got["goodbyes"] >= 3, f"too few were ended: {got}")
        with open(self.site.lab.path("who.log"), encoding="ascii") as f:
            legs = [line.split() for line in f]
        late = [(t, s) for t, _, s in legs if int(s, 16) in until and float(t) > until[int(s, 16)]]
        self.verify_equal(late, [], "requests to the origin with a certificate that had ended")
        self.verify(len({s for _, _, s in legs if int(s, 16) in until}) >= 2, "the origin saw one certificate alone")
        self.put("one")
        self.shown("one")
