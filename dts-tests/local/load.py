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


def favour(process):
    """Puts it before what else runs on the machine: a run that tells the time must not wait for its core. It
    leads its own session, and the kernel weighs sessions before the tasks inside."""
    try:
        with open(f"/proc/{process.pid}/autogroup", "w", encoding="ascii") as f:
            f.write("-19")
    except OSError:
        os.setpriority(os.PRIO_PROCESS, process.pid, -19)


def figures(lab, process, statuses=(0,)):
    if process.status not in statuses:
        raise LabError(f"{process.name} ended with status {process.status}; its output:\n{process.log()[-3000:]}")
    with open(lab.path(f"{process.name}.json"), encoding="utf-8") as f:
        return json.load(f)


def run(lab, build, ns, name, *argv, core=1, first=False, statuses=(0,), timeout=90):
    """Runs a client to its end; returns the figures of its JSON. first: before all else on the machine."""
    process = start(lab, build, ns, name, *argv, core=core)
    if first:
        favour(process)
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
