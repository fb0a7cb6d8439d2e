"""sidestep-load in a namespace: as a client that runs to its end, or as an origin that stands."""
import json
import os

from local.appliance import SANITIZED
from local.lab import LabError, wait_for


def port(device, address):
    return ["--port", device, "--address", address]


def af_xdp(iface, address, n=0):
    return port(f"net_af_xdp{n},iface={iface}", address)


def memif(lab, role, address, name="memif"):
    return port(f"net_memif0,role={role},socket={lab.path(name)}.sock,socket-abstract=no", address)


def start(lab, build, ns, name, *argv, core=1):
    """Starts it; its figures are in NAME.json of the lab's folder when it has ended."""
    path = lab.path(f"{name}.json")
    if os.path.exists(path):
        os.unlink(path)
    return lab.start(name, ns, os.path.join(build, "sidestep-load"), "--lcore", core, "--memory", 256, "--mbufs", 8192,
                     "--json", path, *argv, env=SANITIZED)


def figures(lab, process, statuses=(0,)):
    if process.status not in statuses:
        raise LabError(f"{process.name} ended with status {process.status}; its output:\n{process.log()[-3000:]}")
    with open(lab.path(f"{process.name}.json"), encoding="utf-8") as f:
        return json.load(f)


def run(lab, build, ns, name, *argv, core=1, statuses=(0,), timeout=90):
    """Runs a client to its end; returns the figures of its JSON."""
    process = start(lab, build, ns, name, *argv, core=core)
    process.wait(timeout)
    return figures(lab, process, statuses)


def start_origin(lab, build, ns, name, *argv, core=0, timeout=30):
    """An origin that answers until it is stopped (Process.stop, then figures)."""
    process = start(lab, build, ns, name, *argv, core=core)

    def up():
        if not process.running():
            raise LabError(f"{name} ended with status {process.status}:\n{process.log()[-2000:]}")
        return "phase measuring" in process.log()

    wait_for(f"{name} to serve", up, timeout)
    return process
