"""A sidestep in a namespace: its configuration, its control socket, its log, what it held at the end."""
import json
import os
import re
import signal

from local.lab import LabError, sh, wait_for
from local.libconfig import dumps

# Small memory: many of these run beside each other on a two-core machine.
MEMORY = {"hugepages": False, "size_mb": 256, "mbufs": 8192, "connections": 2048, "streams": 4096}
SANITIZED = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:exitcode=99:detect_stack_use_after_return=0",
             "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99"}


def ports(*items):
    """(name, device, address/prefix[, gateway]) to the configuration's ports."""
    out = []
    for name, device, address, *gateway in items:
        port = {"name": name, "device": device,
                "addresses": [address] if isinstance(address, str) else list(address)}
        if gateway:
            port["gateway"] = gateway[0]
        out.append(port)
    return out


class Appliance:
    def __init__(self, lab, build, ns, name, settings, core=None):
        """settings: a dict of top-level settings; node, admin, metrics and access_log are filled in."""
        self.lab, self.build, self.ns, self.name, self.core = lab, build, ns, name, core
        self.socket = lab.path(f"{name}.sock")
        self.access_log = lab.path(f"{name}.access.jsonl")
        self.settings = {"node": name, "memory": dict(MEMORY), "admin": {"socket": self.socket},
                         "state_dir": lab.path(f"{name}.state"),
                         "metrics": {"address": "127.0.0.1", "port": 9901},
                         "access_log": {"path": self.access_log}, **settings}
        records = os.environ.get("SIDESTEP_TLS_RECORDS")
        if records:  # the same suites over another record layer
            device = {"crypto_device": "crypto_aesni_gcm"} if records == "cryptodev" else {}
            self.settings["tls"] = {**self.settings.get("tls", {}), "records": records, **device}
        threads = os.environ.get("SIDESTEP_HANDSHAKE_THREADS")
        if threads:  # and with other threads, or none; a suite that says how many keeps its own
            self.settings["tls"] = {"handshake_threads": int(threads), **self.settings.get("tls", {})}
        self.config = lab.path(f"{name}.cfg")
        self.write_config()
        self.process = None

    def write_config(self, settings=None):
        if settings is not None:
            self.settings = settings
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(dumps(self.settings))

    def start(self, timeout=30):
        # A case sees its own records only: one before it may have used the same name.
        if os.path.exists(self.access_log):
            os.unlink(self.access_log)
        self.process = self.lab.start(self.name, self.ns, os.path.join(self.build, "sidestep"), "-c",
                                      self.config, env=SANITIZED, core=self.core)

        def up():
            if not self.process.running():
                raise LabError(f"{self.name} ended at start with status {self.process.status}; its log:\n"
                               + self.process.log()[-3000:])
            return os.path.exists(self.socket) and self.ctl("status", check=False).returncode == 0

        wait_for(f"{self.name} to be up", up, timeout, 0.05)
        return self

    def ctl(self, *words, check=True, timeout=30):
        tool = os.path.join(self.build, "sidestepctl")
        return sh(tool, "--socket", self.socket, *words, check=check, timeout=timeout)

    def ctl_json(self, *words):
        text = self.ctl("--json", *words).stdout
        try:
            return json.loads(text)
        except ValueError:
            raise LabError(f"sidestepctl --json {' '.join(words)} printed no JSON:\n{text[:500]}") from None

    def metrics(self):
        """The Prometheus text, fetched inside the namespace."""
        return self.lab.run(self.ns, "curl", "-sf", "--max-time", 5, "http://127.0.0.1:9901/metrics").stdout

    def metric(self, name, **labels):
        """Sum of a metric's samples whose labels include these."""
        total, found = 0.0, False
        for line in self.metrics().splitlines():
            m = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$", line)
            if not m or m[1] != name:
                continue
            have = dict(re.findall(r'(\w+)="([^"]*)"', m[2] or ""))
            if all(have.get(k) == v for k, v in labels.items()):
                total, found = total + float(m[3]), True
        return total if found else None

    def drops(self, reason):
        return int(self.metric("sidestep_drops_total", reason=reason) or 0)

    def read_access(self, at, kind="request"):
        """(whole records from that byte of the access log on, where the next one begins)."""
        records = []
        try:
            with open(self.access_log, "rb") as f:
                f.seek(at)
                for line in f:
                    if not line.endswith(b"\n"):
                        break
                    at += len(line)
                    r = json.loads(line)
                    if kind is None or r.get("kind", "request") == kind:
                        records.append(r)
        except FileNotFoundError:
            pass
        return records, at

    def access(self, kind="request"):
        """Access-log records so far."""
        return self.read_access(0, kind)[0]

    def access_end(self):
        """Where a wait may begin that wants nothing of what is in the access log already."""
        return os.path.getsize(self.access_log) if os.path.exists(self.access_log) else 0

    def wait_access(self, predicate, timeout=5, kind="request", after=0):
        """The first access-log record that satisfies predicate; each is read once. after: see access_end."""
        at = after

        def look():
            nonlocal at
            records, at = self.read_access(at, kind)
            return next((r for r in records if predicate(r)), None)
        return wait_for("an access-log record", look, timeout, 0.05)

    def reload(self, settings=None, check=True):
        if settings is not None:
            self.write_config(settings)
        return self.ctl("reload", check=check)

    def stop(self, timeout=30):
        """Ends it by SIGTERM and checks that it held nothing at the end."""
        if self.process is None:
            return
        status = self.process.stop(timeout)
        log = self.process.log()
        self.process = None
        if status != 0:
            raise LabError(f"{self.name} ended with status {status}; its log ends:\n{log[-3000:]}")
        if "holdings: all zero" not in log:
            raise LabError(f"{self.name} did not say that its holdings are zero; its log ends:\n{log[-2000:]}")

    def kill(self):
        if self.process:
            self.process.signal(signal.SIGKILL)
            self.process.kill()
            self.process = None
