"""TLS: mutual TLS with verified identities on both legs, refusals that the peer can see."""
import hashlib
import os
import re

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.lab import sh, wait_for
from local.programs import curl, h2load, nghttpd, nginx, script, wait_listening
from local.suite import TestSuite

STRICT, PERMISSIVE, PLAIN, TLS_ONLY = 443, 444, 80, 445
NODE = "spiffe://mesh.local/ns/demo/sa/dut"
CLIENT_ID = "spiffe://mesh.local/ns/demo/sa/client"
ORIGIN_ID = "spiffe://mesh.local/ns/demo/sa/origin"


class Certs:
    """Certificates by tools/ca: DIR/NAME.pem (leaf and chain), DIR/NAME.key, DIR/CA.pem."""

    def __init__(self, folder):
        self.folder = folder
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.tool = os.path.join(root, "tools", "ca")
        os.makedirs(folder, exist_ok=True)

    def authority(self, name):
        sh(self.tool, self.folder, "init", name)
        return self.pem(name)

    def leaf(self, name, ca="mesh", spiffe=None, dns=None, days=30, *more):
        argv = [self.tool, self.folder, "leaf", "--ca", ca, "--out", name, "--days", days]
        if spiffe:
            argv += ["--spiffe", spiffe]
        for d in dns or []:
            argv += ["--dns", d]
        sh(*argv, *more)

    def pem(self, name):
        return os.path.join(self.folder, f"{name}.pem")

    def key(self, name):
        return os.path.join(self.folder, f"{name}.key")


class TestTls(TestSuite):
    def set_up_suite(self):
        self.site = Site("tl")
        lab = self.site.lab
        self.certs = c = Certs(lab.path("certs"))
        c.authority("mesh")
        c.authority("other")
        c.leaf("dut", spiffe=NODE, dns=["dut.example"])
        c.leaf("client", spiffe=CLIENT_ID)
        c.leaf("client-other-ca", ca="other", spiffe=CLIENT_ID)
        c.leaf("client-expired", spiffe=CLIENT_ID, days=-1)
        c.leaf("client-wrong-id", spiffe="spiffe://mesh.local/ns/prod/sa/client")
        c.leaf("client-dns", dns=["client.example"])
        c.leaf("origin", spiffe=ORIGIN_ID, dns=["origin.example"])
        c.leaf("origin-other-ca", ca="other", spiffe=ORIGIN_ID)
        c.leaf("origin-expired", spiffe=ORIGIN_ID, days=-1)
        c.leaf("origin-wrong-id", spiffe="spiffe://mesh.local/ns/prod/sa/origin")
        root = lab.path("root")
        os.mkdir(root)
        with open(os.path.join(root, "x"), "w", encoding="ascii") as f:
            f.write("from the origin\n")
        self.bodies = {"0": b"", "1": b"x", "16384": os.urandom(16384), "1048577": os.urandom(1048577)}
        for name, body in self.bodies.items():
            with open(os.path.join(root, name), "wb") as f:
                f.write(body)
        self.start_more_origins(root)
        self.upstreams = {"good": 9001, "other-ca": 9002, "expired": 9003, "wrong-id": 9004, "plain": 9005}
        for name, port in self.upstreams.items():
            cert = "origin" if name == "good" else f"origin-{name}"
            if name == "plain":
                nghttpd(lab, "origin", "up-plain", ORIGIN, port, root)
            else:
                nghttpd(lab, "origin", f"up-{name}", ORIGIN, port, root, c.key(cert), c.pem(cert), c.pem("mesh"))
        more = {"nginx-13": 9011, "nginx-12": 9012, "cutter": 9013, "s_server": 9014, "nginx-once": 9015}
        up_tls = {"secret": "dut", "trust": "mesh", "allowed_ids": [{"exact": ORIGIN_ID}]}
        allowed = [{"prefix": "spiffe://mesh.local/ns/demo"}]
        self.ticket_keys = lab.path("tickets.key")
        self.keys = [os.urandom(80), os.urandom(80)]
        self.put_ticket_keys(self.keys[:1])
        self.dut = self.site.appliance(self.build, {
            "tls": {"ticket_keys": self.ticket_keys},
            "secrets": [{"name": "dut", "certificate": c.pem("dut"), "private_key": c.key("dut")}],
            "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": c.pem("mesh")}],
            "listeners": [
                listener(STRICT, "strict", tls={"mode": "strict", "secret": "dut", "trust": "mesh",
                                                "allowed_ids": allowed}),
                listener(PERMISSIVE, "permissive", tls={"mode": "permissive", "secret": "dut", "trust": "mesh",
                                                        "allowed_ids": allowed}),
                listener(TLS_ONLY, "tls-only", tls={"mode": "strict", "secret": "dut",
                                                    "client_certificate": False}),
                listener(PLAIN, "plain")],
            "virtual_hosts": one_host(
                [{"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": "direct\n"}}]
                + [route(n, prefix=f"/{n}/", prefix_rewrite="/", max_retries=0) for n in [*self.upstreams, *more]]),
            "clusters": [cluster(n, [(ORIGIN, p)], protocol="http2", tls=up_tls,
                                 outlier={"consecutive_errors": 0})
                         for n, p in self.upstreams.items()] +
                        [cluster(n, [(ORIGIN, p)], protocol="http1", tls=up_tls, outlier={"consecutive_errors": 0})
                         for n, p in more.items()]}).start()

    def put_ticket_keys(self, keys):
        """As an operator does it: a whole file in place of another."""
        with open(self.ticket_keys + ".new", "wb") as f:
            f.write(b"".join(keys))
        os.rename(self.ticket_keys + ".new", self.ticket_keys)

    def start_more_origins(self, root):
        """nginx over TLS 1.3 and over 1.2 alone, both of which demand our certificate; and one that ends a body
        by closing, with or without close_notify."""
        lab, c = self.site.lab, self.certs
        tls = (f"ssl_certificate {c.pem('origin')}; ssl_certificate_key {c.key('origin')}; ssl_verify_client on; "
               f"ssl_client_certificate {c.pem('mesh')}; root {root};")
        p = nginx(lab, "origin", "up-nginx", f"server {{ listen 9011 ssl; ssl_protocols TLSv1.3; {tls} }} "
                                             f"server {{ listen 9012 ssl; ssl_protocols TLSv1.2; {tls} }} "
                                             "server { listen 9015 ssl; keepalive_requests 1; ssl_protocols TLSv1.3; "
                                             f"add_header x-reused $ssl_session_reused; {tls} }}")
        wait_listening(lab, p, "origin", ORIGIN, 9011)
        p = lab.start("up-s_server", "origin", "sh", "-c", f"cd {root} && exec openssl s_server -accept {ORIGIN}:9014 "
                      f"-cert {c.pem('origin')} -key {c.key('origin')} -CAfile {c.pem('mesh')} -Verify 2 "
                      "-verify_return_error -WWW")
        wait_listening(lab, p, "origin", ORIGIN, 9014)
        p = script(lab, "origin", "up-cutter", "tls_cutter.py", ORIGIN, "9013", c.pem("origin"), c.key("origin"))
        wait_listening(lab, p, "origin", ORIGIN, 9013)

    def tear_down_suite(self):
        try:
            self.dut.stop()
        finally:
            self.site.close()

    def pair(self, source, cluster):
        """What sidestepctl tells of requests from there to there."""
        rows = [p for p in self.dut.ctl_json("pairs")["pairs"] if p["source"] == source and p["cluster"] == cluster]
        return rows[0] if rows else {"mutual_tls": 0, "plaintext": 0}

    def test_encrypted_share(self):
        """On a permissive listener: who calls an origin, and how much of it came encrypted, in the metrics and from
        sidestepctl; also for who is known by its address alone."""
        before = self.pair(CLIENT_ID, "good")["mutual_tls"]
        for _ in range(3):
            self.verify_equal(self.https(port=PERMISSIVE, path="/good/x", check=True).stdout, "from the origin\n", "mutual TLS")
        plain = curl(self.site.lab, "client", f"http://{VIP}:{PERMISSIVE}/good/x").stdout
        self.verify_equal(plain, "from the origin\n", "plaintext")
        wait_for("the pair", lambda: self.pair(CLIENT_ID, "good")["mutual_tls"] == before + 3, 10, 0.05)
        self.verify_equal(self.pair(CLIENT_ID, "good")["encrypted_percent"], 100, "of the identity")
        wait_for("the address", lambda: self.dut.metric("sidestep_pair_requests_total", cluster="good", security="none"), 10, 0.05)
        address = [p for p in self.dut.ctl_json("pairs")["pairs"] if p["cluster"] == "good" and p["plaintext"]]
        self.verify(len(address) == 1 and re.match(r"\d+\.\d+\.\d+\.\d+$", address[0]["source"]), f"{address}")

    def https(self, *more, cert="client", port=STRICT, path="/direct", check=False):
        c = self.certs
        argv = ["--cacert", c.pem("mesh"), "--resolve", f"dut.example:{port}:{VIP}"]
        if cert:
            argv += ["--cert", c.pem(cert), "--key", c.key(cert)]
        return curl(self.site.lab, "client", *argv, *more, f"https://dut.example:{port}{path}", check=check)

    def s_client(self, *more, cert="client", port=STRICT):
        """openssl s_client with one request on its input; returns all it printed."""
        c = self.certs
        argv = ["openssl", "s_client", "-connect", f"{VIP}:{port}", "-servername", "dut.example",
                "-CAfile", c.pem("mesh"), "-verify_return_error", "-state", "-ign_eof"]
        if cert:
            argv += ["-cert", c.pem(cert), "-key", c.key(cert)]
        done = self.site.lab.run("client", *argv, *more, check=False, timeout=30,
                                 input="GET /direct HTTP/1.1\r\nHost: dut.example\r\nConnection: close\r\n\r\n")
        return done.stdout + done.stderr

    def refused(self, reason, cert, alerts):
        """A client certificate that must be refused: alert in openssl's output, counted and logged by
        reason; and the same request with the right certificate passes."""
        before = self.dut.drops(reason)
        text = self.s_client(cert=cert)
        self.verify(any(a in text.lower() for a in alerts), f"{reason}: openssl saw no alert {alerts}:\n{text[-900:]}")
        self.verify("direct" not in text.split("\r\n\r\n")[-1], "the request was answered")
        self.verify_equal(self.dut.drops(reason), before + 1, f"{reason} counted")
        self.dut.wait_access(lambda r: r.get("reason") == reason, kind="refused")
        self.verify("direct" in self.s_client(cert="client"), "the right certificate was refused too")

    def test_strict_mutual(self):
        """TLS 1.3 and 1.2, HTTP/1.1 and HTTP/2, with a client certificate: answered, and the access log
        names the verified identity."""
        for version in ("--tlsv1.3", "--tls-max"):
            for http in ("--http1.1", "--http2"):
                extra = [version, "1.2"] if version == "--tls-max" else [version]
                done = self.https(http, *extra)
                self.verify_equal(done.stdout, "direct\n", f"{version} {http}: {done.stderr}")
        r = self.dut.wait_access(lambda r: r.get("peer") == CLIENT_ID)
        self.verify_equal(r["tls"], "mutual", "tls in the access log")

    def test_wrong_ca(self):
        """A client certificate of another authority: alert unknown_ca."""
        self.refused("tls_untrusted", "client-other-ca", ("unknown ca",))

    def test_expired(self):
        """An expired client certificate: alert certificate_expired."""
        self.refused("tls_expired", "client-expired", ("certificate expired",))

    def test_no_certificate(self):
        """No client certificate: alert certificate_required (1.3), handshake_failure (1.2)."""
        self.refused("tls_no_cert", None, ("certificate required", "handshake failure"))
        text = self.s_client("-tls1_2", cert=None)
        self.verify("alert" in text.lower(), text[-900:])

    def test_wrong_identity(self):
        """A certificate of the right authority with another SPIFFE identity: refused by an alert."""
        self.refused("tls_identity", "client-wrong-id", ("alert",))
        self.refused("tls_not_svid", "client-dns", ("alert",))

    def test_plaintext_on_strict(self):
        """Plaintext HTTP on a strict port is refused and counted; the same request over TLS passes."""
        before = self.dut.drops("tls_plaintext")
        done = curl(self.site.lab, "client", f"http://{VIP}:{STRICT}/direct", check=False)
        self.verify(done.returncode != 0 and "direct" not in done.stdout, f"answered: {done.stdout}")
        self.verify_equal(self.dut.drops("tls_plaintext"), before + 1, "tls_plaintext")
        self.dut.wait_access(lambda r: r.get("reason") == "tls_plaintext", kind="refused")
        self.verify_equal(self.https().stdout, "direct\n", "the same over TLS")

    def test_permissive(self):
        """A permissive port takes both; plaintext carries no identity, TLS must still verify."""
        self.verify_equal(curl(self.site.lab, "client", f"http://{VIP}:{PERMISSIVE}/direct").stdout, "direct\n",
                          "plaintext")
        self.verify_equal(self.https(port=PERMISSIVE).stdout, "direct\n", "TLS")
        self.verify(self.https(port=PERMISSIVE, cert="client-other-ca").returncode != 0, "wrong CA on permissive")

    def test_disable(self):
        """A listener without TLS refuses a ClientHello as the malformed HTTP that it is."""
        self.verify_equal(curl(self.site.lab, "client", f"http://{VIP}:{PLAIN}/direct").stdout, "direct\n", "plain")
        self.verify(self.https(port=PLAIN).returncode != 0, "TLS was answered")

    def test_server_tls_only(self):
        """Without client certificates asked for, curl with only the CA gets its answer; the server's name
        is verified by curl."""
        self.verify_equal(self.https(port=TLS_ONLY, cert=None).stdout, "direct\n", "TLS only")

    def test_suites_and_groups(self):
        """Every AEAD suite of 1.3 and 1.2, groups X25519, P-256 and P-384; CBC suites and TLS 1.1 are refused."""
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
            self.verify("direct" in self.s_client("-tls1_3", "-ciphersuites", suite), suite)
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                      "ECDHE-ECDSA-CHACHA20-POLY1305"):
            self.verify("direct" in self.s_client("-tls1_2", "-cipher", suite), suite)
        for group in ("X25519", "P-256", "P-384"):
            self.verify("direct" in self.s_client("-groups", group), group)
        self.verify("direct" in self.s_client("-tls1_3", "-groups", "P-521:P-256"), "hello retry")
        self.verify("direct" in self.s_client("-max_send_frag", "512"), "small records")
        self.verify("direct" not in self.s_client("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"), "CBC was taken")
        self.verify("direct" not in self.s_client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "TLS 1.1 was taken")

    def visit(self, *more):
        """One request by openssl with -sess_in or -sess_out: was the session resumed?"""
        text = self.s_client("-tls1_3", *more)
        self.verify("direct" in text, text[-900:])
        return "Reused, TLSv1.3" in text

    def rotate_ticket_keys(self, keys):
        logged = self.dut.process.log().count("ticket keys read")
        self.put_ticket_keys(keys)
        wait_for("new ticket keys", lambda: self.dut.process.log().count("ticket keys read") > logged, 5)

    def test_resumption(self):
        """A client that kept its ticket resumes, as who it was, also after a reload and under the older of two keys;
        not when its key is gone. Bad keys are refused and change nothing."""
        saved = self.site.lab.path("session.pem")
        self.verify(not self.visit("-sess_out", saved), "nothing to resume, and resumed")
        before = self.dut.metric("sidestep_tls_resumed_total")
        self.verify(self.visit("-sess_in", saved, "-sess_out", saved), "not resumed")
        self.verify_equal(self.dut.metric("sidestep_tls_resumed_total"), before + 1, "sidestep_tls_resumed_total")
        self.dut.wait_access(lambda r: r.get("peer") == CLIENT_ID and r["tls"] == "mutual")
        self.dut.reload()
        self.verify(self.visit("-sess_in", saved, "-sess_out", saved), "not resumed after a reload")
        self.rotate_ticket_keys(self.keys[::-1])
        self.verify(self.visit("-sess_in", saved), "not resumed with the older key")
        self.put_ticket_keys([b"short"])
        wait_for("bad keys to be refused", lambda: "must hold 1 to 4 keys of 80 bytes" in self.dut.process.log(), 5)
        self.verify(self.visit("-sess_in", saved), "the keys were not kept")
        self.rotate_ticket_keys(self.keys[1:])
        self.verify(not self.visit("-sess_in", saved), "resumed by a key that is gone")
        self.verify("direct" in self.s_client("-tls1_2"), "TLS 1.2")

    def test_upstream_resumption(self):
        """Origins that end their connections (nginx, openssl s_server) see our next one resume the session whose ticket they
        gave, each ticket once."""
        reused = []
        for name in ("nginx-once", "s_server"):
            before = self.dut.metric("sidestep_tls_upstream_resumed_total")
            for _ in range(4):
                done = curl(self.site.lab, "client", "-D", "-", "-o", "/dev/null", f"http://{VIP}:{PLAIN}/{name}/x")
                reused += re.findall(r"x-reused: (\S)", done.stdout)
            self.verify_equal(self.dut.metric("sidestep_tls_upstream_resumed_total") - before, 3, name)
        self.verify_equal(reused, [".", "r", "r", "r"], "as nginx has it")
        self.verify(self.dut.metric("sidestep_tls_tickets_kept_total") >= 8, "tickets kept")

    def test_gnutls(self):
        """gnutls-cli as the client, with a certificate."""
        c = self.certs
        done = self.site.lab.run("client", "gnutls-cli", "--x509cafile", c.pem("mesh"), "--x509certfile",
                                 c.pem("client"), "--x509keyfile", c.key("client"), "--verify-hostname",
                                 "dut.example", "-p", str(STRICT), VIP, check=False, timeout=30,
                                 input="GET /direct HTTP/1.1\r\nHost: dut.example\r\nConnection: close\r\n\r\n")
        self.verify("direct" in done.stdout, done.stdout[-900:] + done.stderr[-300:])

    def test_upstream_verified(self):
        """Towards origins that demand our certificate (nghttpd): the good one answers; another authority,
        an expired certificate, a wrong identity, and plaintext are each refused with 503 and a flag."""
        done = self.https(path="/good/x")
        self.verify_equal(done.stdout, "from the origin\n", "good: " + done.stderr)
        for name in ("other-ca", "expired", "wrong-id", "plain"):
            code = self.https("-o", "/dev/null", "-w", "%{http_code}", path=f"/{name}/x").stdout
            self.verify_equal(code, "503", name)
            self.dut.wait_access(lambda r, n=name: r.get("cluster") == n and r["status"] == 503 and r["flag"] == "UF")
        for reason in ("tls_untrusted", "tls_expired", "tls_identity"):
            self.verify(self.dut.drops(reason) >= 1, f"{reason} was not counted")

    def test_bodies(self):
        """Bodies of 0, 1, 16384 and 1048577 bytes come through TLS on both legs with equal SHA-256: HTTP/1.1 and
        HTTP/2 from the client, nghttpd over h2, nginx over TLS 1.3 and 1.2, and openssl s_server (whose bodies end with the
        connection) as origins."""
        for upstream in ("good", "nginx-13", "nginx-12", "s_server"):
            for http in ("--http1.1", "--http2"):
                for name, body in self.bodies.items():
                    out = self.site.lab.path("got")
                    done = self.https(http, "-o", out, "-w", "%{http_code}", path=f"/{upstream}/{name}")
                    self.verify_equal(done.stdout, "200", f"{upstream} {http} {name}: {done.stderr}")
                    with open(out, "rb") as f:
                        self.verify_equal(hashlib.sha256(f.read()).hexdigest(), hashlib.sha256(body).hexdigest(),
                                          f"{upstream} {http} {name}")

    def test_truncated_body(self):
        """An origin that ends its body by closing: with close_notify it is complete; without, the client must see
        that it is not."""
        for http in ("--http1.1", "--http2"):
            done = self.https(http, path="/cutter/whole")
            self.verify_equal((done.returncode, done.stdout), (0, "a body"), f"{http} whole: {done.stderr}")
            before = self.dut.drops("tls_truncated")
            done = self.https(http, path="/cutter/cut")
            self.verify(done.returncode != 0, f"{http}: a truncated body passed for a whole one: {done.stdout}")
            self.verify_equal(self.dut.drops("tls_truncated"), before + 1, "tls_truncated")

    def test_rotation(self):
        """A certificate replaced on disk is used for new connections after a reload; a connection held open goes
        on with the old one, and nothing is refused in between."""
        def serial():
            text = self.s_client()
            self.verify("direct" in text, text[-900:])
            return sh("openssl", "x509", "-noout", "-serial", input=text).stdout
        c, before = self.certs, serial()
        self.verify_equal(serial(), before, "the same certificate twice")
        held = self.site.lab.start("held", "client", "/usr/bin/python3", "-c", f"""
import http.client, ssl, sys, os, time
x = ssl.create_default_context(cafile="{c.pem('mesh')}")
x.load_cert_chain("{c.pem('client')}", "{c.key('client')}")
x.check_hostname = False
h = http.client.HTTPSConnection("{VIP}", {STRICT}, context=x, timeout=20)
def get():
    h.request("GET", "/direct")
    return h.getresponse().read()
assert get() == b"direct\\n"
first = h.sock.getsockname()
open("{self.site.lab.path('held.ready')}", "w").close()
while not os.path.exists("{self.site.lab.path('held.go')}"):
    time.sleep(0.02)
assert get() == b"direct\\n" and h.sock.getsockname() == first
""")
        wait_for("a held connection", lambda: os.path.exists(self.site.lab.path("held.ready")))
        c.leaf("dut", spiffe=NODE, dns=["dut.example"])
        self.dut.reload()
        self.verify(serial() != before, "the old certificate is still served")
        self.verify_equal(self.https(path="/good/x").stdout, "from the origin\n", "upstream with the new certificate")
        self.site.lab.write("held.go", "")
        self.verify_equal(held.wait(), 0, "the held connection: " + held.log()[-600:])

    def test_idle_keys(self):
        """A connection on which nothing moves gives its expanded keys back, as all others do, and the next request makes
        them again. It is asked whenever no keys are held, for the gauge may be older than the last request."""
        if self.dut.metric("sidestep_tls_record_layer") == 3:
            return  # OpenSSL's records keep OpenSSL's keys
        c, n = self.certs, 0
        sign = self.site.lab.path("idle")
        held = self.site.lab.start("idle", "client", "/usr/bin/python3", "-c", f"""
import http.client, ssl, os, time
x = ssl.create_default_context(cafile="{c.pem('mesh')}")
x.load_cert_chain("{c.pem('client')}", "{c.key('client')}")
x.check_hostname = False
h = http.client.HTTPSConnection("{VIP}", {STRICT}, context=x, timeout=60)
n = 0
while not os.path.exists("{sign}.end"):
    if not os.path.exists(f"{sign}.ask{{n}}"):
        time.sleep(0.02)
        continue
    h.request("GET", "/direct")
    assert h.getresponse().read() == b"direct\\n"
    assert n == 0 or h.sock.getsockname() == first
    first = h.sock.getsockname()
    open(f"{sign}.told{{n}}", "w").close()
    n += 1
""")

        def ask():
            nonlocal n
            self.site.lab.write(f"idle.ask{n}", "")
            wait_for("an answer", lambda: os.path.exists(f"{sign}.told{n}") or not held.running(), 60)
            self.verify(held.running(), "the client: " + held.log()[-600:])
            n += 1

        def made_again():
            if self.dut.metric("sidestep_tls_keys_held") == 0:
                ask()
            return self.dut.metric("sidestep_tls_keys_again_total") >= before + 2
        ask()
        before = self.dut.metric("sidestep_tls_keys_again_total")
        wait_for("keys to be made again", made_again, 60, 0.1)
        self.site.lab.write("idle.end", "")
        self.verify_equal(held.wait(), 0, "the client: " + held.log()[-600:])

    def test_many_handshakes(self):
        """h2load with 100 connections at once over TLS, both protocols, none failed; they are gone afterwards."""
        n = 500 if self.small else 5000
        for proto in ("h2", "http/1.1"):
            got = h2load(self.site.lab, "client", "-n", str(n), "-c", "100", "-m", "4", f"--npn-list={proto}",
                         f"https://{VIP}:{TLS_ONLY}/direct")
            self.verify_equal((got["succeeded"], got["failed"]), (n, 0), f"{proto}: {got}")
        wait_for("TLS connections to end", lambda: (self.dut.metric("sidestep_tls_conns") or 0) <= 8, 20, 0.3)

    def test_half_closed_and_garbage(self):
        """Garbage after a TLS record header, a connection cut in the middle of a handshake and an idle one that
        never sends its hello leave nothing behind."""
        self.site.lab.run("client", "/usr/bin/python3", "-c", f"""
import random, socket
r = random.Random(3)
for i in range(60):
    s = socket.create_connection(("{VIP}", {STRICT}), 5)
    n = r.randrange(0, 400)
    s.sendall(b"\\x16\\x03\\x01" + n.to_bytes(2, "big") + r.randbytes(r.randrange(0, 400)))
    if i % 3 == 0:
        s.shutdown(socket.SHUT_WR)
    if i % 3 == 1:
        s.settimeout(0.2)
        try:
            s.recv(1000)
        except OSError:
            pass
    s.close()
""")
        wait_for("TLS connections to end", lambda: (self.dut.metric("sidestep_tls_conns") or 0) <= 8, 20, 0.3)
        self.verify_equal(self.https().stdout, "direct\n", "afterwards")
