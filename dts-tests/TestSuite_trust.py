"""Whom we trust: each fault of a certificate refused by its own name on both legs, as the other side's tool sees it;
federation, revocation, and what becomes of live connections when a bundle or a revocation list changes."""
import os
import time
import urllib.parse

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.lab import sh, wait_for
from local.programs import curl, wait_listening
from local.suite import TestSuite
from TestSuite_tls import CLIENT_ID, Certs, NODE, ORIGIN_ID

STRICT, PLAIN = 443, 80
PARTNER = "spiffe://partner.example/ns/demo/sa/client"
WEAK = "DEFAULT:@SECLEVEL=0"


class Pki(Certs):
    """Certificates that tools/ca would not make."""

    def make(self, name, ca="mesh", uris=(), dns=(), usage="critical,digitalSignature", eku="serverAuth,clientAuth",
             basic="critical,CA:FALSE", key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), digest="sha256",
             days=30):
        sans = ",".join([f"URI:{u}" for u in uris] + [f"DNS:{d}" for d in dns])
        conf = os.path.join(self.folder, f"{name}.cnf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"[req]\ndistinguished_name=dn\nx509_extensions=x\nprompt=no\n[dn]\nCN={name}\n[x]\n"
                    f"basicConstraints={basic}\nkeyUsage={usage}\n"
                    + (f"extendedKeyUsage={eku}\n" if eku else "") + (f"subjectAltName={sans}\n" if sans else ""))
        signer = ["-CA", self.pem(ca), "-CAkey", self.key(ca)] if ca else []
        sh("openssl", "req", "-x509", "-new", "-newkey", *key, "-nodes", f"-{digest}", "-days", days, "-config", conf,
           *signer, "-keyout", self.key(name), "-out", self.pem(name))
        return self.pem(name)

    def chain(self, name, uri, depth):
        """A leaf under `depth` intermediates, which the file has too."""
        ca, above = "mesh", ""
        for i in range(depth):
            step = f"{name}-{i}"
            self.make(step, ca=ca, usage="critical,keyCertSign,cRLSign", eku=None, basic="critical,CA:TRUE")
            with open(self.pem(step), encoding="ascii") as f:
                above = f.read() + above
            ca = step
        self.make(name, ca=ca, uris=[uri])
        with open(self.pem(name), "a", encoding="ascii") as f:
            f.write(above)

    def crl(self, name, revoked, ca="mesh", seconds="2592000", more=()):
        """A list of ca that has these certificates on it; put in place as an operator does it."""
        db, conf = os.path.join(self.folder, f"{ca}.db"), os.path.join(self.folder, f"{ca}-crl.cnf")
        with open(db, "w", encoding="ascii"), open(conf, "w", encoding="ascii") as f:
            f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={db}\ndefault_md=sha256\n")
        base = ["openssl", "ca", "-config", conf, "-cert", self.pem(ca), "-keyfile", self.key(ca)]
        for r in revoked:
            sh(*base, "-revoke", self.pem(r))
        text = sh(*base, "-gencrl", "-crlsec", seconds).stdout
        for extra in more:
            with open(extra, encoding="ascii") as f:
                text += f.read()
        with open(self.pem(name) + ".new", "w", encoding="ascii") as f:
            f.write(text)
        os.rename(self.pem(name) + ".new", self.pem(name))
        return self.pem(name)


# name of the fault: reason, alert, where else than on both legs it is seen
FAULTS = {
    "expired": ("tls_expired", "certificate expired"),
    "future": ("tls_not_yet_valid", "bad certificate"),
    "wrong-name": ("tls_identity", "bad certificate"),
    "no-bundle": ("tls_trust_domain", "unknown ca"),
    "other-bundle": ("tls_untrusted", "unknown ca"),
    "unknown-ca": ("tls_untrusted", "unknown ca"),
    "self-signed": ("tls_self_signed", "unknown ca"),
    "revoked": ("tls_revoked", "certificate revoked"),
    "rsa-1024": ("tls_weak_key", "bad certificate"),
    "sha1": ("tls_weak_key", "bad certificate"),
    "long": ("tls_chain_long", "unknown ca"),
    "dns-only": ("tls_not_svid", "bad certificate"),
    "two-uris": ("tls_not_svid", "bad certificate"),
    "authority": ("tls_not_svid", "bad certificate"),
    "usage": ("tls_key_usage", "unsupported certificate"),
    "purpose": ("tls_key_usage", "unsupported certificate"),
}


# port: what upstream is told there of the client's certificate
FORWARDS = {
    444: {"mode": "sanitize_set"},
    445: {"mode": "append_forward"},
    446: {"mode": "forward_only"},
    447: {"mode": "always_forward_only"},
    448: {"mode": "sanitize_set", "cert": True, "chain": True, "subject": False, "uri": False},
}


class TestTrust(TestSuite):
    def set_up_suite(self):
        self.site = Site("tr")
        lab = self.site.lab
        self.pki = p = Pki(lab.path("certs"))
        for ca in ("mesh", "other", "partner"):
            p.authority(ca)
        p.leaf("dut", spiffe=NODE, dns=["dut.example"])
        for side, uri in (("c", CLIENT_ID), ("o", ORIGIN_ID)):
            self.make_side(side, uri)
        # The issuer of what is two intermediates deep has a list as well, and both are there to verify it.
        self.lists = [path for side in "co" for path in (p.crl(f"{side}-list", [], ca=f"{side}-deep-1"),
                                                         p.pem(f"{side}-deep-0"), p.pem(f"{side}-deep-1"))]
        self.bundle = lab.path("bundle.pem")
        self.crl_file = p.crl("crl", ["c-revoked", "o-revoked"], more=self.lists)
        self.put_bundle("mesh", "other-root")
        self.start_origins()
        self.settings = self.configure()
        self.dut = self.site.appliance(self.build, self.settings).start()

    def make_side(self, side, uri):
        p, domain = self.pki, "spiffe://mesh.local"
        for name in ("good", "revoked", "later"):
            p.make(f"{side}-{name}", uris=[uri])
        p.make(f"{side}-partner", ca="partner", uris=[PARTNER])
        p.leaf(f"{side}-expired", "mesh", uri, None, 30, "--expired")
        p.leaf(f"{side}-future", "mesh", uri, None, 30, "--future")
        p.make(f"{side}-wrong-name", uris=[f"{domain}/ns/prod/sa/x"])
        p.make(f"{side}-no-bundle", uris=["spiffe://third.example/ns/demo/sa/x"])
        p.make(f"{side}-other-bundle", ca="partner", uris=[uri])
        p.make(f"{side}-unknown-ca", ca="other", uris=[uri])
        p.make(f"{side}-self-signed", ca=None, uris=[uri])
        p.make(f"{side}-rsa-1024", uris=[uri], key=("rsa:1024",))
        p.make(f"{side}-sha1", uris=[uri], digest="sha1")
        p.chain(f"{side}-long", uri, 4)
        p.chain(f"{side}-deep", uri, 2)
        p.make(f"{side}-dns-only", dns=["x.example"])
        p.make(f"{side}-two-uris", uris=[uri, f"{domain}/ns/demo/sa/y"])
        p.make(f"{side}-authority", uris=[uri], usage="critical,digitalSignature,keyCertSign", basic="critical,CA:TRUE")
        p.make(f"{side}-usage", uris=[uri], usage="critical,keyAgreement")
        p.make(f"{side}-purpose", uris=[uri], eku="serverAuth" if side == "c" else "clientAuth")

    def put_bundle(self, *names):
        """The mesh's bundle: these authorities, whole in place of what was there."""
        if not os.path.exists(self.pki.pem("other-root")):
            self.pki.authority("other-root")
        with open(self.bundle + ".new", "w", encoding="ascii") as out:
            for n in names:
                with open(self.pki.pem(n), encoding="ascii") as f:
                    out.write(f.read())
        os.rename(self.bundle + ".new", self.bundle)

    def start_origins(self):
        """An openssl s_server for each fault, and good ones; all demand our certificate."""
        lab, p, self.origins = self.site.lab, self.pki, {}
        for i, name in enumerate(["good", "deep", "partner", "later", *[f for f in FAULTS if f != "usage"], "old"]):
            argv = ["openssl", "s_server", "-accept", f"{ORIGIN}:{9000 + i}", "-www", "-state", "-cipher", WEAK,
                    "-cert", p.pem("o-good" if name == "old" else f"o-{name}"),
                    "-key", p.key("o-good" if name == "old" else f"o-{name}"), "-cert_chain",
                    p.pem("o-good" if name == "old" else f"o-{name}"), "-CAfile", p.pem("mesh"), "-Verify", "2"]
            self.origins[name] = (9000 + i, lab.start(f"up-{name}", "origin", *argv,
                                                      *(["-tls1_1"] if name == "old" else [])))
        told = lab.start("up-told", "origin", "/usr/bin/python3", "-u", "-c", f"""
from http.server import *
class Told(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = (self.headers["x-forwarded-client-cert"] or "").encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
ThreadingHTTPServer(("{ORIGIN}", 8000), Told).serve_forever()
""")
        wait_listening(lab, told, "origin", ORIGIN, 8000)
        for name, (port, process) in self.origins.items():
            wait_listening(lab, process, "origin", ORIGIN, port)

    def configure(self):
        p = self.pki
        own = {"secret": "dut", "trust": "mesh"}
        up = {**own, "allowed_ids": [{"prefix": "spiffe://mesh.local/ns/demo"},
                                     {"trust_domain": "partner.example"}]}
        return {
            "secrets": [{"name": "dut", "certificate": p.pem("dut"), "private_key": p.key("dut")}],
            "trust": [{"name": "partner", "trust_domain": "partner.example", "bundle": p.pem("partner")},
                      {"name": "mesh", "trust_domain": "mesh.local", "bundle": self.bundle, "crl": self.crl_file,
                       "crl_check": "leaf", "federates_with": ["partner"]}],
            "listeners": [listener(STRICT, "strict", tls={"mode": "strict", **up}), listener(PLAIN, "plain")]
                         + [listener(port, f"xfcc-{port}", tls={"mode": "permissive", **up}, forward_client_cert=forward)
                            for port, forward in FORWARDS.items()],
            "virtual_hosts": one_host(
                [{"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": "direct\n"}}]
                + [route(n, prefix=f"/{n}/", prefix_rewrite="/", max_retries=0) for n in [*self.origins, "told"]]),
            "clusters": [cluster(n, [(ORIGIN, port)], protocol="http1", tls=up, outlier={"consecutive_errors": 0})
                         for n, (port, _) in self.origins.items()] + [cluster("told", [(ORIGIN, 8000)], protocol="http1")]}

    def tear_down_suite(self):
        try:
            self.dut.stop()
        finally:
            self.site.close()

    def s_client(self, *more, cert="good"):
        p = self.pki
        argv = ["openssl", "s_client", "-connect", f"{VIP}:{STRICT}", "-servername", "dut.example", "-CAfile",
                p.pem("mesh"), "-state", "-ign_eof", "-cipher", WEAK]
        if cert:
            argv += ["-cert", p.pem(f"c-{cert}"), "-key", p.key(f"c-{cert}"), "-cert_chain", p.pem(f"c-{cert}")]
        done = self.site.lab.run("client", *argv, *more, check=False, timeout=30,
                                 input="GET /direct HTTP/1.1\r\nHost: dut.example\r\nConnection: close\r\n\r\n")
        return done.stdout + done.stderr

    def answered(self, text):
        return "\ndirect" in text

    def expect_refusal(self, reason, alert, *more, cert):
        before = self.dut.drops(reason)
        text = self.s_client(*more, cert=cert)
        self.verify(not self.answered(text), f"{cert} {more}: the request was answered")
        self.verify(alert in text.lower(), f"{cert} {more}: openssl saw no alert {alert}:\n{text[-700:]}")
        self.verify_equal(self.dut.drops(reason), before + 1, f"{cert} {more}: {reason}")

    def test_clients_refused(self):
        """Each fault of a client's certificate: its own reason, the alert in openssl's words, nothing answered; the
        certificate without a fault, and one under two intermediates, pass."""
        for cert in ("good", "deep"):
            self.verify(self.answered(self.s_client(cert=cert)), f"{cert} was refused")
        for name, (reason, alert) in FAULTS.items():
            self.expect_refusal(reason, alert, cert=name)
        self.expect_refusal("tls_revoked", "certificate revoked", "-tls1_2", cert="revoked")
        self.expect_refusal("tls_no_cert", "certificate required", cert=None)
        words = {"tls_revoked": "revoked", "tls_weak_key": "too weak", "tls_chain_long": "too long", "tls_trust_domain": "no bundle"}

        def details():
            said = {r["reason"]: r.get("detail", "") for r in self.dut.access("refused")}
            return said if set(words) <= set(said) else None
        said = wait_for("a record of each", details, 10, 0.05)
        for reason, word in words.items():
            self.verify(word in said[reason], f"{reason}: the log says {said[reason]!r}")

    def test_downgrades_refused(self):
        """TLS 1.1 alone, and a fallback that RFC 7507 marks: refused as a version."""
        self.expect_refusal("tls_version", "protocol version", "-tls1_1", cert="good")
        self.expect_refusal("tls_version", "inappropriate fallback", "-tls1_2", "-fallback_scsv", cert="good")

    def up(self, name):
        return curl(self.site.lab, "client", "-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP}/{name}/",
                    check=False).stdout

    def test_servers_refused(self):
        """Each fault of an origin's certificate: 503, its own reason, and the alert in s_server's words."""
        for name in ("good", "deep"):
            self.verify_equal(self.up(name), "200", name)
        for name, (reason, alert) in [*FAULTS.items(), ("old", ("tls_version", ""))]:
            if name not in self.origins:
                continue
            before = self.dut.drops(reason)
            self.verify_equal(self.up(name), "503", name)
            self.verify(self.dut.drops(reason) > before, f"{name}: {reason} was not counted")
            wait_for(f"the alert {alert} in {name}'s log",
                     lambda: alert in self.origins[name][1].log().lower(), 5, 0.05)

    def test_federation(self):
        """A member of a federated trust domain comes in by that domain's bundle, on both legs, under its own name."""
        self.verify(self.answered(self.s_client(cert="partner")), "the partner was refused")
        self.dut.wait_access(lambda r: r.get("peer") == PARTNER and r["tls"] == "mutual")
        self.verify_equal(self.up("partner"), "200", "the partner's origin")

    def told(self, port, cert=None):
        """What an origin is told of a client that has something to say of itself."""
        p, said = self.pki, "x-forwarded-client-cert: URI=spiffe://mesh.local/forged"
        url = f"https://dut.example:{port}/told/" if cert else f"http://dut.example:{port}/told/"
        own = ["--cacert", p.pem("mesh"), "--cert", p.pem(cert), "--key", p.key(cert)] if cert else []
        return curl(self.site.lab, "client", *own, "--resolve", f"dut.example:{port}:{VIP}", "-H", said, url).stdout

    def test_forwarded_client_cert(self):
        """The origin is told of the client's certificate by the listener's mode; what a client says of itself counts
        only where the mode says so."""
        forged, digests = "URI=spiffe://mesh.local/forged", {}
        for cert in ("c-good", "c-deep"):
            text = sh("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", self.pki.pem(cert)).stdout
            digests[cert] = f'By={NODE};Hash={text.split("=")[1].strip().replace(":", "").lower()}'
        own = f'{digests["c-good"]};Subject="CN=c-good";URI={CLIENT_ID}'
        for port, mutual, plain in ((443, "", None), (444, own, ""), (445, f"{forged},{own}", ""), (446, forged, ""),
                                    (447, forged, forged)):
            self.verify_equal(self.told(port, "c-good"), mutual, f"port {port}, mutual TLS")
            if plain is not None:
                self.verify_equal(self.told(port), plain, f"port {port}, plaintext")
        with open(self.pki.pem("c-deep"), encoding="ascii") as f:
            chain = f.read()
        leaf = chain[:chain.index("-----END") + len("-----END CERTIFICATE-----\n")]
        self.verify_equal(urllib.parse.unquote(self.told(448, "c-deep")), f'{digests["c-deep"]};Cert="{leaf}";Chain="{chain}"',
                          "a certificate and its chain")

    def test_chains_are_remembered(self):
        """The second handshake with a chain does not verify its signatures again; policy is asked nevertheless."""
        self.s_client(cert="good")
        known = self.dut.metric("sidestep_tls_chains_known_total")
        self.verify(self.answered(self.s_client(cert="good")), "refused")
        self.verify(self.dut.metric("sidestep_tls_chains_known_total") > known, "the chain was not remembered")

    def hold(self, cert):
        """A client that has had an answer and waits; it prints how its connection ended."""
        p, lab = self.pki, self.site.lab
        ready = lab.path(f"held-{cert}.{time.monotonic_ns()}")
        process = lab.start(f"held-{cert}-{time.monotonic_ns()}", "client", "/usr/bin/python3", "-u", "-c", f"""
import socket, ssl
x = ssl.create_default_context(cafile="{p.pem('mesh')}")
x.load_cert_chain("{p.pem('c-' + cert)}", "{p.key('c-' + cert)}")
s = x.wrap_socket(socket.create_connection(("{VIP}", {STRICT}), 10), server_hostname="dut.example",
                  suppress_ragged_eofs=False)
s.settimeout(25)
def get():
    s.sendall(b"GET /direct HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    got = b""
    while not got.endswith(b"direct\\n"):
        part = s.recv(4096)
        assert part, "closed"
        got += part
get()
open("{ready}", "w").close()
try:
    print("END", s.recv(1))
except ssl.SSLError as e:
    print("ALERT", e)
""")
        wait_for("a held connection", lambda: os.path.exists(ready) or not process.running(), 10, 0.02)
        self.verify(os.path.exists(ready), process.log()[-600:])
        return process

    def ended(self, process, words):
        wait_for("the connection to be closed", lambda: not process.running(), 10, 0.02)
        self.verify(any(w in process.log().lower() for w in words), f"it ended otherwise: {process.log()[-300:]} "
                    f"{self.dut.drops('tls_distrusted')} {self.dut.access('refused')[-2:]}")

    def test_revoked_while_connected(self):
        """A certificate revoked while its connection is open: closed at once by an alert on both legs, others stay; a
        list that has expired or is not signed by the bundle is refused, and the last one goes on."""
        self.verify_equal(self.up("later"), "200", "before")
        victim, other = self.hold("later"), self.hold("good")
        before = self.dut.drops("tls_distrusted")
        self.pki.crl("crl", ["c-revoked", "o-revoked", "c-later", "o-later"], more=self.lists)
        self.dut.reload()
        self.ended(victim, ("certificate revoked", "certificate_revoked"))
        self.verify(other.running(), "a connection that is good was closed: " + other.log()[-300:])
        self.expect_refusal("tls_revoked", "certificate revoked", cert="later")
        self.verify_equal(self.up("later"), "503", "the revoked origin")
        self.verify(self.dut.drops("tls_distrusted") > before, "tls_distrusted")
        good = open(self.crl_file, "rb").read()
        self.pki.crl("bad-crl", [], ca="other")
        with open(self.pki.pem("bad-crl"), "rb") as f:
            self.refused_list(f.read(), "signed by no authority")
        self.expect_refusal("tls_revoked", "certificate revoked", cert="later")
        self.refused_list(b"nonsense", "no revocation list in it")
        with open(self.crl_file, "wb") as f:
            f.write(good)
        self.dut.reload()
        other.kill()

    def test_list_runs_out(self):
        """A revocation list that should have been replaced lets nobody in any more whose issuer's it is; who is in stays, and
        the next list is taken from its file."""
        full, began = self.dut.settings, time.time()
        trust = [{**t, "crl": self.pki.crl("partner-crl", [], ca="partner", seconds="5")} if t["name"] == "partner" else t
                 for t in self.settings["trust"]]
        self.dut.write_config({**full, "trust": trust})
        self.dut.reload()
        held = self.hold("partner")
        wait_for("the list's end", lambda: time.time() > began + 6, 10, 0.1)
        self.expect_refusal("tls_revoked", "certificate expired", cert="partner")
        self.verify(self.answered(self.s_client(cert="good")), "a peer of another issuer was refused")
        self.verify(held.running(), "a connection was closed: " + held.log()[-300:])
        self.pki.crl("partner-crl", [], ca="partner")
        wait_for("the next list", lambda: self.answered(self.s_client(cert="partner")), 10, 0.1)
        held.kill()
        self.dut.write_config(full)
        self.dut.reload()

    def refused_list(self, content, why):
        with open(self.crl_file + ".new", "wb") as f:
            f.write(content)
        os.rename(self.crl_file + ".new", self.crl_file)
        done = self.dut.reload(check=False)
        text = done.stdout + done.stderr + self.dut.process.log()
        self.verify(why in text, f"{why!r} was not said: {done.stdout} {done.stderr}")

    def test_bundle_changes_while_connected(self):
        """An authority more in the bundle, an authority less that is not the peer's: connections stay. Their own gone:
        closed at once, new ones refused; and back again: let in."""
        held = self.hold("good")
        for names in (("mesh", "other-root", "other"), ("mesh",)):
            self.put_bundle(*names)
            self.dut.reload()
            self.verify(self.answered(self.s_client(cert="good")), f"{names}: refused")
            self.verify(held.running(), f"{names}: closed: {held.log()[-300:]}")
        full = self.dut.settings
        self.dut.write_config({**full, "trust": self.without_crl()})
        self.put_bundle("other-root")
        self.dut.reload()
        self.ended(held, ("unknown ca", "unknown_ca"))
        self.verify(not self.answered(self.s_client(cert="good")), "let in by an authority that is gone")
        self.put_bundle("mesh")
        self.dut.write_config(full)
        self.dut.reload()
        self.verify(self.answered(self.s_client(cert="good")), "refused by an authority that is back")

    def without_crl(self):
        return [{k: v for k, v in t.items() if not k.startswith("crl")} for t in self.settings["trust"]]
