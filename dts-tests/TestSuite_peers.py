"""TLS with programs nobody here wrote, on both legs: versions, suites, groups, kinds of keys, resumption, new keys."""
import json
import os
import subprocess
import time

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.lab import LabError, wait_for
from local.programs import HERE, curl, nginx, wait_listening
from local.suite import TestSuite
from TestSuite_tls import CLIENT_ID, NODE, ORIGIN_ID
from TestSuite_trust import Pki

# What a certificate's key is, as openssl makes it.
KINDS = {"rsa2048": ("rsa:2048",), "rsa3072": ("rsa:3072",), "p256": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
         "p384": ("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), "ed25519": ("ed25519",)}
VERSIONS = ("1.2", "1.3")
SUITES_13 = {"TLS_AES_128_GCM_SHA256": "AES-128-GCM", "TLS_AES_256_GCM_SHA384": "AES-256-GCM",
             "TLS_CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305"}
SUITES_12 = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
             "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305")
GROUPS = {"X25519": "X25519", "P-256": "prime256v1", "P-384": "secp384r1"}
REQUEST = "GET /direct HTTP/1.1\r\nHost: dut.example\r\nConnection: close\r\n\r\n"
PORT = {kind: 4430 + i for i, kind in enumerate(KINDS)}  # our listener whose certificate is of this kind
NO_CLIENT_CERT, PLAIN, FRONT_NGINX, FRONT_HAPROXY = 4440, 80, 5000, 5100


def openssl_version(v):
    return "-tls1_2" if v == "1.2" else "-tls1_3"


def gnutls_priority(v, *more):
    return ":".join(["NORMAL", "-VERS-ALL", f"+VERS-TLS{v}", *more])


class TestPeers(TestSuite):
    def set_up_suite(self):
        self.site = Site("pe")
        lab = self.site.lab
        self.pki = p = Pki(lab.path("certs"))
        p.authority("mesh")
        for kind, key in KINDS.items():
            p.make(f"dut-{kind}", uris=[NODE], dns=["dut.example"], key=key, days=300)
            p.make(f"client-{kind}", uris=[CLIENT_ID], key=key)
            p.make(f"origin-{kind}", uris=[ORIGIN_ID], dns=["origin.example"], key=key)
            for side in ("client", "origin"):  # as HAProxy wants it: both in one file
                with open(p.pem(f"{side}-{kind}-both"), "w", encoding="ascii") as out:
                    for part in (p.pem(f"{side}-{kind}"), p.key(f"{side}-{kind}")):
                        with open(part, encoding="ascii") as f:
                            out.write(f.read())
        self.wolf = os.path.join(self.build, "dts-tests", "peer", "wolf-peer")
        self.origins = {}  # name -> port
        self.start_origins()
        self.dut = self.site.appliance(self.build, self.configure()).start()

    def tear_down_suite(self):
        try:
            self.dut.stop()
        finally:
            self.site.close()

    def configure(self):
        p = self.pki
        own = {"trust": "mesh", "allowed_ids": [{"prefix": "spiffe://mesh.local/ns/demo"}]}
        # Towards origins we show another kind each time, so that each origin verifies each kind of ours.
        kinds = list(KINDS)
        mine = {name: kinds[(i + i // len(kinds)) % len(kinds)] for i, name in enumerate(self.origins)}
        mine.update((name, "rsa2048") for name in self.narrow)
        return {
            "secrets": [{"name": k, "certificate": p.pem(f"dut-{k}"), "private_key": p.key(f"dut-{k}")} for k in KINDS],
            "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": p.pem("mesh")}],
            "listeners": [listener(PORT[k], f"in-{k}", tls={"mode": "strict", "secret": k, **own}) for k in KINDS] +
                         [listener(NO_CLIENT_CERT, "tls-only", tls={"mode": "strict", "secret": "p256",
                                                                    "client_certificate": False}),
                          listener(PLAIN, "plain")],
            "virtual_hosts": one_host(
                [{"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": "direct\n"}}]
                + [route(n, prefix=f"/{n}/", prefix_rewrite="/", max_retries=0) for n in self.origins]),
            "clusters": [cluster(n, [(ORIGIN, port)], protocol="http1", tls={"secret": mine[n], **own},
                                 outlier={"consecutive_errors": 0}) for n, port in self.origins.items()]}

    # -- origins: each demands our certificate --
    def start_origins(self):
        port = 9000
        named = {}
        for program in ("openssl", "gnutls", "nginx", "haproxy", "node", "wolfssl"):
            for kind in KINDS:
                for v in VERSIONS:
                    port += 1
                    named[program, kind, v] = port
        if not os.path.exists(self.wolf):
            named = {k: v for k, v in named.items() if k[0] != "wolfssl"}
        of = lambda program: {(k, v): at for (name, k, v), at in named.items() if name == program}  # noqa: E731
        started = [*self.one_each(of("openssl"), self.openssl_origin), *self.one_each(of("gnutls"), self.gnutls_origin),
                   *self.one_each(of("wolfssl"), self.wolf_origin),
                   *((self.nginx_origins(of("nginx")), at) for at in of("nginx").values()),
                   *((self.haproxy_origins(of("haproxy")), at) for at in list(of("haproxy").values())[:1]),
                   *((self.node_origins(of("node")), at) for at in list(of("node").values())[:1])]
        for process, at in started:
            wait_listening(self.site.lab, process, "origin", ORIGIN, at)
        self.origins = {f"{program}-{kind}-{v.replace('.', '')}": at for (program, kind, v), at in named.items()}
        self.narrow = {}  # name -> what openssl says of such a connection
        for i, (said, v, kind, argv) in enumerate(self.narrow_origins()):
            name, at = f"narrow-{i}", 9100 + i
            wait_listening(self.site.lab, self.openssl_origin(name, kind, v, at, *argv), "origin", ORIGIN, at)
            self.origins[name], self.narrow[name] = at, said

    def narrow_origins(self):
        """Origins that take one suite, or one group, alone; with what openssl's page says when it is used."""
        for suite in SUITES_13:
            yield suite, "1.3", "p256", ("-ciphersuites", suite)
        for suite in SUITES_12:
            yield suite, "1.2", "rsa2048" if "-RSA-" in suite else "p256", ("-cipher", suite)
        for group in GROUPS:
            for v in VERSIONS:
                yield "", v, "rsa2048", ("-groups", group)

    def one_each(self, ports, start):
        return [(start(f"up-{start.__name__}-{at}", kind, v, at), at) for (kind, v), at in ports.items()]

    def openssl_origin(self, name, kind, v, port, *more):
        p = self.pki
        return self.site.lab.start(name, "origin", "openssl", "s_server", "-accept", f"{ORIGIN}:{port}", "-www",
                                   openssl_version(v), "-cert", p.pem(f"origin-{kind}"), "-key",
                                   p.key(f"origin-{kind}"), "-CAfile", p.pem("mesh"), "-Verify", "2",
                                   "-verify_return_error", *more)

    def gnutls_origin(self, name, kind, v, port):
        p = self.pki
        return self.site.lab.start(name, "origin", "gnutls-serv", "--http", "-q", "-p", port, "--x509certfile",
                                   p.pem(f"origin-{kind}"), "--x509keyfile", p.key(f"origin-{kind}"), "--x509cafile",
                                   p.pem("mesh"), "--require-client-cert", "--verify-client-cert", "--priority",
                                   gnutls_priority(v))

    def wolf_origin(self, name, kind, v, port):
        p = self.pki
        return self.site.lab.start(name, "origin", self.wolf, "server", ORIGIN, port, v, p.pem("mesh"),
                                   p.pem(f"origin-{kind}"), p.key(f"origin-{kind}"))

    def nginx_origins(self, ports):
        if not hasattr(self, "up_nginx"):
            p = self.pki
            self.up_nginx = nginx(self.site.lab, "origin", "up-nginx", "\n".join(
                f"server {{ listen {at} ssl; ssl_protocols TLSv{v}; ssl_certificate {p.pem(f'origin-{kind}')}; "
                f"ssl_certificate_key {p.key(f'origin-{kind}')}; ssl_verify_client on; ssl_verify_depth 3; "
                f"ssl_client_certificate {p.pem('mesh')}; "
                "location / { return 200 \"nginx $ssl_protocol $ssl_cipher $ssl_client_verify\\n\"; } }"
                for (kind, v), at in ports.items()))
        return self.up_nginx

    def haproxy_origins(self, ports):
        p = self.pki
        binds = "\n".join(f"  bind {ORIGIN}:{at} ssl crt {p.pem(f'origin-{kind}-both')} ca-file {p.pem('mesh')} "
                          f"verify required ssl-min-ver TLSv{v} ssl-max-ver TLSv{v}" for (kind, v), at in ports.items())
        conf = self.site.lab.write("up-haproxy.cfg", f"""
defaults
  mode http
  timeout client 60s
  timeout connect 5s
  timeout server 60s
frontend f
{binds}
  http-request return status 200 content-type text/plain lf-string "haproxy %sslv %sslc\\n"
""")
        return self.site.lab.start("up-haproxy", "origin", "haproxy", "-f", conf, "-db")

    def node_origins(self, ports):
        p = self.pki
        table = [{"port": at, "version": f"TLSv{v}", "cert": p.pem(f"origin-{kind}"), "key": p.key(f"origin-{kind}")}
                 for (kind, v), at in ports.items()]
        path = self.site.lab.write("up-node.json", json.dumps({"address": ORIGIN, "ca": p.pem("mesh"), "ports": table}))
        return self.site.lab.start("up-node", "origin", "node", os.path.join(HERE, "tls_node.js"), "serve", path)

    # -- clients: each shows its certificate, and gives (answered, all it printed) --
    def client(self, argv, env=None, **kw):
        done = self.site.lab.run("client", *argv, check=False, timeout=40, **kw)
        text = done.stdout + done.stderr
        return "\ndirect" in "\n" + text, text

    def by_openssl(self, kind, version, port, *more):
        p = self.pki
        return self.client(["openssl", "s_client", "-connect", f"{VIP}:{port}", "-servername", "dut.example",
                            "-verify_hostname", "dut.example", "-CAfile", p.pem("mesh"), "-verify_return_error",
                            "-ign_eof", "-cert", p.pem(f"client-{kind}"), "-key", p.key(f"client-{kind}"),
                            openssl_version(version), *more], input=REQUEST)

    def by_gnutls(self, kind, version, port, *more, priority=(), input=REQUEST):  # noqa: A002
        p = self.pki
        return self.client(["gnutls-cli", "--x509cafile", p.pem("mesh"), "--x509certfile", p.pem(f"client-{kind}"),
                            "--x509keyfile", p.key(f"client-{kind}"), "--sni-hostname", "dut.example",
                            "--verify-hostname", "dut.example", "-p", str(port), "--priority",
                            gnutls_priority(version, *priority), *more, VIP], input=input)

    def by_curl(self, kind, version, port, *more):
        p = self.pki
        done = curl(self.site.lab, "client", "-v", "--cacert", p.pem("mesh"), "--cert", p.pem(f"client-{kind}"), "--key",
                    p.key(f"client-{kind}"), "--resolve", f"dut.example:{port}:{VIP}", f"--tlsv{version}", "--tls-max",
                    version, *more, f"https://dut.example:{port}/direct", check=False)
        return done.stdout == "direct\n", done.stderr

    def by_node(self, kind, version, port):
        p = self.pki
        path = self.site.lab.write("node.json", json.dumps(
            {"address": VIP, "ca": p.pem("mesh"), "cert": p.pem(f"client-{kind}"), "key": p.key(f"client-{kind}"),
             "version": f"TLSv{version}", "port": port, "name": "dut.example", "path": "/direct"}))
        return self.client(["node", os.path.join(HERE, "tls_node.js"), "get", path])

    def by_wolfssl(self, kind, version, port):
        p = self.pki
        return self.client([self.wolf, "client", VIP, port, version, p.pem("mesh"), p.pem(f"client-{kind}"),
                            p.key(f"client-{kind}"), "dut.example"])

    def every_kind(self, by):
        """A client with each kind of certificate, over both versions, to a listener of each kind."""
        kinds = list(KINDS)
        for version in VERSIONS:
            for i, kind in enumerate(kinds):
                ours = kinds[(i + (0 if version == "1.3" else 2)) % len(kinds)]
                answered, text = by(kind, version, PORT[ours])
                self.verify(answered, f"TLS {version}, client's {kind}, our {ours}:\n{text[-900:]}")
        r = self.dut.wait_access(lambda r: r.get("peer") == CLIENT_ID)
        self.verify_equal(r["tls"], "mutual", "tls in the access log")

    def test_client_openssl(self):
        """openssl s_client: every kind of client certificate with every kind of ours, 1.2 and 1.3."""
        for version in VERSIONS:
            for theirs in KINDS:
                for ours in KINDS if not self.small else [theirs]:
                    answered, text = self.by_openssl(theirs, version, PORT[ours])
                    self.verify(answered, f"TLS {version}, client's {theirs}, our {ours}:\n{text[-900:]}")

    def test_client_suites(self):
        """openssl s_client: each suite of both versions, ECDSA and RSA, over each group; what is agreed is what was
        asked for."""
        for group, key in GROUPS.items():
            # "Server Temp Key" until OpenSSL 3.1, "Peer Temp Key" since.
            key = f"Temp Key: {key}" if key == group else f"Temp Key: ECDH, {key}"
            for suite in SUITES_13:
                answered, text = self.by_openssl("p256", "1.3", PORT["p256"], "-ciphersuites", suite, "-groups", group)
                self.verify(answered and suite in text and key in text, f"{suite} over {group}:\n{text[-900:]}")
            for suite in SUITES_12:  # a certificate's curve must be among the client's groups, too (RFC 8422 5.1)
                ours = "rsa2048" if "-RSA-" in suite else "p384" if group == "P-384" else "p256"
                groups = "X25519:P-256" if (group, ours) == ("X25519", "p256") else group
                answered, text = self.by_openssl("rsa2048", "1.2", PORT[ours], "-cipher", suite, "-groups", groups)
                self.verify(answered and suite in text and key in text, f"{suite} over {group}:\n{text[-900:]}")

    def test_client_gnutls(self):
        """gnutls-cli: kinds, versions, suites, groups; resumption and new keys (KeyUpdate) as gnutls does them."""
        self.every_kind(self.by_gnutls)
        for cipher in SUITES_13.values():
            answered, text = self.by_gnutls("p256", "1.3", PORT["p256"], priority=("-CIPHER-ALL", "+" + cipher))
            self.verify(answered and cipher in text, f"{cipher}:\n{text[-900:]}")
        for group in ("X25519", "SECP256R1", "SECP384R1"):
            answered, text = self.by_gnutls("p256", "1.3", PORT["p256"],
                                            priority=("-GROUP-ALL", "+GROUP-" + group))
            self.verify(answered and group in text, f"{group}:\n{text[-900:]}")
        before = self.dut.metric("sidestep_tls_resumed_total")
        answered, text = self.by_gnutls("p256", "1.3", PORT["p256"], "--resume", "--waitresumption")
        self.verify(answered and "This is a resumed session" in text, f"not resumed:\n{text[-900:]}")
        self.verify_equal(self.dut.metric("sidestep_tls_resumed_total"), before + 1, "sidestep_tls_resumed_total")
        answered, text = self.by_gnutls("p256", "1.3", PORT["p256"], "--inline-commands",
                                        input="^rekey^\n" + REQUEST)
        self.verify(answered and "rekey" in text.lower(), f"new keys:\n{text[-900:]}")

    def test_client_curl(self):
        """curl: kinds and versions, HTTP/1.1 and HTTP/2."""
        self.every_kind(lambda *a: self.by_curl(*a, "--http2"))
        self.every_kind(lambda *a: self.by_curl(*a, "--http1.1"))

    def test_client_node(self):
        """node's https: kinds and versions."""
        self.every_kind(self.by_node)

    def test_client_wolfssl(self):
        """A client of wolfSSL: kinds and versions."""
        if not os.path.exists(self.wolf):
            self.skip("built without wolfSSL")
        self.every_kind(self.by_wolfssl)

    def through(self, port):
        done = curl(self.site.lab, "client", f"http://127.0.0.1:{port}/direct", check=False)
        return done.stdout == "direct\n", done.stdout + done.stderr

    def test_client_nginx(self):
        """nginx as a proxy in front of us: it shows its certificate and verifies ours, by kind and version."""
        p, cells = self.pki, [(k, v) for k in KINDS for v in VERSIONS]
        process = nginx(self.site.lab, "client", "front-nginx", "\n".join(
            f"server {{ listen 127.0.0.1:{FRONT_NGINX + i}; location / {{ proxy_pass https://{VIP}:{PORT[k]}; "
            f"proxy_ssl_protocols TLSv{v}; proxy_ssl_certificate {p.pem(f'client-{k}')}; proxy_ssl_certificate_key "
            f"{p.key(f'client-{k}')}; proxy_ssl_trusted_certificate {p.pem('mesh')}; proxy_ssl_verify on; "
            "proxy_ssl_name dut.example; proxy_ssl_server_name on; proxy_set_header Host dut.example; "
            "proxy_http_version 1.1; } }" for i, (k, v) in enumerate(cells)))
        wait_listening(self.site.lab, process, "client", "127.0.0.1", FRONT_NGINX)
        for i, cell in enumerate(cells):
            answered, text = self.through(FRONT_NGINX + i)
            self.verify(answered, f"{cell}: {text}")
        process.stop()

    def test_client_haproxy(self):
        """HAProxy in front of us, likewise."""
        p, cells = self.pki, [(k, v) for k in KINDS for v in VERSIONS]
        parts = "\n".join(f"""
listen l{i}
  bind 127.0.0.1:{FRONT_HAPROXY + i}
  server s {VIP}:{PORT[k]} ssl crt {p.pem(f'client-{k}-both')} ca-file {p.pem('mesh')} verify required \
sni str(dut.example) verifyhost dut.example ssl-min-ver TLSv{v} ssl-max-ver TLSv{v}"""
                          for i, (k, v) in enumerate(cells))
        conf = self.site.lab.write("front.cfg", f"""
defaults
  mode http
  timeout client 60s
  timeout connect 5s
  timeout server 60s
{parts}
""")
        process = self.site.lab.start("front-haproxy", "client", "haproxy", "-f", conf, "-db")
        wait_listening(self.site.lab, process, "client", "127.0.0.1", FRONT_HAPROXY)
        for i, cell in enumerate(cells):
            answered, text = self.through(FRONT_HAPROXY + i)
            self.verify(answered, f"{cell}: {text}")
        process.stop()

    def test_origins(self):
        """Each origin (openssl, gnutls, nginx, HAProxy, node, wolfSSL) with each kind of certificate over 1.2 and 1.3
        answers a request of ours; it verified our certificate, of every kind in turn, and we its identity."""
        failed = []
        wide = [name for name in self.origins if name not in self.narrow]
        for name in wide:
            done = curl(self.site.lab, "client", "-w", "\n%{http_code}", f"http://{VIP}/{name}/", check=False)
            if done.stdout.split("\n")[-1] != "200":
                failed.append(f"{name}: {done.stdout[-100:]}{done.stderr}")
        refused = self.dut.access(kind="refused")
        self.verify(not failed, f"{len(failed)} of {len(wide)}: {failed}; {refused[-3:]}")
        self.note(f"{len(wide)} origins")

    def test_origin_suites(self):
        """Origins that take one suite or one group alone: each suite of both versions, each group over both."""
        for name, said in self.narrow.items():
            done = curl(self.site.lab, "client", "-w", "\n%{http_code}", f"http://{VIP}/{name}/", check=False)
            self.verify_equal(done.stdout.split("\n")[-1], "200", f"{name} ({said}): {done.stdout[-200:]}{done.stderr}")
            self.verify(said in done.stdout, f"{name}: {said} not in {done.stdout[:900]}")

    def test_new_keys_by_the_client(self):
        """openssl s_client asks for new keys both ways (KeyUpdate), twice, on one connection; the answers go on."""
        p = self.pki
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.site.lab.ns_name("client"), "openssl", "s_client", "-connect",
             f"{VIP}:{PORT['p256']}", "-servername", "dut.example", "-CAfile", p.pem("mesh"), "-tls1_3", "-cert",
             p.pem("client-p256"), "-key", p.key("client-p256")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        os.set_blocking(process.stdout.fileno(), False)
        heard = b""

        def said(what, times):
            nonlocal heard
            heard += process.stdout.read() or b""
            return heard.count(what) >= times

        def say(text):
            process.stdin.write(text.encode())
            process.stdin.flush()

        try:
            wait_for("the handshake", lambda: said(b"SSL handshake has read", 1))
            for i in range(1, 4):
                say("GET /direct HTTP/1.1\r\nHost: dut.example\r\n\r\n")
                wait_for(f"answer {i}", lambda i=i: said(b"direct\n", i))
                if i < 3:
                    say("K\n")
                    wait_for(f"new keys {i}", lambda i=i: said(b"KEYUPDATE", i))
        except LabError as e:
            raise LabError(f"{e}; s_client said:\n{heard[-900:].decode(errors='replace')}") from None
        finally:
            process.kill()
            process.wait()

    def test_new_keys_by_the_origin(self):
        """openssl s_server asks for new keys before its answer; the answer comes through, and the next one too."""
        lab, p = self.site.lab, self.pki
        pipe, port = lab.path("keys.in"), self.origins["openssl-p256-13"]
        os.mkfifo(pipe)
        end = os.open(pipe, os.O_RDWR)
        old = next(q for q in lab.processes if q.name == f"up-openssl_origin-{port}")
        old.stop()
        origin = lab.start("keys", "origin", "sh", "-c",
                           f"exec openssl s_server -accept {ORIGIN}:{port} -tls1_3 -cert {p.pem('origin-p256')} -key "
                           f"{p.key('origin-p256')} -CAfile {p.pem('mesh')} -Verify 2 <{pipe}")
        try:
            wait_listening(lab, origin, "origin", ORIGIN, port)
            for i in range(1, 4):
                path = lab.path(f"keys.{i}")
                asked = lab.start(f"asks-{i}", "client", "curl", "-sS", "--max-time", "20", "-o", path,
                                  f"http://{VIP}/openssl-p256-13/{i}")
                wait_for(f"request {i}", lambda i=i: f"GET /{i} " in origin.log())
                os.write(end, b"K\n")
                wait_for(f"new keys {i}", lambda i=i: origin.log().count("SSL_do_handshake ->") >= i)
                os.write(end, b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello\n")
                self.verify_equal(asked.wait(), 0, f"curl {i}: {asked.log()}")
                with open(path, encoding="ascii") as f:
                    self.verify_equal(f.read(), "hello\n", f"answer {i}")
            self.verify_equal(origin.log().count("-----BEGIN SSL SESSION PARAMETERS"), 1, "connections of three requests")
        finally:
            os.close(end)
            origin.kill()

    def test_resumption(self):
        """openssl, with each kind of certificate: a ticket is taken, and who presents it is who it was."""
        saved = self.site.lab.path("session.pem")
        for kind in KINDS:
            self.verify(self.by_openssl(kind, "1.3", PORT[kind], "-sess_out", saved)[0], "first")
            answered, text = self.by_openssl(kind, "1.3", PORT[kind], "-sess_in", saved)
            self.verify(answered and "Reused, " in text, f"{kind}: not resumed:\n{text[-900:]}")

    def test_testssl(self):
        """testssl.sh against a listener that asks for no certificate: nothing above "low".
        What it says of a site's pages and of a public authority is left out, by name."""
        if self.small:
            self.skip("hundreds of handshakes, one by one: the plain build runs it")
        lab, begun = self.site.lab, time.monotonic()
        # Not of TLS, or of a private authority by nature: the site's own headers, and no address of revocations.
        private = ("security_headers", "cert_revocation", "cert_crlDistributionPoints", "cert_ocspURL")
        found = os.path.join(lab.folder, "testssl.json")
        done = lab.run("client", "testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--add-ca",
                self.pki.pem("mesh"), "--jsonfile", found, "--ip", VIP,
                f"dut.example:{NO_CLIENT_CERT}", check=False, timeout=400)
        self.verify(os.path.exists(found), f"testssl ended early:\n{done.stdout[-900:]}{done.stderr[-300:]}")
        with open(found, encoding="utf-8") as f:
            said = json.load(f)
        bad = [s for s in said if s["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
        self.note(f"{len(said)} findings in {time.monotonic() - begun:.0f} s; "
                  f"LOW: {[s['id'] for s in said if s['severity'] == 'LOW']}")
        self.verify(len(said) > 80, f"testssl looked at little: {said[-5:]}")
        self.verify(any(s["id"] == "TLS1_3" and s["severity"] == "OK" for s in said), "testssl saw no TLS 1.3")
        rest = [s for s in bad if s["id"].split(" ")[0] not in private]
        self.verify(not rest, f"above low: {rest}")

    test_testssl.seconds = 420  # a minute, where nobody takes the processor away
