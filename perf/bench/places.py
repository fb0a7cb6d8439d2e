"""Where subjects stand: three hosts, and between them a pair of wires for each kind of subject.

  client ---- dut ---- origin     kernel subjects: veth as the kernel makes it, all offloads
  client ---- dut ---- origin     AF_XDP subjects: the kernel's ends send whole frames with checksums
  client ------------- origin     nothing in between: what a hop's latency is measured against

Over memif there are no wires: one sidestep-load is client and origin and shares memory with the subject.

Subjects stand in turn in host dut on SUBJECT_CORE; client and origins run on OTHER_CORE. The two pairs are apart so
that no subject inherits the settings of another one's wires.
"""
import os
import resource
from collections import namedtuple

from local.lab import Lab, sh
from local.programs import nghttpd, nginx, wait_listening

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SUBJECT_CORE, OTHER_CORE = 0, 1
NICE = -10
H1_PORT, MTLS_PORT, H2C_PORT = 8000, 8443, 8444
BODIES = {"128": 128, "1k": 1024, "16k": 16384, "1m": 1 << 20}
IDENTITY = "spiffe://mesh.local/ns/bench/sa/{}"


# One way through the dut: whom the client calls, the dut's address at the other side, and the origin's.
Path = namedtuple("Path", "vip dut origin")
KERNEL = Path("10.1.0.2", "10.2.0.2", "10.2.0.1")
XDP = Path("10.3.0.2", "10.4.0.2", "10.4.0.1")
MEMIF = Path("10.5.0.2", "10.6.0.2", "10.6.0.1")
DIRECT = Path("10.9.0.2", None, None)
# Two hops: the first one's other side leads to the second one.
KERNEL_HOPS = (Path(KERNEL.vip, "10.11.0.1", "10.11.0.2"), Path("10.11.0.2", "10.12.0.2", "10.12.0.1"))
XDP_HOPS = (Path(XDP.vip, "10.13.0.1", "10.13.0.2"), Path("10.13.0.2", "10.14.0.2", "10.14.0.1"))
MEMIF_CLIENT = "10.5.0.1"


def favour(process):
    """Puts a program's group before what else runs on the machine: it leads its own session, and the kernel weighs
    sessions before it weighs the tasks inside."""
    try:
        with open(f"/proc/{process.pid}/autogroup", "w", encoding="ascii") as f:
            f.write(str(NICE))
    except OSError:
        pass  # no autogroups here: the nice value that it inherited decides


def allow_descriptors(n):
    """For 10,000 connections and a proxy's two ends of each; what the system allows where it does not allow so many."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
    except ValueError:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Place:
    def __init__(self, build, tag="bn"):
        self.build = os.path.abspath(build)
        self.lab = lab = Lab(tag)
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        allow_descriptors(65536)
        for host in ("client", "dut", "origin"):
            lab.host(host)
        # *_port on both ends keeps the kernel's offloads as they are.
        lab.wire("client", "ck", "dut", "ck0", ["10.1.0.1/24"], [KERNEL.vip + "/24"], a_port=True, b_port=True)
        lab.wire("origin", "ok", "dut", "ok0", [KERNEL.origin + "/24"], [KERNEL.dut + "/24"], a_port=True, b_port=True)
        lab.wire("client", "cx", "dut", "cx0", ["10.3.0.1/24"], b_port=True)
        lab.wire("origin", "ox", "dut", "ox0", [XDP.origin + "/24"], b_port=True)
        lab.wire("client", "cd", "origin", "od", ["10.9.0.1/24"], [DIRECT.vip + "/24"], a_port=True, b_port=True)
        # New connections by the thousand: ports come back after a second instead of a minute.
        for host in ("client", "dut"):
            lab.run(host, "sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65000", "net.ipv4.tcp_tw_reuse=1")
        for host in ("client", "dut", "origin"):
            lab.run(host, "sysctl", "-qw", "net.core.somaxconn=4096")
        self.shim = os.path.join(self.build, "perf", "bench", "libcertificate.so")
        self.make_certificates()
        self.start_origins()

    def make_certificates(self):
        self.certs = self.lab.path("certs")
        ca = os.path.join(ROOT, "tools", "ca")
        sh(ca, self.certs, "init", "mesh")
        for name in ("client", "proxy", "origin"):
            sh(ca, self.certs, "leaf", "--ca", "mesh", "--out", name, "--spiffe", IDENTITY.format(name), "--dns",
               f"{name}.example", "--days", 1)
        with open(self.cert("proxy", "both"), "w", encoding="ascii") as out:  # HAProxy wants one file
            for part in ("pem", "key"):
                with open(self.cert("proxy", part), encoding="ascii") as f:
                    out.write(f.read())

    def cert(self, name, part="pem"):
        return f"{self.certs}/{name}.{part}"

    def preload(self, who=None):
        """Environment of a program that gets the one suite, and the certificate of `who`."""
        env = {"LD_PRELOAD": self.shim}
        if who:
            env.update(BENCH_CERTIFICATE=self.cert(who), BENCH_KEY=self.cert(who, "key"))
        return env

    def start_origins(self):
        """nginx for HTTP/1.1; nghttpd for HTTP/2, one that demands a client certificate and one without TLS."""
        lab = self.lab
        root = lab.path("root")
        os.mkdir(root)
        for name, size in BODIES.items():
            with open(os.path.join(root, name), "wb") as f:
                f.write(b"x" * size)
        web = nginx(lab, "origin", "origin-h1", f"""
server {{ listen {H1_PORT} backlog=4096; access_log off; root {root}; sendfile on; tcp_nopush on;
          open_file_cache max=16 inactive=600s; open_file_cache_valid 600s; default_type text/plain; }}
""", core=OTHER_CORE)
        wait_listening(lab, web, "origin", "0.0.0.0", H1_PORT)
        mtls = nghttpd(lab, "origin", "origin-mtls", "0.0.0.0", MTLS_PORT, root, self.cert("origin", "key"),
                       self.cert("origin"), self.cert("mesh"), core=OTHER_CORE, env=self.preload())
        h2c = nghttpd(lab, "origin", "origin-h2c", "0.0.0.0", H2C_PORT, root, core=OTHER_CORE)
        self.origins = [web, mtls, h2c]
        for p in self.origins:
            favour(p)

    def second_hop(self):
        """Host dut2 behind dut, with wires of both kinds; made when a cell asks for it."""
        lab = self.lab
        if lab.ns_name("dut2") in lab.namespaces:
            return
        lab.host("dut2")
        for (a, b), iface, addressed in ((KERNEL_HOPS, "k", True), (XDP_HOPS, "x", False)):
            ends = ([a.dut + "/24"], [b.vip + "/24"]) if addressed else ((), ())
            lab.wire("dut", f"m{iface}0", "dut2", f"m{iface}1", *ends, a_port=True, b_port=True)
            lab.wire("origin", f"n{iface}", "dut2", f"n{iface}1", [b.origin + "/24"],
                     [b.dut + "/24"] if addressed else (), a_port=addressed, b_port=True)

    def memif(self, n, role, wire):
        """A device string; the wire's ends are two processes."""
        return f"net_memif{n},role={role},socket={self.lab.path(wire)}.sock,socket-abstract=no"

    def segmentation(self, on):
        """Turns the kernel wires' segmentation offload on or off; AF_XDP has none to turn on."""
        for host, dev in (("client", "ck"), ("dut", "ck0"), ("dut", "ok0"), ("origin", "ok")):
            self.lab.run(host, "ethtool", "-K", dev, *(w for k in ("tso", "gso") for w in (k, "on" if on else "off")))

    def pids(self):
        return [p.pid for p in self.lab.processes if p.running()]

    def close(self):
        self.lab.close()
