"""Who is measured: sidestep and its peers, each with one worker, started for one run and stopped after it.

A subject is told the hop (what comes in, what goes out) and answers where the client shall call. Fairness, the same
for all: one thread on SUBJECT_CORE, no access log, long keep-alive, pooled upstream connections, TLS 1.3 with
client certificates demanded and the origin verified. Everything else is the program's default.
"""
import os
import signal

from local import load
from local.appliance import Appliance, ports
from local.bench_site import cluster, one_host, route
from local.lab import LabError
from local.programs import nginx, wait_listening

from bench import measure
from bench.places import (DIRECT, H1_PORT, H2C_PORT, IDENTITY, KERNEL, KERNEL_HOPS, MEMIF, MTLS_PORT, OTHER_CORE, SUBJECT_CORE,
                          XDP, XDP_HOPS, favour)

PLAIN_PORT, TLS_PORT = 80, 8443
ORIGIN_PORTS = {"h1": H1_PORT, "mtls": MTLS_PORT, "h2c": H2C_PORT}


class Hop:
    """What comes in and what goes out: "h1" (HTTP/1.1), "h2c" (HTTP/2 without TLS), "mtls" (HTTP/2 over mutual
    TLS), "mtls-h1" (HTTP/1.1 over it; memif only)."""

    def __init__(self, down, up):
        self.down, self.up = down, up
        self.tls = down in ("mtls", "mtls-h1")
        self.port = TLS_PORT if self.tls else PLAIN_PORT
        self.origin_port = ORIGIN_PORTS[up]


class Subject:
    path = KERNEL
    segmentation = True
    # What is otherwise in a chain of two.
    host, client_id, origin_id, tag = "dut", "client", "origin", ""

    def __init__(self, place, hop, connections=None):
        """connections: how many clients' connections to be sized for, where the program lets that be said."""
        self.place, self.hop, self.connections, self.process = place, hop, connections, None

    def target(self):
        """(address, port, whether it speaks TLS) for the client."""
        return self.path.vip, self.hop.port, self.hop.tls

    def start(self):
        if not self.segmentation:
            self.place.segmentation(False)
        self.launch()
        favour(self.process)

    def stop(self):
        if self.process:
            self.process.kill()
            # Another one of the same name may follow.
            self.place.lab.processes.remove(self.process)
            self.process.log_file.close()
            self.process = None
        if not self.segmentation:
            self.place.segmentation(True)

    def listen(self, process):
        self.process = process
        wait_listening(self.place.lab, process, self.host, self.path.vip, self.hop.port)

    def counters(self):
        """What the program says of itself at this moment; None of those that say nothing."""
        return None

    def resident(self):
        return measure.resident(self.process.pid)


class Direct(Subject):
    """Nothing in between: the client calls the origin, in the protocol that it would speak to a subject."""
    path = DIRECT

    def start(self):
        pass

    def stop(self):
        pass

    def target(self):
        return self.path.vip, ORIGIN_PORTS[self.hop.down], self.hop.down == "mtls"


class HAProxy(Subject):
    """Also where the system lets no more descriptors be had: it would ask for two per connection."""
    others = 0
    master = ()

    def other_backends(self):
        """As Sidestep.other_routes, in HAProxy's way for many: a map of prefixes, kept as a tree."""
        if not self.others:
            return "", ""
        table = self.place.lab.write("haproxy.map", "".join(f"/other/{i}/ other-{i // 100}\n"
                                                            for i in range(self.others)))
        backends = (f"backend other-{i}\n" + "".join(f"  server s{k} {self.path.origin}:{20000 + k}\n"
                                                     for k in range(min(100, self.others - 100 * i)))
                    for i in range((self.others + 99) // 100))
        return f"use_backend %[path,map_beg({table})] if {{ path,map_beg({table}) -m found }}", "".join(backends)

    def reload(self):
        """A new worker process; the old one ends its connections in order."""
        os.kill(self.process.pid, signal.SIGUSR2)

    def launch(self):
        place, hop, path = self.place, self.hop, self.path
        tls = f"crt {place.cert('proxy', 'both')} ca-file {place.cert('mesh')}"
        bind = {"h1": "", "h2c": "proto h2", "mtls": f"ssl {tls} verify required alpn h2,http/1.1"}
        server = {"h1": "", "h2c": "proto h2",
                  "mtls": f"ssl {tls} verify required verifyhost {self.origin_id}.example "
                          f"sni str({self.origin_id}.example) alpn h2"}
        rule, backends = self.other_backends()
        conf = place.lab.write(f"haproxy{self.tag}.cfg", f"""
global
  nbthread 1
  maxconn 15000
  no strict-limits
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
  timeout http-keep-alive 600s
  http-reuse always
frontend in
  bind {path.vip}:{hop.port} {bind[hop.down]} backlog 4096
  {rule}
  default_backend origin
{backends}backend origin
  server o {path.origin}:{hop.origin_port} {server[hop.up]} pool-max-conn -1
""")
        self.listen(place.lab.start(f"haproxy{self.tag}", self.host, "haproxy", *self.master, "-db", "-f", conf,
                                      core=SUBJECT_CORE))


class Nginx(Subject):
    """Speaks HTTP/1.1 to its origin, whatever comes in."""
    others = 0

    def other_locations(self):
        """As Sidestep.other_routes: nginx looks prefixes up in a tree."""
        return ("".join(f"location /other/{i}/ {{ proxy_pass http://other-{i // 100}; }}\n"
                        for i in range(self.others)),
                "".join(f"upstream other-{i} {{ " + "".join(f"server {self.path.origin}:{20000 + k}; " for k in
                                                            range(min(100, self.others - 100 * i))) + "}\n"
                        for i in range((self.others + 99) // 100)))

    def reload(self):
        """A new worker process; the old one ends its connections in order."""
        os.kill(self.process.pid, signal.SIGHUP)

    def launch(self):
        place, hop, path = self.place, self.hop, self.path
        if hop.up != "h1":
            raise ValueError("nginx speaks no HTTP/2 to an origin")
        listen = {"h1": "", "h2c": "http2", "mtls": "ssl http2"}[hop.down]
        tls = f"""ssl_certificate {place.cert('proxy')}; ssl_certificate_key {place.cert('proxy', 'key')};
    ssl_client_certificate {place.cert('mesh')}; ssl_verify_client on; ssl_protocols TLSv1.3;"""
        locations, upstreams = self.other_locations()
        self.listen(nginx(place.lab, "dut", "nginx", f"""
  server {{ listen {path.vip}:{hop.port} {listen} backlog=4096; access_log off;
    {tls if hop.down == "mtls" else ""} http2_max_concurrent_streams 128;
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    {locations} }}
""", f"{upstreams}upstream origin {{ server {path.origin}:{hop.origin_port}; keepalive 1024; "
                          "keepalive_requests 100000000; }",
                          core=SUBJECT_CORE, connections=15000))


class Nghttpx(Subject):
    def launch(self):
        place, hop, path = self.place, self.hop, self.path
        front = {"h1": ";no-tls", "h2c": ";no-tls", "mtls": ""}[hop.down]
        back = {"h1": "", "h2c": ";proto=h2", "mtls": f";proto=h2;tls;sni={self.origin_id}.example"}[hop.up]
        argv = ["nghttpx", "--single-process", "--workers=1", "--no-ocsp", "--conf=/dev/null", "--backlog=4096",
                "--accesslog-file=/dev/null", "--errorlog-file=/dev/stderr", "--log-level=ERROR",
                f"--frontend={path.vip},{hop.port}{front}", f"--backend={path.origin},{hop.origin_port};;{back[1:]}",
                "--frontend-http2-read-timeout=600", "--frontend-keep-alive-timeout=600",
                "--backend-keep-alive-timeout=600", f"--cacert={place.cert('mesh')}",
                f"--client-private-key-file={place.cert('proxy', 'key')}",
                f"--client-cert-file={place.cert('proxy')}"]
        if hop.down == "mtls":
            argv += ["--verify-client", f"--verify-client-cacert={place.cert('mesh')}",
                     place.cert("proxy", "key"), place.cert("proxy")]
        self.listen(place.lab.start(f"nghttpx{self.tag}", self.host, *argv, core=SUBJECT_CORE))


class H2o(Subject):
    """Has no client certificates: plaintext only here."""

    def launch(self):
        place, hop, path = self.place, self.hop, self.path
        if hop.up != "h1" or hop.down == "mtls":
            raise ValueError("h2o has no client certificates and speaks no HTTP/2 to an origin")
        conf = place.lab.write("h2o.conf", f"""
num-threads: 1
max-connections: 15000
http1-request-timeout: 600
listen: {{ host: {path.vip}, port: {hop.port} }}
proxy.timeout.keepalive: 600000
proxy.timeout.io: 600000
hosts:
  default:
    paths:
      "/":
        proxy.reverse.url: "http://{path.origin}:{hop.origin_port}/"
""")
        self.listen(place.lab.start("h2o", "dut", "h2o", "-m", "worker", "-c", conf, core=SUBJECT_CORE))


class Sidestep(Subject):
    path = XDP
    memory = {"hugepages": False, "size_mb": 512, "mbufs": 16384, "connections": 4096, "streams": 8192}
    poll = "always"
    control, cores = SUBJECT_CORE, SUBJECT_CORE
    others = 0

    ifaces = ("cx0", "ox0")

    def ports(self):
        return ports(("client", f"net_af_xdp0,iface={self.ifaces[0]}", self.path.vip + "/24"),
                     ("origin", f"net_af_xdp1,iface={self.ifaces[1]}", self.path.dut + "/24"))

    def sized(self):
        if self.connections is None:
            return self.memory
        # Idle ones have no streams and go to one origin. When 95 % of the places are taken requests are shed.
        few = 64
        return {**self.memory, "connections": self.connections * 17 // 16 + few, "upstream_connections": few // 2,
                "streams": 1024,
                "tls_connections": few + (self.connections if self.hop.tls else 0),
                "http2_connections": few + (self.connections if self.hop.down in ("h2c", "mtls") else 0)}

    def settings(self):
        place, hop = self.place, self.hop
        tls = {"mode": "strict", "secret": "proxy", "trust": "mesh",
               "allowed_ids": [{"exact": IDENTITY.format(self.client_id)}]}
        to_origin = {"secret": "proxy", "trust": "mesh", "allowed_ids": [{"exact": IDENTITY.format(self.origin_id)}]}
        up = {"protocol": "http1" if hop.up == "h1" else "http2", **({"tls": to_origin} if hop.up == "mtls" else {})}
        return {"secrets": [{"name": "proxy", "certificate": place.cert("proxy"),
                             "private_key": place.cert("proxy", "key")}],
                "trust": [{"name": "mesh", "trust_domain": "mesh.local", "bundle": place.cert("mesh")}],
                "workers": {"count": 1, "cores": [SUBJECT_CORE], "control_core": self.control,
                            "busy_poll": self.poll},
                "memory": self.sized(), "ports": self.ports(),
                "listeners": [{"name": "in", "address": self.path.vip, "port": hop.port,
                               "virtual_hosts": ["all", *(h["name"] for h in self.other_hosts())],
                               "max_connections": self.sized()["connections"],
                               **({"tls": tls} if hop.tls else {})}],
                "virtual_hosts": [*one_host([*self.other_routes(), route("origin")]), *self.other_hosts()],
                "clusters": [cluster("origin", [(self.path.origin, hop.origin_port)], **up), *self.other_clusters()]}

    def other_routes(self):
        """Routes that no request takes, before the one that all take; a hundred to a cluster."""
        return [route(f"other-{i // 100}", f"/other/{i}/", name=f"other-{i}") for i in range(self.others)]

    def other_hosts(self):
        return []

    def other_clusters(self):
        return [cluster(f"other-{i}", [(self.path.origin, 20000 + k) for k in range(min(100, self.others - 100 * i))])
                for i in range((self.others + 99) // 100)]

    def reload(self):
        if measure.ask(self.dut.socket, "reload", 10) is None:
            raise LabError("sidestep refused a reload")

    def launch(self):
        self.dut = dut = Appliance(self.place.lab, self.place.build, self.host, f"sidestep{self.tag}", self.settings(),
                                   core=self.cores)
        del dut.settings["access_log"]  # as the peers: none
        dut.write_config()
        try:
            dut.start()
        except LabError:
            dut.kill()  # it must not keep the core from the others
            raise
        self.process = dut.process

    def stop(self):
        """By SIGTERM: it must say that it held nothing at the end."""
        if not self.process:
            return
        process, self.process = self.process, None
        self.dut.stop()
        self.place.lab.processes.remove(process)
        process.log_file.close()

    def counters(self):
        """The stage ledger's totals (docs/stages.md), of its only worker."""
        return measure.ask(self.dut.socket, "stages")["workers"][0]


class SidestepMemif(Sidestep):
    path = MEMIF

    def ports(self):
        return ports(("client", self.place.memif(0, "server", "client"), MEMIF.vip + "/24"),
                     ("origin", self.place.memif(1, "server", "origin"), MEMIF.dut + "/24"))


class SidestepAdaptive(Sidestep):
    poll = "adaptive"


class SidestepMany(Sidestep):
    """10,000 routes, and as many endpoints in 100 clusters."""
    others = 9999
    memory = {**Sidestep.memory, "endpoints": 12000}


class SidestepServices(Sidestep):
    """1,000 services more, each a virtual host of 5 routes and a cluster of 20 endpoints."""
    services = 1000
    memory = {**Sidestep.memory, "endpoints": 21000, "clusters": 1100}

    def other_hosts(self):
        return [{"name": f"service-{i}", "domains": [f"service-{i}.example"],
                 "routes": [route(f"service-{i}", prefix, name=name, **more) for name, prefix, more in (
                     ("health", "/health", {}),
                     ("writes", "/api/", {"match": {"prefix": "/api/", "methods": ["POST"]}}),
                     ("api", "/api/", {}), ("images", "/images/", {}), ("rest", "/", {}))]}
                for i in range(self.services)]

    def other_clusters(self):
        return [cluster(f"service-{i}", [(self.path.origin, 20000 + k) for k in range(20)])
                for i in range(self.services)]


class SidestepApart(Sidestep):
    """The control thread on the core of the client and the origin: the worker has its own to itself."""
    control, cores = OTHER_CORE, f"{SUBJECT_CORE},{OTHER_CORE}"


class SidestepServicesApart(SidestepServices, SidestepApart):
    """As above, with the services."""


class SidestepFewMemif(SidestepMemif):
    others = 9


class SidestepManyMemif(SidestepMemif):
    others, memory = SidestepMany.others, SidestepMany.memory


class HAProxyMany(HAProxy):
    others = SidestepMany.others


class HAProxyMaster(HAProxy):
    """With the master process that a reload needs."""
    master = ("-W",)


class NginxMany(Nginx):
    others = SidestepMany.others


class HAProxyNoTso(HAProxy):
    segmentation = False


class NghttpxNoTso(Nghttpx):
    segmentation = False


class TwoHops(Subject):
    """Two of a kind, one behind the other with mutual TLS between, both on the one core."""
    kind, paths = None, KERNEL_HOPS

    def __init__(self, place, hop):
        super().__init__(place, hop)
        self.path = self.paths[0]
        self.first = self.kind(place, Hop(hop.down, "mtls"))
        self.second = self.kind(place, Hop("mtls", hop.up))
        self.first.path, self.second.path = self.paths
        self.first.hop.origin_port, self.first.origin_id = TLS_PORT, "proxy"
        self.second.host, self.second.client_id, self.second.tag = "dut2", "proxy", "-2"

    def start(self):
        self.place.second_hop()
        self.second.start()
        self.first.start()

    def stop(self):
        self.first.stop()
        self.second.stop()


class TwoHAProxy(TwoHops):
    kind = HAProxy


class TwoNghttpx(TwoHops):
    kind = Nghttpx


class TwoSidestep(TwoHops):
    """Both sleep when they have nothing to do: two that poll cannot share a core."""
    kind, paths = SidestepAdaptive, XDP_HOPS

    def __init__(self, place, hop):
        super().__init__(place, hop)
        self.first.ifaces, self.second.ifaces = ("cx0", "mx0"), ("mx1", "nx1")


class DirectMemif(Subject):
    """sidestep-load as origin, in the place of the subject and on its core."""
    path = MEMIF

    def launch(self):
        self.process = load.start_origin(self.place.lab, self.place.build, "dut", "origin-memif",
                                         *load.port(self.place.memif(0, "server", "client"), MEMIF.vip + "/24"),
                                         *load_listens(self.place, MEMIF.vip), core=SUBJECT_CORE)

    def target(self):
        return self.path.vip, ORIGIN_PORTS[self.hop.down], self.hop.down == "mtls"

    def stop(self):
        if self.process:
            self.process.stop()
        super().stop()


def load_listens(place, address):
    """sidestep-load's options for an origin with the same ports as the kernel's origins."""
    return ["--listen", f"{address}:{H1_PORT}", "--listen", f"{address}:{H2C_PORT}",
            "--listen-tls", f"{address}:{MTLS_PORT}", "--origin-cert", place.cert("origin"),
            "--origin-key", place.cert("origin", "key"), "--origin-ca", place.cert("mesh")]


# Medium (k: kernel wires, m: memif) -> name -> who.
SUBJECTS = {"k": {"direct": Direct, "sidestep": Sidestep, "haproxy": HAProxy, "nginx": Nginx, "nghttpx": Nghttpx,
                  "h2o": H2o, "haproxy-no-tso": HAProxyNoTso, "nghttpx-no-tso": NghttpxNoTso,
                  "sidestep-adaptive": SidestepAdaptive, "sidestep-many": SidestepMany,
                  "sidestep-services": SidestepServices, "sidestep-apart": SidestepApart,
                  "sidestep-services-apart": SidestepServicesApart,
                  "haproxy-many": HAProxyMany, "nginx-many": NginxMany, "haproxy-master": HAProxyMaster,
                  "two-sidestep": TwoSidestep,
                  "two-haproxy": TwoHAProxy, "two-nghttpx": TwoNghttpx},
            "m": {"direct": DirectMemif, "sidestep": SidestepMemif, "sidestep-few": SidestepFewMemif,
                  "sidestep-many": SidestepManyMemif}}
