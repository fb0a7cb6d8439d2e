"""What was measured on, and with which versions: the header of a result."""
import os
import platform
import re

from local.lab import sh

from bench.places import ROOT

VERSIONS = {"haproxy": ("haproxy", "-v"), "nginx": ("nginx", "-v"), "nghttpx": ("nghttpx", "--version"),
            "h2o": ("h2o", "--version"), "h2load": ("h2load", "--version"), "openssl": ("openssl", "version"),
            "dpdk": ("pkg-config", "--modversion", "libdpdk")}


def first(pattern, path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            found = re.search(pattern, f.read(), re.M)
    except OSError:
        found = None
    return found[1].strip() if found else "unknown"


def version(*argv):
    try:
        done = sh(*argv, check=False)
    except OSError:
        return "not installed"
    text = (done.stdout + done.stderr).strip()
    return text.splitlines()[0] if text else "unknown"


def tsc_mhz():
    """The time-stamp counter's rate as the kernel found it; the nominal clock where it did not say."""
    khz = first(r"tsc: (?:Refined TSC clocksource calibration|Detected)[: ]+([\d.]+) MHz", "/var/log/dmesg")
    return float(khz) if khz != "unknown" else float(first(r"^cpu MHz\s*: ([\d.]+)", "/proc/cpuinfo"))


def header(build, rounds, seconds):
    return {"machine": {"cpu": first(r"^model name\s*: (.*)", "/proc/cpuinfo"), "cores": os.cpu_count(),
                        "memory_mb": int(first(r"^MemTotal:\s+(\d+)", "/proc/meminfo")) // 1024,
                        "kernel": platform.release(), "tsc_mhz": tsc_mhz(),
                        "hypervisor": first(r"^flags\s*:.*\b(hypervisor)\b", "/proc/cpuinfo") == "hypervisor",
                        "cpuidle": first(r"(.*)", "/sys/devices/system/cpu/cpuidle/current_driver")},
            "versions": {"sidestep": version(os.path.join(build, "sidestep"), "--version"),
                         "commit": version("git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"),
                         **{name: version(*argv) for name, argv in VERSIONS.items()}},
            "rounds": rounds, "seconds": seconds}
