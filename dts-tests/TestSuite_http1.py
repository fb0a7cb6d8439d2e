"""HTTP/1.1 in depth: clients and origins that frame, reuse and end connections each in their own way."""
import os

from local.bench_site import ORIGIN, ORIGINS, Site, VIP, cluster, listener, one_host, route
from local.programs import curl_code, h2load, nginx, script, wait_listening
from local.suite import TestSuite

HERE = os.path.dirname(os.path.abspath(__file__))
H1_PORT, NODE_PORT = 8080, 8083


class TestHttp1(TestSuite):
    def set_up_suite(self):
        self.site = site = Site("h1")
        lab = site.lab
        wait_listening(lab, script(lab, "origin", "origin", "origin.py", ORIGIN, H1_PORT, "o1",
                                   lab.path("origin.txt")), "origin", ORIGIN, H1_PORT)
        wait_listening(lab, lab.start("node", "origin", "node", os.path.join(HERE, "local", "h1_node.js"), "serve",
                                      ORIGIN, NODE_PORT), "origin", ORIGIN, NODE_PORT)
        wait_listening(lab, nginx(lab, "origin", "nginx", f"""
server {{ listen {ORIGINS[0]}:80; keepalive_requests 7; location / {{ return 200 "few\\n"; }} }}
"""), "origin", ORIGINS[0], 80)
        self.dut = site.appliance(self.build, {
            "listeners": [listener(80), listener(81, "node", virtual_hosts=["node"])],
            "virtual_hosts": one_host([route("few", prefix="/few"), route("h1", timeout="60s")]) + [
                {"name": "node", "domains": ["*"], "routes": [route("node", timeout="60s")]}],
            "clusters": [cluster("h1", [(ORIGIN, H1_PORT)], protocol="http1"),
                         cluster("node", [(ORIGIN, NODE_PORT)], protocol="http1"),
                         cluster("few", [(ORIGINS[0], 80)], protocol="http1")]}).start()

    def tear_down_suite(self):
        try:
            if self.dut.process:
                self.dut.stop()
        finally:
            self.site.close()

    def python(self, case):
        out = self.site.lab.run("client", "/usr/bin/python3", os.path.join(HERE, "local", "h1_client.py"), VIP, 80,
                                case, check=False, timeout=100)
        self.verify_equal(out.stdout.strip(), "ok", case + out.stderr[-800:])

    def test_python_keep_alive(self):
        """http.client: GET, HEAD, POST with a length, chunked and empty, PUT, close: all on one connection."""
        self.python("keep_alive")

    def test_python_old_version(self):
        """HTTP/1.0 clients get no chunks, and keep-alive only when they ask."""
        self.python("old_version")

    def test_half_closed(self):
        """A client that ends its direction behind the request still gets 200,000 bytes."""
        self.python("half_closed")

    def test_byte_by_byte(self):
        """A chunked request with trailers in pieces of one byte is echoed."""
        self.python("byte_by_byte")

    def test_node(self):
        """node on both sides, 210 requests over 8 sockets: trailers, 103, close-ended bodies, 204, 304, HEAD,
        chunked uploads, Expect: 100-continue. Bodies are whole; sockets are reused."""
        out = self.site.lab.run("client", "node", os.path.join(HERE, "local", "h1_node.js"), "get", VIP, 81, 210,
                                check=False, timeout=100)
        self.verify_equal(out.stdout.strip(), "ok", "node: " + out.stderr[-800:])

    def test_ab(self):
        """ab: 2,000 HTTP/1.0 requests, kept alive and not; none fails."""
        n = 200 if self.small else 2000
        for argv in (["-k"], []):
            out = self.site.lab.run("client", "ab", "-q", "-n", n, "-c", 8, *argv, f"http://{VIP}/size/100",
                                    timeout=100).stdout
            self.verify("Failed requests:        0" in out and f"Complete requests:      {n}" in out, out[-1500:])
            self.verify("Non-2xx" not in out, out[-1500:])
            kept = f"Keep-Alive requests:    {n}" in out
            self.verify_equal(kept, bool(argv), "kept alive")

    def test_upstream_closes_often(self):
        """nginx ends each connection after seven requests: every request of 1,000 is answered with 200."""
        n = 200 if self.small else 1000
        got = h2load(self.site.lab, "client", "--h1", "-n", n, "-c", 4, f"http://{VIP}/few")
        self.verify_equal((got["succeeded"], got["2xx"]), (n, n), "h2load")

    def test_nothing_is_left(self):
        """After all that the appliance still answers, and ends with nothing held (checked by stop)."""
        self.verify_equal(curl_code(self.site.lab, "client", f"http://{VIP}/size/1"), 200, "at the end")
        self.dut.stop()
