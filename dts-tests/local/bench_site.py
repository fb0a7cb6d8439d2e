"""The standing site of most suites: client - sidestep - origins, one veth on each side.

  client 10.1.0.1 ---- cl0  dut  or0 ---- origin 10.2.0.1, .11, .12, .13
         (kernel)      10.1.0.2  10.2.0.2         (kernel)
"""
from local.appliance import Appliance, ports
from local.lab import Lab

CLIENT, VIP, DUT, ORIGIN = "10.1.0.1", "10.1.0.2", "10.2.0.2", "10.2.0.1"
ORIGINS = ["10.2.0.11", "10.2.0.12", "10.2.0.13", "10.2.0.14"]

DRIVERS = {"af_xdp": "net_af_xdp{n},iface={iface}", "af_packet": "net_af_packet{n},iface={iface}"}


def device(driver, n, iface):
    return DRIVERS[driver].format(n=n, iface=iface)


class Site:
    def __init__(self, tag):
        self.lab = Lab(tag)
        for host in ("client", "dut", "origin"):
            self.lab.host(host)
        self.lab.wire("client", "cl", "dut", "cl0", a_addrs=[CLIENT + "/24"], b_port=True)
        self.lab.wire("origin", "or", "dut", "or0", a_addrs=[ORIGIN + "/24"] + [o + "/24" for o in ORIGINS],
                      b_port=True)

    def ports(self, driver="af_xdp", **more):
        out = ports(("client", device(driver, 0, "cl0"), VIP + "/24"),
                    ("origin", device(driver, 1, "or0"), DUT + "/24"))
        for p in out:
            p.update(more)
        return out

    def appliance(self, build, settings, name="dut", driver="af_xdp", workers=1):
        full = {"workers": {"count": workers}, "ports": self.ports(driver), **settings}
        return Appliance(self.lab, build, "dut", name, full)

    def close(self):
        self.lab.close()


def cluster(name, endpoints, **more):
    """endpoints: (address, port) pairs."""
    return {"name": name, "endpoints": [{"address": a, "port": p} for a, p in endpoints], **more}


def route(clusters, prefix="/", **more):
    """clusters: a name, or {name: weight}."""
    if isinstance(clusters, str):
        clusters = {clusters: 100}
    name = more.pop("name", "to-" + "-".join(clusters) + prefix.rstrip("/").replace("/", "-"))
    return {"name": name, "match": {"prefix": prefix},
            "clusters": [{"name": n, "weight": w} for n, w in clusters.items()], **more}


def one_host(routes, **more):
    named = [r if "name" in r else {"name": f"route-{i}", **r} for i, r in enumerate(routes)]
    return [{"name": "all", "domains": ["*"], "routes": named, **more}]


def listener(port=80, name="in", **more):
    return {"name": name, "address": VIP, "port": port, "virtual_hosts": ["all"], **more}
