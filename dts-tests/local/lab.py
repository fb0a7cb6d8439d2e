"""Hosts on one machine: network namespaces joined by veth pairs, and what runs in them.

Everything a Lab makes carries its tag in its name and is taken away by close(), also after an
interrupted run: names are written to a journal first, and the next Lab on the machine removes what
a dead process left behind. Nothing that a Lab did not make is ever touched.
"""
import atexit
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

JOURNAL = "/run/sidestep-lab"


class LabError(Exception):
    pass


def sh(*argv, check=True, timeout=60, **kw):
    """Runs a command; returns its CompletedProcess with text output. Raises LabError with what it said."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout, **kw)
    if check and done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


PATIENCE = 20.0  # seconds


def wait_for(what, predicate, timeout=10.0, interval=0.02):
    """Waits until predicate() is true and returns its value; LabError names `what` otherwise. timeout: what is ample on a
    calm machine; PATIENCE is had in any case, and a last look after it, however long the machine stood still."""
    end = time.monotonic() + max(timeout, PATIENCE)
    while True:
        over = time.monotonic() > end
        value = predicate()
        if value:
            return value
        if over:
            raise LabError(f"timed out after {max(timeout, PATIENCE):g} s waiting for {what}")
        time.sleep(interval)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start_time(pid):
    """A process's start in clock ticks since boot: tells a pid from a later reuse of the number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return int(f.read().rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def end_process(pid, started):
    """Kills pid if it is still the process that was started then."""
    if started and start_time(pid) == started:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def clear_left_behind():
    """Removes what labs of dead processes left: their processes, namespaces and folders."""
    if not os.path.isdir(JOURNAL):
        return
    for name in os.listdir(JOURNAL):
        path = os.path.join(JOURNAL, name)
        try:
            with open(path, encoding="utf-8") as f:
                left = json.load(f)
        except (OSError, ValueError):
            continue
        if alive(left["owner"]) and start_time(left["owner"]) == left["owner_start"]:
            continue
        for pid, started in left["pids"]:
            end_process(pid, started)
        for ns in left["namespaces"]:
            sh("ip", "netns", "del", ns, check=False)
        for folder in left["folders"]:
            shutil.rmtree(folder, ignore_errors=True)
        os.unlink(path)


REPORTS = ("ERROR: AddressSanitizer", "runtime error:")
FATAL = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)


class Process:
    """A program running in a namespace; its output goes to a file."""

    def __init__(self, lab, name, ns, argv, env=None, core=None):
        self.lab, self.name, self.program = lab, name, os.path.basename(str(argv[0]))
        self.log_path = os.path.join(lab.folder, f"{name}.log")
        full = ["ip", "netns", "exec", lab.ns_name(ns)] if ns else []
        if core is not None:
            full += ["taskset", "-c", str(core)]
        self.log_file = open(self.log_path, "wb")
        self.popen = subprocess.Popen([*full, *map(str, argv)], stdout=self.log_file, stderr=self.log_file,
                                      stdin=subprocess.DEVNULL, start_new_session=True,
                                      env={**os.environ, **(env or {})})
        self.pid = self.popen.pid
        self.status = None
        lab.note_pid(self.pid)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def running(self):
        if self.status is None:
            self.status = self.popen.poll()
        return self.status is None

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def wait(self, timeout=20):
        try:
            self.status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} (pid {self.pid}) did not end within {timeout} s; its log ends:\n"
                           + self.log()[-2000:]) from None
        return self.status

    def stop(self, timeout=20):
        """SIGTERM, then waits; SIGKILL and an error when that is not enough. Returns the exit status."""
        if not self.running():
            return self.status
        os.kill(self.pid, signal.SIGTERM)
        try:
            return self.wait(timeout)
        except LabError:
            self.kill()
            raise

    def kill(self):
        if self.running():
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.status = self.popen.wait(10)

    def crash(self):
        """What one of our own programs said or did that no case may want: a sanitizer's report, a fatal signal. None if nothing."""
        if not self.program.startswith("sidestep"):
            return None
        log = self.log()
        at = min((log.find(w) for w in REPORTS if w in log), default=-1)
        if at >= 0:
            return f"{self.name}: a sanitizer reported\n{log[at:at + 3000]}"
        if self.status is not None and -self.status in FATAL:
            return f"{self.name} ended by {signal.Signals(-self.status).name}; its log ends:\n{log[-1000:]}"
        return None

    def cpu_seconds(self):
        """User plus system time so far, of all threads."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Lab:
    def __init__(self, tag):
        if os.geteuid() != 0:
            raise LabError("root is needed: network namespaces and AF_XDP sockets are made here")
        os.makedirs(JOURNAL, exist_ok=True)
        clear_left_behind()
        self.tag = f"ss{tag}{os.getpid() % 100000}"
        self.folder = tempfile.mkdtemp(prefix=f"{self.tag}-")
        self.namespaces, self.processes, self.pids = [], [], []
        self.keep = False
        self.note()
        atexit.register(self.close)

    # -- journal --
    def note(self):
        path = os.path.join(JOURNAL, self.tag)
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump({"owner": os.getpid(), "owner_start": start_time(os.getpid()),
                       "pids": self.pids, "namespaces": self.namespaces, "folders": [self.folder]}, f)
        os.replace(path + ".new", path)

    def note_pid(self, pid):
        self.pids.append((pid, start_time(pid)))
        self.note()

    # -- hosts --
    def ns_name(self, name):
        return f"{self.tag}-{name}"

    def host(self, name):
        """A new host: a namespace with its loopback up and IPv6 quiet."""
        full = self.ns_name(name)
        self.namespaces.append(full)
        self.note()
        sh("ip", "netns", "add", full)
        self.run(name, "ip", "link", "set", "lo", "up")
        self.run(name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                 "net.ipv6.conf.default.disable_ipv6=1")
        return name

    def run(self, ns, *argv, check=True, timeout=120, **kw):
        """Runs a command in a namespace and waits for it."""
        return sh("ip", "netns", "exec", self.ns_name(ns), *argv, check=check, timeout=timeout, **kw)

    def start(self, name, ns, *argv, env=None, core=None):
        p = Process(self, name, ns, argv, env=env, core=core)
        self.processes.append(p)
        return p

    def wire(self, a, a_if, b, b_if, a_addrs=(), b_addrs=(), a_port=False, b_port=False):
        """A veth pair between hosts a and b. A side with *_port is a sidestep port: it gets no kernel
        address. A kernel side has its transmit checksum offload turned off, because partial checksums
        would reach an AF_XDP peer as they are. One queue each way: XDP needs as many as the peer has."""
        sh("ip", "link", "add", a_if, "netns", self.ns_name(a), "numrxqueues", 1, "numtxqueues", 1,
           "type", "veth", "peer", "name", b_if, "netns", self.ns_name(b), "numrxqueues", 1, "numtxqueues", 1)
        for ns, dev, addrs, port in ((a, a_if, a_addrs, a_port), (b, b_if, b_addrs, b_port)):
            self.run(ns, "ip", "link", "set", dev, "up")
            if not port:
                self.run(ns, "ethtool", "-K", dev, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            for addr in addrs:
                self.run(ns, "ip", "addr", "add", addr, "dev", dev)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    # -- end --
    def stop_all(self):
        """Ends all that runs; what crashed, whoever noticed or not. Raises nothing."""
        crashes = []
        for p in reversed(self.processes):
            if p.running():
                p.kill()
            p.log_file.close()
            crashes.append(p.crash())
        self.processes = []
        return [c for c in crashes if c]

    def close(self):
        atexit.unregister(self.close)
        if self.keep:
            return
        crashes = self.stop_all()
        for ns in self.namespaces:
            sh("ip", "netns", "del", ns, check=False)
        self.namespaces = []
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            os.unlink(os.path.join(JOURNAL, self.tag))
        except OSError:
            pass
        if crashes:
            raise LabError("\n".join(crashes))
