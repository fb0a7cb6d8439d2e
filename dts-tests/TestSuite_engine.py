"""tls.engine: keys of handshakes by an engine that pauses, takes time, fails or never answers. The engine is our own
(dts-tests/engine); clients are openssl and curl. What no machine without the device can show: docs/engine.md."""
import mmap
import os
import shutil
import struct
import subprocess

from local.bench_site import Site, VIP, listener, one_host
from local.lab import sh, wait_for
from local.programs import curl
from local.suite import TestSuite, tells_the_time
from TestSuite_tls import CLIENT_ID, NODE, Certs

RSA, ECDSA, PLAIN = 443, 444, 80
# dataplane/tls/tls_engine_sim.h
WORDS = ["pause", "fail_every", "never", "delay_us", "ops", "rsa", "ec", "sync", "failed", "paused", "polls", "beats",
         "commands", "in_flight"]
FAILURES = 8  # SS_OFFLOAD_FAILURES


class Words:
    """The engine's file: what it shall do, what it has done."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(4096))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 4096)

    def __getitem__(self, name):
        return struct.unpack_from("=Q", self.map, 8 * WORDS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("=Q", self.map, 8 * WORDS.index(name), value)


class TestEngine(TestSuite):
    def set_up_suite(self):
        self.site = Site("en")
        lab = self.site.lab
        self.engine = os.path.abspath(os.path.join(self.build, "dts-tests", "engine", "testengine.so"))
        self.certs = c = Certs(lab.path("certs"))
        c.authority("mesh")
        c.leaf("dut", "mesh", NODE, ["dut.example"])
        c.leaf("client", spiffe=CLIENT_ID)
        self.rsa_leaf()
        self.dut = None
        self.words = None

    def rsa_leaf(self):
        """tools/ca makes P-256 keys; this one is RSA, signed by itself: no client here looks at it."""
        c = self.certs
        sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", c.key("rsa"), "-out", c.pem("rsa"),
           "-days", "2", "-subj", "/CN=dut.example", "-addext", "subjectAltName=DNS:dut.example")

    def tear_down_suite(self):
        self.site.close()

    def tear_down_test_case(self):
        if self.dut:
            self.words["never"] = 0
            self.words["fail_every"] = 0
            self.dut.stop()
            self.dut = None

    def settings(self, threads, tls=None):
        c = self.certs
        server = {"mode": "strict", "client_certificate": False, "handshake_timeout": "2s"}
        return {
            "tls": {"handshake_threads": threads, "ticket_lifetime": "0s", "engine": "testengine",
                    "engine_path": self.engine, "engine_commands": [f"WORDS={self.words.path}"], **(tls or {})},
            "secrets": [{"name": "rsa", "certificate": c.pem("rsa"), "private_key": c.key("rsa")},
                        {"name": "dut", "certificate": c.pem("dut"), "private_key": c.key("dut")}],
            "listeners": [listener(RSA, "rsa", tls={"secret": "rsa", **server}),
                          listener(ECDSA, "ecdsa", tls={"secret": "dut", **server}),
                          listener(PLAIN, "plain")],
            "virtual_hosts": one_host([{"match": {"prefix": "/"},
                                        "direct_response": {"status": 200, "body": "direct\n"}}]),
            "clusters": []}

    def start(self, threads):
        self.words = Words(self.site.lab.path(f"words-{threads}"))
        self.dut = self.site.appliance(self.build, self.settings(threads)).start()

    def get(self, port=RSA, *more, limit=10):
        scheme = "http" if port == PLAIN else "https"
        return curl(self.site.lab, "client", "-k", "--http1.1", "--max-time", limit, "--resolve",
                    f"dut.example:{port}:{VIP}", *more, f"{scheme}://dut.example:{port}/", check=False)

    def engine_metric(self, name):
        return int(self.dut.metric(f"sidestep_tls_engine_{name}") or 0)

    def many(self, n, port=RSA):
        """n handshakes at a time, each with a request; how many were answered."""
        argv = ["sh", "-c", "for i in $(seq %d); do curl -sk --http1.1 --max-time 10 --resolve dut.example:%d:%s "
                "https://dut.example:%d/ & done; wait" % (n, port, VIP, port)]
        return self.site.lab.run("client", *argv, check=False).stdout.count("direct")

    def counts(self, threads):
        self.start(threads)
        w = self.words
        self.verify_equal(w["commands"], 2, "commands sent: external polling and the fallback")
        self.verify_equal(self.engine_metric("state"), 1, "state")
        before = {k: w[k] for k in ("rsa", "ec", "sync")}
        w["pause"], w["delay_us"] = 3, 2000
        self.verify_equal(self.many(8), 8, "answers over RSA")
        self.verify_equal(self.many(5, ECDSA), 5, "answers over ECDSA")
        self.verify_equal(w["rsa"] - before["rsa"], 8, "RSA operations")
        self.verify_equal(w["ec"] - before["ec"], 5, "ECDSA operations")
        self.verify_equal(w["sync"], before["sync"], "operations outside of a job")
        self.verify(w["paused"] >= 3 * 13, f"only {w['paused']} pauses")
        self.verify(w["polls"] > 0, "nobody polled")
        self.verify_equal(self.engine_metric("waited_total"), 13, "handshakes that waited")
        wait_for("nothing to wait any more", lambda: self.get(PLAIN).stdout and self.engine_metric("paused") == 0)
        self.verify_equal(self.dut.metric("sidestep_tls_handshakes_total"), 13, "handshakes")
        out = self.site.lab.run("client", "openssl", "s_client", "-connect", f"{VIP}:{RSA}", "-tls1_2", check=False,
                                input="Q\n").stdout
        self.verify("Cipher is ECDHE-RSA" in out, f"TLS 1.2 did not end: {out[-500:]}")
        self.verify_equal(w["rsa"] - before["rsa"], 9, "RSA operations with TLS 1.2")

    @tells_the_time
    def test_counts_on_threads(self):
        """Steps: handshakes at the same time over RSA and ECDSA certificates, on one handshake thread; each
        operation pauses at least three times and takes 2 ms; then one of TLS 1.2.
        Check: all are answered; the engine did exactly one operation for each, all of them within jobs; it was told
        of external polling and fallback, and was polled."""
        self.counts(1)

    @tells_the_time
    def test_counts_on_the_worker(self):
        """Steps: the same with handshake_threads = 0.
        Check: the same."""
        self.counts(0)

    def never(self, threads):
        self.start(threads)
        w = self.words
        self.verify_equal(self.many(1), 1, "answers before")
        w["never"] = 1
        slow = [self.site.lab.start(f"stuck{threads}-{i}", "client", "openssl", "s_client", "-connect",
                                    f"{VIP}:{RSA}") for i in range(FAILURES)]
        wait_for("operations under way", lambda: w["in_flight"] == FAILURES, 5)
        wait_for("all of them to be counted as waiting", lambda: self.get(PLAIN).stdout and
                 self.engine_metric("paused") == FAILURES, 5)
        for _ in range(5):
            self.verify_equal(self.get(PLAIN).stdout, "direct\n", "plaintext meanwhile")
        wait_for("the engine to be off", lambda: self.engine_metric("state") == 2, 6, 0.1)
        self.verify_equal(self.many(3), 3, "answers without the engine")
        self.verify_equal(self.engine_metric("fallbacks_total"), 3, "handshakes without it")
        wait_for("handshakes to time out by name", lambda: self.dut.drops("tls_timeout") == FAILURES, 6, 0.1)
        self.verify_equal(self.engine_metric("late_total"), FAILURES, "late handshakes")
        # A worker that sleeps brings its gauges up to date when it has something to do.
        wait_for("them to be lost", lambda: self.get(PLAIN).stdout and
                 self.engine_metric("lost_total") == FAILURES, 5, 0.1)
        self.verify("engine turned off" in self.dut.process.log(), "no line in the log")
        w["never"] = 0
        wait_for("operations to end", lambda: self.get(PLAIN).stdout and w["in_flight"] == 0 and
                 self.engine_metric("paused") == 0, 5)
        for p in slow:
            p.kill()

    @tells_the_time
    def test_never_on_threads(self):
        """Steps: as many clients as failures are allowed, whose operations never end; others meanwhile.
        Check: plaintext goes on; after a second each of them counts as late and control turns the engine off, with
        a line in the log; new handshakes are done without it; the stuck ones time out by name; when the engine
        answers at last, nothing is held any more."""
        self.never(1)

    @tells_the_time
    def test_never_on_the_worker(self):
        """Steps: the same with handshake_threads = 0.
        Check: the same."""
        self.never(0)

    def test_failing(self):
        """Steps: every second operation fails; then all of them do.
        Check: half of the clients are served, and the engine stays in use; then it is turned off after eight in a
        row, and clients are served without it, from one generation later."""
        self.start(1)
        w = self.words
        w["fail_every"] = 2
        served = [self.get().returncode == 0 for _ in range(12)]
        self.verify_equal(served.count(True), 6, "clients served")
        self.verify_equal(self.engine_metric("failed_total"), 6, "failed handshakes")
        self.verify_equal(self.engine_metric("state"), 1, "state")
        generation = self.dut.metric("sidestep_config_generation")
        w["fail_every"] = 1
        wait_for("a client to be served", lambda: self.get().returncode == 0, 10, 0.01)
        self.verify_equal(self.engine_metric("state"), 2, "state after")
        self.verify_equal(self.dut.metric("sidestep_config_generation"), generation + 1, "generation")
        ops = w["ops"]
        self.verify_equal(self.many(3), 3, "answers without the engine")
        self.verify_equal(w["ops"], ops, "operations of the engine after it was turned off")

    def refused(self, tls):
        path = self.site.lab.write("refused.cfg", "")
        self.words = self.words or Words(self.site.lab.path("words"))
        dut = self.site.appliance(self.build, self.settings(1, tls))
        shutil.copy(dut.config, path)
        out = subprocess.run([os.path.join(self.build, "sidestep"), "--check", path], capture_output=True, text=True,
                             timeout=60, check=False)
        self.verify_equal(out.returncode, 1, "status of --check")
        return out.stderr

    def test_refusals(self):
        """Steps: an engine that is not there; one that does not know a command, or refuses it.
        Check: --check refuses each, naming the engine and the reason."""
        text = self.refused({"engine": "qatengine-that-is-not", "engine_path": "/nowhere/qat.so"})
        self.verify('tls.engine "qatengine-that-is-not"' in text and "/nowhere/qat.so" in text, text)
        text = self.refused({"engine_commands": ["NO_SUCH=1"]})
        self.verify('tls.engine "testengine": refuses the command NO_SUCH=1' in text, text)
        text = self.refused({"engine_commands": ["REFUSE"]})
        self.verify("refuses the command REFUSE" in text, text)

    def test_the_real_qatengine(self):
        """Steps: Debian's qatengine, where it is installed (Debian 13); a handshake.
        Check: it loads and answers; without the device by its software fallback, or OpenSSL's own."""
        out = subprocess.run(["openssl", "engine", "-t", "-vv", "qatengine"], capture_output=True, text=True,
                             check=False)
        if out.returncode != 0:
            self.skip("qatengine is not installed (Debian 13 has it)")
        self.words = Words(self.site.lab.path("words-real"))
        settings = self.settings(1)
        settings["tls"] = {"handshake_threads": 1, "engine": "qatengine"}
        self.dut = self.site.appliance(self.build, settings).start()
        self.verify_equal(self.many(4), 4, "answers with qatengine")
        self.note(f"qatengine: {self.engine_metric('waited_total')} of 4 handshakes waited for it")
