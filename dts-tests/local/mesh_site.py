"""The mesh of the demo and the hop suite: four hosts, two sidesteps, mutual TLS between them.

  client ---- node-a ==== node-b ---- origin        also: client ---- origin (direct)
  10.1.0.1  .2  10.2.0.1 .2  10.3.0.2   10.3.0.1          and node-a ---- origin (one hop)

The service lives at 10.1.0.2:80 on node A. Node A sends it on to node B over mutual TLS, node B to nginx.
"""
import os

from local.appliance import Appliance, ports
from local.lab import Lab, sh
from local.programs import nginx, wait_listening

SERVICE = "10.1.0.2"
A_ID = "spiffe://mesh.local/ns/demo/sa/node-a"
B_ID = "spiffe://mesh.local/ns/demo/sa/node-b"
BODY = "hello from the origin"
PATHS = {"direct": "http://10.9.0.1/", "one hop": f"http://{SERVICE}:81/", "two hops": f"http://{SERVICE}/"}


class Mesh:
    def __init__(self, tag, build, root, switch=False):
        """switch: a kernel bridge stands between the nodes, so that a capture can see their traffic (AF_XDP
        takes and gives frames below the place where captures look)."""
        self.lab = lab = Lab(tag)
        self.build, self.root = build, root
        for host in ("client", "node-a", "node-b", "origin"):
            lab.host(host)
        lab.wire("client", "cl", "node-a", "a0", a_addrs=["10.1.0.1/24"], b_port=True)
        if switch:
            lab.host("switch")
            lab.wire("node-a", "a1", "switch", "sa", a_port=True, b_port=True)
            lab.wire("node-b", "b0", "switch", "sb", a_port=True, b_port=True)
            lab.run("switch", "ip", "link", "add", "br0", "type", "bridge")
            for dev in ("sa", "sb"):
                lab.run("switch", "ip", "link", "set", dev, "master", "br0")
            lab.run("switch", "ip", "link", "set", "br0", "up")
        else:
            lab.wire("node-a", "a1", "node-b", "b0", a_port=True, b_port=True)
        lab.wire("node-b", "b1", "origin", "ob", b_addrs=["10.3.0.1/24"], a_port=True)
        lab.wire("node-a", "a2", "origin", "oa", b_addrs=["10.4.0.1/24"], a_port=True)
        lab.wire("client", "cd", "origin", "od", a_addrs=["10.9.0.2/24"], b_addrs=["10.9.0.1/24"])
        self.make_certificates()
        self.a = self.b = self.origin = None

    def make_certificates(self):
        folder = self.certs = self.lab.path("certs")
        ca = os.path.join(self.root, "tools", "ca")
        sh(ca, folder, "init", "mesh")
        for node, identity in (("node-a", A_ID), ("node-b", B_ID)):
            sh(ca, folder, "leaf", "--ca", "mesh", "--out", node, "--spiffe", identity, "--days", 1)

    def secrets(self, node):
        return {"secrets": [{"name": node, "certificate": f"{self.certs}/{node}.pem",
                             "private_key": f"{self.certs}/{node}.key"}],
                "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": f"{self.certs}/mesh.pem"}]}

    def start_origin(self):
        self.origin = nginx(self.lab, "origin", "origin", f"""
server {{ listen 80; listen 81 http2; location / {{ default_type text/plain; return 200 "{BODY}\\n"; }} }}
""")
        wait_listening(self.lab, self.origin, "origin", "0.0.0.0", 80)

    def settings_a(self):
        return {"workers": {"count": 1}, **self.secrets("node-a"),
                "ports": ports(("client", "net_af_xdp0,iface=a0", f"{SERVICE}/24"),
                               ("mesh", "net_af_xdp1,iface=a1", "10.2.0.1/24"),
                               ("side", "net_af_xdp2,iface=a2", "10.4.0.2/24")),
                "listeners": [{"name": "service", "address": SERVICE, "port": 80, "virtual_hosts": ["service"]},
                              {"name": "one-hop", "address": SERVICE, "port": 81, "virtual_hosts": ["one-hop"]}],
                "virtual_hosts": [
                    {"name": "service", "domains": ["*"], "routes": [
                        {"name": "all", "match": {"prefix": "/"}, "clusters": [{"name": "node-b", "weight": 100}]}]},
                    {"name": "one-hop", "domains": ["*"], "routes": [
                        {"name": "all", "match": {"prefix": "/"}, "clusters": [{"name": "origin", "weight": 100}]}]}],
                "clusters": [
                    {"name": "node-b", "protocol": "http2", "endpoints": [{"address": "10.2.0.2", "port": 8443}],
                     "tls": {"secret": "node-a", "trust": "mesh", "allowed_ids": [{"exact": B_ID}]}},
                    {"name": "origin", "protocol": "http1",
                     "endpoints": [{"address": "10.4.0.1", "port": 80}]}]}

    def settings_b(self):
        return {"workers": {"count": 1}, **self.secrets("node-b"),
                "ports": ports(("mesh", "net_af_xdp0,iface=b0", "10.2.0.2/24"),
                               ("origin", "net_af_xdp1,iface=b1", "10.3.0.2/24")),
                "listeners": [{"name": "mesh", "address": "10.2.0.2", "port": 8443, "virtual_hosts": ["service"],
                               "tls": {"mode": "strict", "secret": "node-b", "trust": "mesh",
                                       "allowed_ids": [{"exact": A_ID}]}}],
                "virtual_hosts": [{"name": "service", "domains": ["*"], "routes": [
                    {"name": "all", "match": {"prefix": "/"}, "clusters": [{"name": "origin", "weight": 100}]}]}],
                "clusters": [{"name": "origin", "protocol": "http1",
                              "endpoints": [{"address": "10.3.0.1", "port": 80}]}]}

    def start(self):
        self.start_origin()
        self.b = Appliance(self.lab, self.build, "node-b", "node-b", self.settings_b()).start()
        self.a = Appliance(self.lab, self.build, "node-a", "node-a", self.settings_a()).start()

    def latency(self, url, n, name):
        """(p50, p99) of n requests one after the other over one HTTP/1.1 connection, in microseconds."""
        log = self.lab.path(f"latency-{name}.txt".replace(" ", "-"))
        if os.path.exists(log):
            os.unlink(log)  # h2load appends
        self.lab.run("client", "h2load", "--h1", "-n", n, "-c", 1, "-m", 1, "--log-file", log, url)
        took = []
        with open(log, encoding="ascii") as f:
            for line in f:
                _, status, us = line.split()
                if status == "200":
                    took.append(int(us))
        if len(took) != n:
            raise RuntimeError(f"{name}: {len(took)} of {n} answered with 200")
        took.sort()
        return took[n // 2], took[min(n - 1, n * 99 // 100)]

    def origin_ids(self):
        """Request ids in the origin's log."""
        with open(self.lab.path("origin.access.log"), encoding="ascii") as f:
            return [line.split()[0] for line in f]

    def stop(self):
        for node in (self.a, self.b):
            if node and node.process:
                node.stop()

    def close(self):
        self.lab.close()
