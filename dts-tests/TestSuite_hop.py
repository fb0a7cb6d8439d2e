"""The hop: client -> node A =mutual TLS, HTTP/2=> node B -> origin, with nothing faked."""
import os
import re
import time

from local.lab import wait_for
from local.mesh_site import A_ID, SERVICE, Mesh
from local.programs import curl, curl_code, h2load
from local.suite import TestSuite, tells_the_time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class TestHop(TestSuite):
    def set_up_suite(self):
        self.mesh = Mesh("hop", self.build, ROOT, switch=True)
        self.mesh.start()

    def tear_down_suite(self):
        try:
            self.mesh.stop()
        finally:
            self.mesh.close()

    def test_curl(self):
        """curl over HTTP/1.1 and HTTP/2 reaches the origin through both hops; node B logs node A's identity."""
        for flag in ("--http1.1", "--http2-prior-knowledge"):
            out = curl(self.mesh.lab, "client", flag, f"http://{SERVICE}/").stdout
            self.verify_equal(out, "hello from the origin\n", flag)
        record = self.mesh.b.wait_access(lambda r: r.get("peer") == A_ID)
        self.verify_equal(record["tls"], "mutual", "tls at node B")

    def test_capture(self):
        """A capture between the two nodes shows TLS 1.3 application data and nothing in the clear."""
        lab = self.mesh.lab
        pcap = lab.path("mesh.pcap")
        tcpdump = lab.start("capture", "switch", "tshark", "-q", "-i", "sa", "-w", pcap, "-f", "tcp port 8443")
        wait_for("the capture", lambda: "Capturing" in tcpdump.log(), 20)
        curl(lab, "client", "-H", "x-secret-word: xyzzy-plugh", f"http://{SERVICE}/secret-path")
        h2load(lab, "client", "-n", 200, "-c", 2, "-m", 4, f"http://{SERVICE}/")
        wait_for("packets", lambda: os.path.exists(pcap) and os.path.getsize(pcap) > 2000, 10)
        tcpdump.signal(2)
        tcpdump.wait(20)
        with open(pcap, "rb") as f:
            raw = f.read()
        for word in (b"xyzzy-plugh", b"secret-path", b"hello from the origin"):
            self.verify(word not in raw, f"{word} crossed in the clear")
        kinds = lab.run("switch", "tshark", "-r", pcap, "-d", "tcp.port==8443,tls", "-Y", "tls", "-T", "fields",
                        "-e", "tls.record.content_type").stdout
        types = set(re.findall(r"\d+", kinds))
        self.verify("23" in types, f"no application data was seen: {kinds[:200]}")
        self.verify(types <= {"20", "22", "23"}, f"record types {types}")

    @tells_the_time  # a try that takes a second is sent again, and a thousand are under way
    def test_100000_requests(self):
        """100,000 h2load requests (-c 32 -m 32; fewer on slow builds) through both hops: none fails, the origin's
        log holds as many distinct request ids, no kernel socket listens on the service's ports."""
        n = 4000 if self.small else 100000
        before = len(self.mesh.origin_ids())
        got = h2load(self.mesh.lab, "client", "-n", n, "-c", 32, "-m", 32, f"http://{SERVICE}/", timeout=240)
        self.note(f"{got['rps']:.0f} requests/s through two hops")
        self.verify_equal((got["2xx"], got["failed"], got["errored"]), (n, 0, 0), "h2load")
        wait_for("the origin's log", lambda: len(self.mesh.origin_ids()) - before >= n, 10, 0.2)
        ids = self.mesh.origin_ids()[before:]
        self.verify_equal((len(ids), len(set(ids))), (n, n), "request ids at the origin (all, distinct)")
        for node in ("node-a", "node-b"):
            text = self.mesh.lab.run(node, "ss", "-Hltn").stdout
            for line in text.splitlines():
                self.verify(re.search(r"127\.0\.0\.1:9901\s", line), f"kernel listener on {node}: {line}")

    test_100000_requests.seconds = 300

    def test_node_b_killed(self):
        """Killing node B fails requests (with a flag); starting it again heals the path without touching A."""
        self.mesh.b.kill()
        begun = time.monotonic()
        code = curl_code(self.mesh.lab, "client", f"http://{SERVICE}/")
        self.verify(code in (503, 504), f"without node B: {code} after {time.monotonic() - begun:.1f} s")
        self.mesh.a.wait_access(lambda r: r["status"] == code and r["flag"] in ("UF", "UC", "UT", "UH"))
        self.mesh.b.start()
        wait_for("the path to heal", lambda: curl_code(self.mesh.lab, "client", f"http://{SERVICE}/") == 200, 60, 0.5)
