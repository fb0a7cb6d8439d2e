"""Rotation: new certificates, keys and bundles are used without a reload, bad ones refused by name, old connections ended."""
import json
import os
import re
import shutil
import time

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.lab import sh, wait_for
from local.programs import curl, nginx, wait_listening
from local.suite import TestSuite, tells_the_time
from TestSuite_tls import CLIENT_ID, Certs, NODE, ORIGIN_ID

MAIN, AGED, LINKED, NAMES = 443, 444, 445, 446
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
        c.leaf("rsa", "mesh", None, ["dut.example"], 30, "--rsa")
        c.leaf("shop", "mesh", None, ["shop.example", "*.shop.example"])
        self.staple("shop", 1)
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
        self.ticket_keys = lab.write("tickets.key", "")
        with open(self.ticket_keys, "wb") as f:
            f.write(os.urandom(80))
        self.settings = {
            "tls": {"ticket_keys": self.ticket_keys},
            "secrets": [{"name": "live", "certificate": c.pem("live"), "private_key": c.key("live")},
                        {"name": "linked", "certificate": lab.path("data/tls.pem"),
                         "private_key": lab.path("data/tls.key")},
                        {"name": "rsa", "certificate": c.pem("rsa"), "private_key": c.key("rsa")},
                        {"name": "shop", "certificate": c.pem("shop"), "private_key": c.key("shop"),
                         "ocsp_staple": lab.path("certs/shop.ocsp")}],
            "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": c.pem("bundle")}],
            "listeners": [listener(MAIN, "main", tls=tls),
                          listener(AGED, "aged", tls=tls, http={"max_connection_age": "1500ms"}),
                          listener(NAMES, "names", tls={"secret": "linked", "certificates": ["rsa", "shop"],
                                                          "unknown_name": "refuse", "client_certificate": False}),
                          listener(LINKED, "linked", tls={**tls, "secret": "linked"})],
            "virtual_hosts": one_host([route("up", prefix="/up/"),
                                       {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": "direct\n"}}]),
            "clusters": [cluster("up", [(ORIGIN, 9001)], protocol="http1", outlier={"consecutive_errors": 0},
                                 tls={"secret": "live", "trust": "mesh", "allowed_ids": [{"exact": ORIGIN_ID}]})]}
        self.dut = self.site.appliance(self.build, self.settings).start()

    def tear_down_suite(self):
        try:
            self.dut.stop()
        finally:
            self.site.close()

    def leaf(self, name, *more):
        self.certs.leaf(name, "mesh", NODE, ["dut.example"], 30, *more)

    def staple(self, name, days):
        """A response about a certificate, by openssl's responder, in place of the one before."""
        c, folder = self.certs, self.certs.folder
        serial = sh("openssl", "x509", "-noout", "-serial", "-in", c.pem(name)).stdout.strip().split("=")[1]
        with open(os.path.join(folder, "index.txt"), "w", encoding="ascii") as f:
            f.write(f"V\t491231235959Z\t\t{serial}\tunknown\t/CN={name}\n")
        new = os.path.join(folder, f"{name}.ocsp.new")
        sh("openssl", "ocsp", "-issuer", c.pem("mesh"), "-cert", c.pem(name), "-no_nonce", "-reqout", new + ".req")
        sh("openssl", "ocsp", "-index", os.path.join(folder, "index.txt"), "-CA", c.pem("mesh"), "-rsigner", c.pem("mesh"),
           "-rkey", c.key("mesh"), "-reqin", new + ".req", "-respout", new, "-ndays", days)
        os.rename(new, os.path.join(folder, f"{name}.ocsp"))

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

    def ask(self, name, *more):
        """What openssl s_client says of a handshake that asks for a name (None: for none)."""
        argv = ["-servername", name] if name else ["-noservername"]
        done = self.site.lab.run("client", "openssl", "s_client", "-connect", f"{VIP}:{NAMES}", "-CAfile",
                                 self.certs.pem("mesh"), *argv, *more, check=False, input="")
        return done.stdout + done.stderr

    def test_certificates_by_name(self):
        """openssl s_client is shown the certificate of the name that it asks for, exact or under a wildcard; RSA or ECDSA as
        it can verify; without a name the first; for a name that nobody has the alert unrecognized_name, counted by name."""
        def kind(text):
            return re.search(r"Server public key is (\d+) bit", text)[1], re.search(r"subject=.*CN ?= ?(\S+)", text)[1]
        for name, more, want in (("dut.example", (), ("256", "one", "two")), ("dut.example", ("-sigalgs", "ECDSA+SHA256"), ("256", "one", "two")),
                                 ("dut.example", ("-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"), ("2048", "rsa")),
                                 ("dut.example", ("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"), ("2048", "rsa")),
                                 ("shop.example", (), ("256", "shop")), ("a.shop.example", (), ("256", "shop")),
                                 (None, (), ("256", "one", "two"))):
            got = kind(self.ask(name, *more))
            self.verify(got[0] == want[0] and got[1] in want[1:], f"{name} {more}: {got}")
        before = self.dut.drops("tls_name")
        for name in ("nobody.example", "a.b.shop.example"):
            text = self.ask(name)
            self.verify("unrecognized name" in text, text[-600:])
        self.verify_equal(self.dut.drops("tls_name"), before + 2, "tls_name")
        self.dut.wait_access(lambda r: r.get("reason") == "tls_name" and r.get("sni") == "nobody.example", kind="refused")

    def test_staple(self):
        """Who asks gets the staple, which openssl verifies; a new file is shown at once; one about another certificate is
        refused by name and the last good one goes on."""
        text = self.ask("shop.example", "-status")
        self.verify("OCSP Response Status: successful" in text and "Cert Status: good" in text, text[:900])
        self.verify("OCSP response: no response sent" in self.ask("dut.example", "-status"), "a staple of another")
        days = re.search(r"Next Update: (.*)", text)[1]
        self.staple("shop", 3)
        wait_for("a new staple", lambda: days not in self.ask("shop.example", "-status"), 10, 0.05)
        new = re.search(r"Next Update: (.*)", self.ask("shop.example", "-status"))[1]
        self.staple("rsa", 3)
        os.rename(os.path.join(self.certs.folder, "rsa.ocsp"), os.path.join(self.certs.folder, "shop.ocsp"))
        wait_for("a refusal", lambda: "is not about this certificate" in (self.state("shop")["refused"] or ""), 10, 0.05)
        self.verify(new in self.ask("shop.example", "-status"), "the last good staple")
        self.staple("shop", 1)
        wait_for("a good staple", lambda: self.state("shop")["refused"] is None, 10, 0.05)

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

    @tells_the_time
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

    @tells_the_time
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

    def test_tickets_over_workers_and_appliances(self):
        """One ticket a handshake; it resumes on either of two workers, and at another appliance that has the same file of
        keys (here: one that is started in place of the first)."""
        c, saved = self.certs, self.site.lab.path("session.pem")

        def visit(*more):
            return self.site.lab.run("client", "openssl", "s_client", "-connect", f"{VIP}:{MAIN}", "-servername",
                                     "dut.example", "-CAfile", c.pem("mesh"), "-cert", c.pem("client"), "-key",
                                     c.key("client"), "-tls1_3", "-ign_eof", *more, check=False, timeout=30,
                                     input="GET / HTTP/1.1\r\nHost: dut.example\r\nConnection: close\r\n\r\n").stdout
        self.dut.stop()
        self.dut = self.site.appliance(self.build, self.settings, "first", workers=2).start()
        text = visit("-sess_out", saved)
        self.verify_equal(text.count("Post-Handshake New Session Ticket arrived"), 1, "tickets of one handshake")
        for n in range(40):  # which worker gets a visit is chance: all of a dozen may be one's
            self.verify("Reused, TLSv1.3" in visit("-sess_in", saved), f"visit {n} was not resumed")
            resumed = [self.dut.metric("sidestep_tls_resumed_total", worker=worker) for worker in ("0", "1")]
            if n >= 11 and all(resumed):
                break
        self.verify(all(resumed), f"resumed by each worker: {resumed}")
        self.dut.stop()
        self.dut = self.site.appliance(self.build, self.settings, "second").start()
        self.verify("Reused, TLSv1.3" in visit("-sess_in", saved), "the other appliance has the same keys")
