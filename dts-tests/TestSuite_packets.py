"""Packets: any port by configuration, several workers, sleep, a clean end."""
import os
import re
import signal
import time

from local.bench_site import CLIENT, ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.appliance import Appliance, ports
from local.lab import Lab, wait_for
from local.programs import curl, h2load
from local.suite import TestSuite, tells_the_time


def direct_response(body="hello from sidestep\n"):
    return {"listeners": [listener()],
            "virtual_hosts": one_host([{"match": {"prefix": "/"},
                                        "direct_response": {"status": 200, "body": body}}])}


class TestPackets(TestSuite):
    def set_up_suite(self):
        self.site = Site("pk")
        self.dut = None

    def tear_down_test_case(self):
        dut, self.dut = self.dut, None
        if dut:
            dut.stop()

    def tear_down_suite(self):
        self.site.close()

    def ask(self, count=1, ns="client", lab=None, address=VIP):
        lab = lab or self.site.lab
        urls = [f"http://{address}/{i}" for i in range(count)]
        text = curl(lab, ns, *urls).stdout
        self.verify_equal(text, "hello from sidestep\n" * count, "bodies")

    def start(self, **kw):
        self.dut = self.site.appliance(self.build, direct_response(), **kw).start()

    @tells_the_time
    def test_ping(self):
        """The appliance answers ICMP echo on AF_XDP.
        Steps: 20 pings of 56 bytes, 20 of 1,400. Checks: none is lost, none duplicated."""
        self.start()
        for size in (56, 1400):
            text = self.site.lab.run("client", "ping", "-c", 20, "-i", 0.05, "-s", size, VIP).stdout
            self.verify(" 0% packet loss" in text and "DUP" not in text, text)

    def test_curl_af_xdp(self):
        """curl (HTTP/1.1) over AF_XDP gets the direct response of the configuration file."""
        self.start()
        self.ask(5)

    def test_curl_af_packet(self):
        """The same over af_packet; and ping."""
        self.start(driver="af_packet")
        self.site.lab.run("client", "ping", "-c", 3, "-i", 0.05, VIP)
        self.ask(5)

    def test_curl_tap(self):
        """The same over a tap device whose kernel end is moved to the client's namespace."""
        lab = Lab("tp")
        try:
            for host in ("client", "dut"):
                lab.host(host)
            settings = {**direct_response(), "ports": ports(("p0", "net_tap0,iface=sstap0", VIP + "/24"))}
            dut = Appliance(lab, self.build, "dut", "tapdut", settings).start()
            lab.run("dut", "ip", "link", "set", "sstap0", "netns", lab.ns_name("client"))
            lab.run("client", "ip", "link", "set", "sstap0", "up")
            lab.run("client", "ip", "addr", "add", CLIENT + "/24", "dev", "sstap0")
            lab.run("client", "ping", "-c", 3, "-i", 0.05, VIP)
            self.ask(5, lab=lab)
            dut.stop()
        finally:
            lab.close()

    def accepted(self):
        """Connections that each worker has accepted."""
        found = re.findall(r'sidestep_tcp_accepted_total\{[^}]*worker="(\d+)"[^}]*\} (\d+)', self.dut.metrics())
        return {worker: int(n) for worker, n in found}

    def workers(self, n, driver):
        self.start(workers=n, driver=driver)
        # Each curl is a new source port, so that hand-over spreads them over the workers: chance gives one of two
        # all of the first dozen once in two thousand times.
        for asked in range(1, 41):
            self.ask(2)
            if asked >= 12 and sum(1 for v in self.accepted().values() if v) >= 2:
                break
        status = self.dut.ctl_json("stats")
        accepted = self.accepted()
        self.verify_equal(len(accepted), n, "workers in the metrics")
        self.verify_equal(sum(accepted.values()), asked, "connections accepted")
        self.verify(sum(1 for v in accepted.values() if v) >= 2, f"one worker took them all: {accepted}")
        self.verify(status is not None, "stats are JSON")

    def test_two_workers(self):
        """Two workers share a port with one queue by handing packets over: all requests are answered,
        more than one worker accepts."""
        self.workers(2, "af_xdp")

    def test_four_workers(self):
        """The same with four workers on two cores (they sleep when idle)."""
        self.workers(4, "af_xdp")

    def test_four_workers_af_packet(self):
        """The same with four workers over af_packet."""
        self.workers(4, "af_packet")

    def test_flows(self):
        """rte_flow is probed: sidestepctl flows lists rules, or the driver's own message where it has none."""
        self.start()
        text = self.dut.ctl("flows").stdout
        self.verify("client" in text and "origin" in text, f"flows names no port:\n{text}")

    @tells_the_time
    def test_idle_cpu(self):
        """Idle workers sleep. Steps: 100 open connections, nothing sent for 5 s.
        Checks: the process uses under 3 % of a core, and answers at once afterwards."""
        self.start()
        helper = self.site.lab.start("hold", "client", "/usr/bin/python3", "-u", "-c", f"""
import socket, time
c = [socket.create_connection(("{VIP}", 80)) for _ in range(100)]
print("open", flush=True)
time.sleep(60)
""")
        wait_for("100 connections", lambda: "open" in helper.log(), 20)
        # The window opens when the appliance says it holds them all.
        wait_for("connections held", lambda: (self.dut.metric("sidestep_tcp_conns") or 0) >= 100, 10, 0.2)
        time.sleep(0.5)
        before, begun = self.dut.process.cpu_seconds(), time.monotonic()
        time.sleep(5)
        share = (self.dut.process.cpu_seconds() - before) / (time.monotonic() - begun)
        self.note(f"idle share of a core with 100 connections: {100 * share:.1f} %")
        helper.kill()
        self.verify(share < (0.15 if self.small else 0.03), f"idle process uses {100 * share:.1f} % of a core")
        self.ask()

    @tells_the_time
    def test_parallel_downloads(self):
        """Every packet buffer of an AF_XDP port can be sent from.
        Steps: 10 connections load 1 MiB each, 8 times, through the appliance from nghttpd; curl loads it once.
        Checks: none fails, equal bytes, nothing waits for a retransmission timeout."""
        lab = self.site.lab
        folder = lab.path("www")
        os.makedirs(folder)
        body = os.urandom(1 << 20)
        with open(os.path.join(folder, "1m"), "wb") as f:
            f.write(body)
        origin = lab.start("nghttpd", "origin", "nghttpd", "--no-tls", "-d", folder, 8080)
        self.dut = self.site.appliance(self.build, {
            "clusters": [cluster("o", [(ORIGIN, 8080)], protocol="http2")],
            "listeners": [listener()], "virtual_hosts": one_host([route("o")])}).start()
        got = lab.path("got")
        curl(lab, "client", "--http2-prior-knowledge", "-o", got, f"http://{VIP}/1m")
        with open(got, "rb") as f:
            self.verify(f.read() == body, "the body arrived changed")
        load = h2load(lab, "client", "-n", 80, "-c", 10, "-m", 2, f"http://{VIP}/1m", timeout=60)
        self.verify_equal(load["2xx"], 80, "downloads")
        self.verify_equal(self.dut.metric("sidestep_tcp_rto_total"), 0.0, "retransmission timeouts")
        origin.kill()

    @tells_the_time
    def test_interface_removed(self):
        """An interface that vanishes under a running appliance is reported and costs no CPU.
        Steps: the client's end of the wire is deleted. Checks: link down in status, under 10 % of a core,
        an orderly end."""
        for n, driver in enumerate(("af_xdp", "af_packet")):
            lab = Lab(f"rm{n}")
            try:
                for host in ("client", "dut"):
                    lab.host(host)
                lab.wire("client", "cl", "dut", "cl0", a_addrs=[CLIENT + "/24"], b_port=True)
                settings = {**direct_response(),
                            "ports": ports(("p0", f"net_{driver}0,iface=cl0", VIP + "/24"))}
                dut = Appliance(lab, self.build, "dut", "gone", settings).start()
                self.ask(lab=lab)
                lab.run("client", "ip", "link", "del", "cl")
                time.sleep(0.5)
                before = dut.process.cpu_seconds()
                time.sleep(2)
                share = (dut.process.cpu_seconds() - before) / 2
                self.verify(share < (0.3 if self.small else 0.1), f"{driver}: {100 * share:.0f} % of a core")
                self.verify_equal(dut.ctl_json("status")["ports"][0]["link"], "down", f"{driver}: link")
                dut.stop()
            finally:
                lab.close()

    def test_memif(self):
        """Two appliances over memif: client - A (AF_XDP) - B, which answers. B is killed and comes back.
        Checks: requests are answered before and after; A lives and ends in order."""
        lab = self.site.lab
        device = f"net_memif0,socket={lab.path('memif')},socket-abstract=no,role="
        self.dut = Appliance(lab, self.build, "dut", "a", {
            "ports": self.site.ports()[:1] + ports(("m", device + "server", "10.78.0.1/24")),
            "clusters": [cluster("b", [("10.78.0.2", 80)], protocol="http2", connect_timeout="1s")],
            "listeners": [listener()], "virtual_hosts": one_host([route("b", timeout="2s")])}).start()
        settings = {**direct_response(), "ports": ports(("m", device + "client", "10.78.0.2/24")),
                    "metrics": {"address": "127.0.0.1", "port": 9902}}
        settings["listeners"][0]["address"] = "10.78.0.2"
        b = Appliance(lab, self.build, "dut", "b", settings).start()
        self.answered()
        b.kill()
        b = Appliance(lab, self.build, "dut", "b", settings).start()
        self.answered()
        b.stop()

    def answered(self, timeout=15):
        """Waits until a request is answered (the two ends of a memif find each other in their own time)."""
        wait_for("an answer", lambda: curl(self.site.lab, "client", f"http://{VIP}/", check=False).stdout
                 == "hello from sidestep\n", timeout, 0.2)

    def test_arp(self):
        """The appliance announces itself and answers ARP again after the client forgets it."""
        self.start()
        for _ in range(3):
            self.site.lab.run("client", "ip", "neigh", "flush", "dev", "cl")
            self.ask()

    def test_not_ours(self):
        """Packets for addresses or ports that nobody listens on are refused by name:
        a closed port answers RST, an unowned address nothing."""
        self.start()
        done = self.site.lab.run("client", "/usr/bin/python3", "-c", f"""
import socket
try:
    socket.create_connection(("{VIP}", 81), 5)
except ConnectionRefusedError:
    print("refused")
""")
        self.verify_equal(done.stdout, "refused\n", "a connect to a closed port")
        self.verify(self.dut.drops("tcp_no_conn") >= 1, "tcp_no_conn was not counted")

    def test_garbage(self):
        """Frames of random bytes and truncated headers neither crash it nor stop it from answering."""
        self.start()
        self.site.lab.run("client", "/usr/bin/python3", "-c", """
import random, socket
r = random.Random(7)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("cl", 0))
mac = bytes.fromhex("ffffffffffff")
for i in range(3000):
    kind = r.choice([b"\\x08\\x00", b"\\x08\\x06", b"\\x81\\x00", r.randbytes(2)])
    body = bytearray(r.randbytes(r.randrange(0, 120)))
    if kind == b"\\x08\\x00" and len(body) > 20 and r.random() < 0.7:
        body[0] = 0x45
        body[9] = r.choice([1, 6, 17])
        body[16:20] = bytes([10, 1, 0, 2])
    try:
        s.send(mac + r.randbytes(6) + kind + bytes(body))
    except OSError:
        pass
""")
        self.ask(3)

    def test_hugepages(self):
        """With hugepages and no hugetlbfs mount it starts, answers and leaves no file behind."""
        def reserved():
            with open("/proc/sys/vm/nr_hugepages", encoding="ascii") as f:
                return int(f.read())
        before = reserved()
        try:
            with open("/proc/sys/vm/nr_hugepages", "w", encoding="ascii") as f:
                f.write(str(max(before, 256)))
            if reserved() < 200:
                self.skip("the kernel gives no hugepages")
            settings = direct_response()
            settings["memory"] = {"hugepages": True, "size_mb": 256, "mbufs": 8192, "connections": 2048,
                                  "streams": 4096}
            self.dut = self.site.appliance(self.build, settings).start()
            self.ask(3)
            self.dut.stop()
            self.dut = None
        finally:
            with open("/proc/sys/vm/nr_hugepages", "w", encoding="ascii") as f:
                f.write(str(before))

    def test_sigint_drains(self):
        """SIGINT ends it in order while connections are open: idle ones are closed, holdings are zero."""
        self.start()
        hold = self.site.lab.start("hold2", "client", "/usr/bin/python3", "-u", "-c", f"""
import socket
c = [socket.create_connection(("{VIP}", 80)) for _ in range(10)]
print("open", flush=True)
for s in c:
    while s.recv(100):
        pass
print("closed", flush=True)
""")
        wait_for("connections", lambda: "open" in hold.log(), 10)
        process = self.dut.process
        process.signal(signal.SIGINT)
        status = process.wait(20)
        self.verify_equal(status, 0, "exit status")
        self.verify("holdings: all zero" in process.log(), "holdings: " + process.log()[-800:])
        self.dut.process = None
        self.dut = None
        wait_for("the client to see its connections closed", lambda: "closed" in hold.log(), 10)
