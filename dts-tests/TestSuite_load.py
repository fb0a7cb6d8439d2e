"""sidestep-load: it drives any server over any port, counts wrong answers as errors, and tells the time truly."""
import os

from local import load
from local.lab import Lab, sh
from local.programs import nghttpd, nginx, wait_listening
from local.suite import TestSuite

GEN, FAR = "10.7.0.2", "10.7.0.1"
SIZES = {"0": 0, "128": 128, "16384": 16384, "1048576": 1 << 20}


class TestLoad(TestSuite):
    def set_up_suite(self):
        self.lab = lab = Lab("ld")
        for host in ("gen", "far"):
            lab.host(host)
        lab.wire("far", "fa", "gen", "ge0", a_addrs=[FAR + "/24"], b_port=True)
        self.make_certificates()
        self.root = root = lab.path("root")
        os.makedirs(os.path.join(root, "size"))
        for name, n in SIZES.items():
            with open(os.path.join(root, "size", name), "wb") as f:
                f.write(self.pattern(n))
        with open(os.path.join(root, "other"), "wb") as f:
            f.write(b"x" * 128)
        tls = (f"ssl_certificate {self.pem('server')}; ssl_certificate_key {self.key('server')};"
               f"ssl_client_certificate {self.pem('mesh')};")
        nx = nginx(lab, "far", "nginx", f"""
server {{ listen 8001; root {root}; location /missing {{ return 404 "none"; }} }}
server {{ listen 8002 http2; root {root}; }}
server {{ listen 8003 ssl; {tls} ssl_verify_client off; root {root}; }}
server {{ listen 8004 ssl http2; {tls} ssl_verify_client on; root {root}; }}
""")
        wait_listening(lab, nx, "far", "0.0.0.0", 8001)
        nghttpd(lab, "far", "h2c", FAR, 8011, root)
        nghttpd(lab, "far", "h2", FAR, 8012, root, self.key("server"), self.pem("server"), self.pem("mesh"))

    def tear_down_suite(self):
        self.lab.close()

    def make_certificates(self):
        self.certs = self.lab.path("certs")
        os.makedirs(self.certs)
        tool = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools", "ca")
        for ca in ("mesh", "other"):
            sh(tool, self.certs, "init", ca)
        sh(tool, self.certs, "leaf", "--ca", "mesh", "--out", "server", "--days", "30", "--dns", "server.example",
           "--spiffe", "spiffe://mesh.local/ns/demo/sa/server")
        sh(tool, self.certs, "leaf", "--ca", "mesh", "--out", "client", "--days", "30", "--spiffe",
           "spiffe://mesh.local/ns/demo/sa/client")

    def pem(self, name):
        return os.path.join(self.certs, f"{name}.pem")

    def key(self, name):
        return os.path.join(self.certs, f"{name}.key")

    def pattern(self, n):
        done = sh(os.path.join(self.build, "sidestep-load"), "--print-body", n)
        return done.stdout.encode("ascii")

    def client(self, target, *argv, statuses=(0,), name="client"):
        """A short run of the client over AF_XDP; its figures."""
        return load.run(self.lab, self.build, "gen", name, *load.af_xdp("ge0", GEN + "/24"), "--target",
                        f"{FAR}:{target}", "--warmup", "200ms", "--quiet", *argv, statuses=statuses)["client"]

    def tls(self, cert="client"):
        argv = ["--tls", "--ca", self.pem("mesh"), "--sni", "server.example"]
        return argv + (["--cert", self.pem(cert), "--key", self.key(cert)] if cert else [])

    def all_right(self, c, requests, size):
        self.verify_equal(c["errors_total"], 0, f"errors, by kind {c['errors']}")
        self.verify_equal(c["requests"], requests, "requests")
        self.verify_equal(c["response_body_bytes"], requests * size, "bytes of bodies")

    # -- servers that nobody here wrote --

    def test_nginx_h1(self):
        """h1 in plaintext against nginx.
        Steps: 2,000 requests for each of four sizes, over 8 connections.
        Checks: all answered, every byte compared with the pattern, no error."""
        for name, size in SIZES.items():
            n = 200 if size > 100000 else 2000
            c = self.client(8001, "--path", f"/size/{name}", "--connections", 8, "--requests", n, "--expect-size", size)
            self.all_right(c, n, size)

    def test_nginx_h1_tls(self):
        """h1 over TLS against nginx, its certificate verified."""
        c = self.client(8003, "--path", "/size/16384", "--connections", 4, "--requests", 500, *self.tls(None))
        self.all_right(c, 500, 16384)

    def test_nginx_h2(self):
        """h2 with prior knowledge against nginx: 4 connections x 8 streams."""
        c = self.client(8002, "--proto", "h2", "--path", "/size/16384", "--connections", 4, "--streams", 8,
                        "--requests", 1000)
        self.all_right(c, 1000, 16384)

    def test_nginx_h2_mtls(self):
        """h2 over mutual TLS against nginx, which demands our certificate."""
        c = self.client(8004, "--proto", "h2", "--path", "/size/128", "--connections", 4, "--streams", 8,
                        "--requests", 1000, *self.tls())
        self.all_right(c, 1000, 128)

    def test_nghttpd_h2c(self):
        """h2 in plaintext against nghttpd, bodies of 1 MiB too."""
        for size, n in ((128, 2000), (1 << 20, 100)):
            c = self.client(8011, "--proto", "h2", "--path", f"/size/{size}", "--connections", 4, "--streams", 8,
                            "--requests", n)
            self.all_right(c, n, size)

    def test_nghttpd_h2_mtls(self):
        """h2 over mutual TLS against nghttpd."""
        c = self.client(8012, "--proto", "h2", "--path", "/size/16384", "--connections", 4, "--streams", 8,
                        "--requests", 1000, *self.tls())
        self.all_right(c, 1000, 16384)

    # -- wrong answers --

    def test_wrong_answers(self):
        """A fast wrong answer is an error.
        Steps: requests whose answer has another status, size, or body; a missing client certificate; a server
        from another authority; a port where nobody listens.
        Checks: none counts as a request; each counts as an error of its kind; the exit status says so."""
        cases = [
            ("status", 8001, ["--path", "/missing"]),
            ("length", 8001, ["--path", "/size/128", "--expect-size", 129]),
            ("body", 8001, ["--path", "/other"]),
            ("status", 8002, ["--path", "/missing", "--proto", "h2"]),
            ("body", 8011, ["--path", "/other", "--proto", "h2"]),
        ]
        for kind, target, argv in cases:
            c = self.client(target, "--requests", 50, *argv, statuses=(1,))
            self.verify_equal(c["requests"], 0, f"requests counted as right ({kind})")
            self.verify_equal(c["errors"][kind], 50, f"errors of kind {kind}, of {c['errors']}")
        quick = ["--requests", 5, "--timeout", "1s"]
        c = self.client(8003, *quick, "--tls", "--ca", self.pem("other"), "--sni", "server.example", statuses=(1,))
        self.verify(c["errors"]["tls"] > 0, f"another authority: {c['errors']}")
        c = self.client(8999, *quick, statuses=(1,))
        self.verify(c["errors"]["connect_refused"] > 0, f"nobody listens: {c['errors']}")

    # -- its own origin --

    def test_own_origin_memif(self):
        """Two processes on one memif link, as the bench runs them.
        Steps: an origin on the server's end; h1 and h2 clients on the other, one after the other.
        Checks: all answered; both sides count the same requests and bytes."""
        lab = self.lab
        for proto, more in (("h1", ["--connections", 64]), ("h2", ["--connections", 4, "--streams", 16])):
            origin = load.start_origin(lab, self.build, "far", f"origin-{proto}",
                                       *load.memif(lab, "server", "10.8.0.1/24"), "--listen", "10.8.0.1:80")
            c = load.run(lab, self.build, "gen", f"client-{proto}", *load.memif(lab, "client", "10.8.0.2/24"),
                         "--target", "10.8.0.1:80", "--proto", proto, "--path", "/size/1000", "--requests", 20000,
                         "--warmup", "0s", "--quiet", *more)["client"]
            self.all_right(c, 20000, 1000)
            origin.stop()
            o = load.figures(lab, origin)["origin"]
            self.verify(o["requests"] >= 20000, f"the origin counts {o['requests']}")
            self.verify_equal(o["wrong_bodies"], 0, "wrong request bodies")
