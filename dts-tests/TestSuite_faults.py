"""Faults on purpose: delays and aborts, by share, by header, for whom they are meant; the origin sees none of it."""
import math
import time

from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.lab import wait_for
from local.programs import curl, h2load, nginx, wait_listening
from local.suite import TestSuite, tells_the_time

INSIDE, EDGE = 80, 81


def delay(**how):
    return {"delay": {"percent": 100, **how}}


def abort(**how):
    return {"abort": {"percent": 100, **how}}


class TestFaults(TestSuite):
    def set_up_suite(self):
        self.site = Site("fa")
        lab = self.site.lab
        web = nginx(lab, "origin", "web", f"server {{ listen {ORIGIN}:8080; return 200 'ok\\n'; }}")
        wait_listening(lab, web, "origin", ORIGIN, 8080)
        by_header = {"delay": {"percent": 100, "header": True, "max": "200ms"}, "abort": {"percent": 100, "header": True}}
        self.dut = self.site.appliance(self.build, {
            "listeners": [listener(INSIDE), listener(EDGE, "edge", edge=True)],
            "clusters": [cluster("web", [(ORIGIN, 8080)], protocol="http1")],
            "virtual_hosts": one_host([
                route("web", prefix="/fixed", fault=delay(fixed="120ms")),
                route("web", prefix="/exponential", fault=delay(exponential="30ms", max="300ms")),
                route("web", prefix="/abort", fault=abort(status=418)),
                route("web", prefix="/pkg.Service/", fault=abort(grpc_status=8)),
                route("web", prefix="/both", fault={**delay(fixed="120ms"), **abort(status=503)}),
                route("web", prefix="/some", fault={"abort": {"percent": 12.5, "status": 500}}),
                route("web", prefix="/headers", fault=by_header),
                route("web", prefix="/scope", fault={**abort(status=503), "headers": [{"name": "x-chaos", "exact": "yes"}]}),
                route("web", prefix="/kinds", fault={**abort(status=503), "headers": [
                    {"name": "x-p", "prefix": "ab"}, {"name": "x-s", "suffix": "yz"},
                    {"name": "x-r", "regex": "[0-9]+-v[12]"}, {"name": "x-n", "range": [10, 20]},
                    {"name": "x-free", "present": True, "invert": True}]}),
                route("web", prefix="/long", timeout="100ms", fault=delay(fixed="250ms")),
                route("web", prefix="/gone", fault=delay(fixed="2s")),
                {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": "direct"},
                 "fault": abort(status=503)},
                route("web")])}).start()

    def tear_down_suite(self):
        self.dut.stop()
        self.site.close()

    def ask(self, path, *more, port=INSIDE):
        """(status, seconds) of one request."""
        out = curl(self.site.lab, "client", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", *more,
                   f"http://{VIP}:{port}{path}").stdout.split()
        return int(out[0]), float(out[1])

    def reached(self, path):
        """How many requests for the path the origin has seen."""
        with open(self.site.lab.path("web.access.log"), encoding="ascii") as f:
            return sum(1 for line in f if f" {path} " in line)

    @tells_the_time
    def test_delays(self):
        """A fixed delay over HTTP/1.1 and HTTP/2, an exponential one with its mean, one longer than the route's
        timeout; the answer is the origin's, the flag DI."""
        for protocol in ("--http1.1", "--http2-prior-knowledge"):
            status, took = self.ask("/fixed", protocol)
            self.verify(status == 200 and 0.12 <= took < 0.6, f"{protocol}: {status} after {took} s")
        self.dut.wait_access(lambda r: r["path"] == "/fixed" and r["flag"] == "DI" and r["status"] == 200)
        status, took = self.ask("/long")
        self.verify(status == 200 and took >= 0.25, f"/long: {status} after {took} s")
        n = 200
        got = h2load(self.site.lab, "client", "-n", n, "-c", 10, "-m", 5, f"http://{VIP}/exponential")
        self.verify_equal(got["2xx"], n, "answered")
        # The mean of n draws has a standard deviation of 30 ms / sqrt(n); 5 of them, and what else takes time.
        low, high = 30000 * (1 - 5 / math.sqrt(n)), 30000 * (1 + 5 / math.sqrt(n)) + 20000
        self.note(f"mean of {n} exponential delays: {got['mean_us'] / 1000:.1f} ms")
        self.verify(low <= got["mean_us"] <= high, f"mean {got['mean_us']} us")

    def test_aborts(self):
        """HTTP and gRPC statuses, each for both kinds of clients; a delay comes first; an eighth of the requests of
        another route; no request that was aborted reaches the origin."""
        for protocol in ("--http1.1", "--http2-prior-knowledge"):
            self.verify_equal(self.ask("/abort", protocol)[0], 418, protocol)
        call = ("-i", "-X", "POST", "-H", "content-type: application/grpc", "--http2-prior-knowledge")
        text = curl(self.site.lab, "client", *call, f"http://{VIP}/pkg.Service/M").stdout.lower()
        self.verify("http/2 200" in text and "grpc-status: 8" in text and "x-sidestep-flag: fi" in text, text)
        self.verify_equal(self.ask("/pkg.Service/M")[0], 429, "gRPC's status in HTTP's words")
        self.verify_equal(self.ask("/direct")[0], 503, "a direct response")
        status, took = self.ask("/both")
        self.verify(status == 503 and took >= 0.12, f"/both: {status} after {took} s")
        self.dut.wait_access(lambda r: r["flag"] == "DI,FI" and r["reason"] == "fault_abort")
        n = 2000 if self.small else 8000
        before = self.dut.metric("sidestep_fault_aborts_total")
        got = h2load(self.site.lab, "client", "-n", n, "-c", 4, "-m", 10, f"http://{VIP}/some")
        want, sigma = n / 8, math.sqrt(n / 8 * 7 / 8)
        self.note(f"12.5 % of {n}: {got['5xx']}")
        self.verify(abs(got["5xx"] - want) < 5 * sigma, f"{got['5xx']} aborted, want {want} +- {5 * sigma:.0f}")
        self.verify_equal(self.dut.metric("sidestep_fault_aborts_total") - before, got["5xx"], "counted")
        # nginx writes the line of a request after its answer.
        wait_for("the origin's lines", lambda: self.reached("/some") >= n - got["5xx"])
        self.verify_equal([self.reached(p) for p in ("/abort", "/pkg.Service/M", "/both", "/some")],
                          [0, 0, 0, n - got["5xx"]], "requests that reached the origin")

    def kinds(self):
        """All of a fault's matches must hold: one that does not, whatever its kind, and there is no fault."""
        good = {"x-p": "abc", "x-s": "xyz", "x-r": "12-v2", "x-n": "19"}

        def status(**other):
            fields = {**good, **{k.replace("_", "-"): v for k, v in other.items()}}
            return self.ask("/kinds", *[a for k, v in fields.items() if v is not None for a in ("-H", f"{k}: {v}")])[0]
        self.verify_equal(status(), 503, "all hold")
        for other in ({"x_p": "cab"}, {"x_s": "yzx"}, {"x_r": "12-v3"}, {"x_r": "a12-v2"}, {"x_n": "20"}, {"x_n": "9"},
                      {"x_n": "ten"}, {"x_p": None}, {"x_r": None}, {"x_free": "here"}):
            self.verify_equal(status(**other), 200, f"{other}")

    @tells_the_time
    def test_scope(self):
        """Own headers; faults by the request's header from inside only, bounded; a client that goes away meanwhile."""
        self.verify_equal(self.ask("/scope")[0], 200, "without the header")
        self.verify_equal(self.ask("/scope", "-H", "x-chaos: no")[0], 200, "another value")
        self.verify_equal(self.ask("/scope", "-H", "x-chaos: yes")[0], 503, "with it")
        self.kinds()
        said = ("-H", "x-envoy-fault-abort-request: 451")
        self.verify_equal(self.ask("/headers", *said)[0], 451, "by header")
        self.verify_equal(self.ask("/headers", *said, port=EDGE)[0], 200, "by a stranger")
        status, took = self.ask("/headers", "-H", "x-envoy-fault-delay-request: 60000")
        self.verify(status == 200 and 0.2 <= took < 2, f"bounded: {status} after {took} s")
        self.verify_equal(self.ask("/headers", *said, "-H", "x-envoy-fault-delay-request: 50")[0], 451, "both by header")
        begun = time.monotonic()
        gone = self.site.lab.start("gone", "client", "curl", "--http2-prior-knowledge", f"http://{VIP}/gone")
        wait_for("it to be delayed", lambda: self.dut.metric("sidestep_exchanges"), 5)
        gone.kill()
        self.dut.wait_access(lambda r: r["path"] == "/gone" and r["flag"] == "DI,DC")
        time.sleep(max(0.0, begun + 2.3 - time.monotonic()))  # what is asserted is that nothing comes
        self.verify_equal(self.reached("/gone"), 0, "what nobody waits for goes nowhere")
