"""Discovery: endpoints of a watched file and of the DNS; changes without a reload, removed endpoints that drain, answers that are no good."""
import collections
import json
import os
import re
import socket
import subprocess
import threading
import time

from local.appliance import MEMORY
from local.bench_site import DUT, ORIGIN, ORIGINS, VIP, route
from local.lab import wait_for
from local.libconfig import dumps
from local.programs import curl, h2load, nginx, wait_listening
from local.suite import tells_the_time
from TestSuite_decisions import PORT, DecisionSuite

QUIET = {"consecutive_errors": 0}
NAMES = {o: f"o{i}" for i, o in enumerate(ORIGINS)}


def entry(address, port=PORT, **more):
    return {"address": address, "port": port, **more}


class DiscoverySuite(DecisionSuite):
    """An appliance whose cluster "web" is discovered; how, the case says."""

    def discovered(self, **how):
        return {"name": "web", "protocol": "http1", "outlier": QUIET, "breaker": {"enabled": False}, "discovery": how}

    def web(self, name="web"):
        return next(c for c in self.dut.ctl_json("clusters")["clusters"] if c["name"] == name)

    def addresses(self, name="web"):
        return [e["address"] for e in self.web(name)["endpoints"]]

    def wait_addresses(self, want, name="web", timeout=20):
        """Until the cluster has these endpoints, on every worker: the snapshot before is gone then."""
        want = sorted(want if ":" in want[0] else [f"{a}:{PORT}" for a in want]) if want else []
        wait_for(f"endpoints {want}", lambda: sorted(self.addresses(name)) == want, timeout)
        wait_for("every worker", lambda: self.dut.ctl_json("status")["live_snapshots"] == 1, timeout)

    def state(self, name="web"):
        return self.web(name)["discovery"]

    def origins(self, n=12, path="/", *more):
        """Who answered n requests."""
        return collections.Counter(self.get(f"{path}", *more).strip() for _ in range(n))


class TestFile(DiscoverySuite):
    def put(self, entries, name="web.cfg"):
        """As a tool that knows its trade: another file, moved onto the name."""
        path = self.site.lab.write(name + ".new", dumps({"endpoints": entries}))
        os.rename(path, self.site.lab.path(name))

    def begin(self, entries, workers=2, routes=None, **more):
        self.put(entries)
        self.start(routes or [route("web", max_retries=0)],
                   [self.discovered(type="file", path="web.cfg") | more], workers=workers)

    def ask(self, line):
        """The operator's socket itself: no process is started."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.dut.socket)
            s.sendall(line.encode() + b"\n")
            out = b""
            while piece := s.recv(65536):
                out += piece
        return json.loads(out.split(b"\n", 1)[1] if out.startswith(b"ok") else out)

    def test_change(self):
        """Endpoints come and go with the file, also one that is written in place; no generation passes, and nobody is asked
        who is not in the list. How long it takes from the rename until all workers have it is printed."""
        self.begin([entry(ORIGINS[0])])
        self.wait_addresses([ORIGINS[0]])
        self.verify_equal(set(self.origins()), {"o0"}, "answers")
        generation = self.dut.ctl_json("status")["generation"]
        took = []
        for i in range(12):
            some = [ORIGINS[i % 4], ORIGINS[(i + 1) % 4]]
            want = sorted(f"{o}:{PORT}" for o in some)
            self.put([entry(o) for o in some])
            since = time.monotonic()
            wait_for("the endpoints", lambda: sorted(
                e["address"] for e in self.ask("clusters")["clusters"][0]["endpoints"]) == want, 20, 0.002)
            wait_for("every worker", lambda: self.ask("status")["live_snapshots"] == 1, 20, 0.002)
            took.append(1000 * (time.monotonic() - since))
            self.verify_equal(set(self.origins(4)), {NAMES[o] for o in some}, f"answers in round {i}")
        self.note(f"from the rename to every worker: {min(took):.0f} to {max(took):.0f} ms, "
                  f"median {sorted(took)[len(took) // 2]:.0f}")
        self.site.lab.write("web.cfg", dumps({"endpoints": [entry(ORIGINS[3])]}))
        self.wait_addresses([ORIGINS[3]])
        self.verify_equal(set(self.origins()), {"o3"}, "answers after a write in place")
        self.verify_equal(self.dut.ctl_json("status")["generation"], generation, "generation")
        self.verify_equal(self.state()["state"], "good", "state")
        self.verify_equal(self.dut.metric("sidestep_discovery_endpoints", cluster="web"), 1, "metric")
        self.verify(self.dut.metric("sidestep_discovery_updates_total", cluster="web") >= 14, "updates")
        self.put([])
        self.wait_addresses([])
        self.verify_equal(self.code(), 503, "an empty list is an answer, too")

    def test_what_the_file_says(self):
        """Weights, labels and health of a file's entries are used as those of the configuration."""
        def subset(version):
            return route("web", prefix=f"/{version}", subset={"version": version})
        self.begin([entry(ORIGINS[0], labels={"version": "v1"}), entry(ORIGINS[1], labels={"version": "v2"}),
                    entry(ORIGINS[2], labels={"version": "v2"}, health="draining")],
                   routes=[subset("v1"), subset("v2"), route("web")], workers=1, balancing={"panic_threshold": 0})
        self.wait_addresses(ORIGINS[:3])
        health = {e["address"].split(":")[0]: e["health"] for e in self.web()["endpoints"]}
        self.verify_equal(health, {ORIGINS[0]: "healthy", ORIGINS[1]: "healthy", ORIGINS[2]: "draining"}, "health")
        self.verify_equal(set(self.origins(4, "/v1")), {"o0"}, "v1")
        self.verify_equal(set(self.origins(4, "/v2")), {"o1"}, "v2")
        self.put([entry(ORIGINS[0], labels={"version": "v2"}, weight=3), entry(ORIGINS[3], labels={"version": "v2"}),
                  entry(ORIGINS[1], labels={"version": "v1"}, health="unhealthy")])
        self.wait_addresses([ORIGINS[0], ORIGINS[1], ORIGINS[3]])
        wait_for("its health", lambda: {e["address"].split(":")[0]: e["health"] for e in self.web()["endpoints"]}[ORIGINS[1]]
                 == "unhealthy")
        self.verify_equal(self.origins(8, "/v2"), {"o0": 6, "o3": 2}, "v2 by weight")
        self.verify_equal(self.code("/v1"), 503, "v1 is down")
        why = self.dut.ctl("why", "--listener", "in", "--authority", "x", "--path", "/v2").stdout
        self.verify(f"{ORIGINS[3]}:{PORT}" in why and "web.cfg:" in why, f"why names endpoint and file: {why}")
        self.verify("changes" in self.dut.ctl_json("diff", self.dut.config) and
                    not self.dut.ctl_json("diff", self.dut.config)["changes"], "no difference to its own file")

    def test_bad_file(self):
        """A file that is no good, or gone, is refused whole with file and line: the last good list serves on, and the
        operator is told why and since when; a good one ends that."""
        self.begin([entry(ORIGINS[0]), entry(ORIGINS[1])])
        self.wait_addresses(ORIGINS[:2])
        good = dumps({"endpoints": [entry(ORIGINS[2])]})
        for text, reason in ((good[:len(good) // 2], "syntax error"), (good + "port = 1;\n", "unknown"),
                             (good.replace(ORIGINS[2], "ten.2"), "address"), (None, "cannot be read")):
            failures = self.state()["failures"]
            if text is None:
                os.unlink(self.site.lab.path("web.cfg"))
            else:
                self.site.lab.write("web.cfg", text)
            # Written in place it may be read half, too, and is refused for that first.
            said = wait_for(f"the refusal: {reason}", lambda r=reason, f=failures: (s := self.state())["failures"] > f and
                            r in s.get("reason", "") and s, 20)
            self.verify_equal(said["state"], "failing", "state")
            self.verify("web.cfg" in said["reason"], f"{reason}: {said['reason']}")
            self.verify(text is None or re.search(r"web\.cfg:\d+: ", said["reason"]), f"a line: {said['reason']}")
            self.verify("failing_for_seconds" in said and "age_seconds" in said, f"since when: {said}")
            self.verify("failing" in self.dut.ctl("clusters").stdout, "sidestepctl clusters says so")
            self.verify_equal(self.dut.metric("sidestep_discovery_failing", cluster="web"), 1, "metric")
            self.verify_equal(sorted(self.addresses()), [f"{o}:{PORT}" for o in ORIGINS[:2]], "endpoints")
            self.verify_equal(set(self.origins(6)), {"o0", "o1"}, "answers")
        self.put([entry(ORIGINS[2])])
        self.wait_addresses([ORIGINS[2]])
        self.verify_equal(self.state()["state"], "good", "state")
        self.verify_equal(self.dut.metric("sidestep_discovery_failing", cluster="web"), 0, "metric")

    def test_check(self):
        """--check reads the files of endpoints, too: a fault with file, line and key, a missing file as a warning. The running
        node warns of a candidate's in diff, apply and why, and says what the cluster would have."""
        lab, program = self.site.lab, os.path.join(self.build, "sidestep")
        self.begin([entry(ORIGINS[0])])
        self.wait_addresses([ORIGINS[0]])

        def check():
            done = subprocess.run([program, "--check", self.dut.config], capture_output=True, text=True, timeout=60, check=False)
            return done.returncode, done.stderr
        self.verify_equal(check()[0], 0, "a good file")
        bad = dumps({"endpoints": [entry(ORIGINS[0]), {**entry(ORIGINS[1]), "wieght": 2}]})
        with open(self.dut.config, encoding="utf-8") as f:
            text = f.read().replace('"web.cfg"', '"candidate.cfg"')
        candidate = lab.write("other.conf", text)
        for content, status, words in ((bad, 1, ("candidate.cfg:", "endpoints[1].wieght: unknown key; did you mean")),
                                       (None, 0, ("candidate.cfg is not there", "cluster \"web\""))):
            if content is None:
                os.unlink(lab.path("candidate.cfg"))
            else:
                lab.write("candidate.cfg", content)
            done = subprocess.run([program, "--check", candidate], capture_output=True, text=True, timeout=60, check=False)
            self.verify_equal(done.returncode, status, f"status of --check: {done.stderr}")
            self.verify(all(w in done.stderr for w in words), f"--check: {done.stderr}")
            self.verify(status or done.stderr.startswith("warning: "), f"a warning: {done.stderr}")
            for how in (("diff", candidate), ("apply", candidate, "--dry-run"),
                        ("why", "--listener", "in", "--authority", "x", "--path", "/", "--config", candidate)):
                said = self.dut.ctl(*how)
                self.verify(all(w in said.stderr for w in words) and "warning: " in said.stderr, f"{how}: {said.stderr}")
        self.verify("web" in self.dut.ctl("diff", candidate).stdout, "and what it was asked for")
        with open(self.dut.config, encoding="utf-8") as f:
            lab.write("other.conf", f.read())
        said = self.dut.ctl("apply", candidate)
        self.verify("applied: " in said.stdout and not said.stderr, f"what is discovered is no change: {said.stdout}{said.stderr}")
        self.verify_equal(set(self.origins(4)), {"o0"}, "answers")

    def test_start_and_reload(self):
        """Without a file there are no endpoints, and the node serves what else it has; a reload keeps what was discovered,
        and follows what it says of where to look."""
        self.start([route("web", max_retries=0)], [self.discovered(type="file", path="later.cfg")], workers=2)
        self.verify_equal(self.code(), 503, "no endpoints")
        self.verify_equal(self.state()["state"], "failing", "state")
        self.put([entry(ORIGINS[0])], "later.cfg")
        self.wait_addresses([ORIGINS[0]])
        self.verify_equal(self.code(), 200, "an endpoint")
        self.site.lab.write("later.cfg", "endpoints = (")
        wait_for("the refusal", lambda: self.state()["state"] == "failing", 20)
        web = self.dut.settings["clusters"][0]
        web["max_pending"] = 77
        self.dut.reload(self.dut.settings)
        self.verify_equal(self.addresses(), [f"{ORIGINS[0]}:{PORT}"], "after a reload")
        self.verify_equal(self.code(), 200, "after a reload")
        web["discovery"] = {"type": "file", "path": "other.cfg"}  # which is not there
        self.dut.reload(self.dut.settings)
        self.verify_equal(self.addresses(), [f"{ORIGINS[0]}:{PORT}"], "after another path")
        self.put([entry(ORIGINS[1]), entry(ORIGINS[2])], "other.cfg")
        self.wait_addresses(ORIGINS[1:3])
        self.verify_equal(set(self.origins(6)), {"o1", "o2"}, "answers")
        del web["discovery"]
        web["endpoints"] = [entry(ORIGINS[3])]
        self.dut.reload(self.dut.settings)
        self.verify_equal(set(self.origins(4)), {"o3"}, "listed again")
        self.verify("discovery" not in self.web(), "nothing is discovered any more")

    def test_drain(self):
        """A removed endpoint gets nothing new; what it is asked already ends well, then its connections close."""
        self.begin([entry(ORIGINS[0])], workers=2)
        gate, body = self.site.lab.path("gate"), self.site.lab.path("held")
        if os.path.exists(gate):
            os.unlink(gate)
        held = self.site.lab.start("held", "client", "curl", "-sSN", "--max-time", 60, "-o", body, "-w", "%{http_code}",
                                   f"http://{VIP}/hold{gate}")
        wait_for("its beginning", lambda: os.path.exists(body) and os.path.getsize(body) == 1)
        self.put([entry(ORIGINS[1])])
        self.wait_addresses([ORIGINS[1]])
        self.verify_equal(set(self.origins(8)), {"o1"}, "answers meanwhile")
        self.verify(held.running(), "the request under way was ended")
        self.site.lab.write("gate", "")
        self.verify_equal(held.wait(), 0, "curl")
        with open(body, encoding="ascii") as f:
            self.verify_equal((f.read(), held.log()), ("ab", "200"), "its answer")

        def conns():
            text = self.site.lab.run("origin", "ss", "-Htn", "state", "established").stdout
            return [line for line in text.splitlines() if DUT in line and f"{ORIGINS[0]}:{PORT}" in line]
        wait_for("its connections to close", lambda: not conns(), 20)
        self.put([entry(ORIGINS[0])])  # and back
        self.wait_addresses([ORIGINS[0]])
        self.verify_equal(set(self.origins(4)), {"o0"}, "answers")

    def rss(self):
        pid = self.dut.ctl_json("status")["pid"]
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+) kB", f.read())[1])

    @tells_the_time  # a try has a second, and is the only one
    def test_churn(self):
        """1,000 changes of endpoints a second for ten seconds (a minute with --long) under load: no request fails, memory does
        not grow. A change is one endpoint that comes or goes, and a rename. What memory is used for the first time (each place
        of the endpoint table, each connection's) is used sooner or later; so a while without growth says that nothing is lost."""
        part, parts = (10, 6) if self.long else (1, 2) if self.small else (2, 4)

        def least(memory):  # of the growths of all parts
            return min((b - a for a, b in zip(memory, memory[1:])), default=1 << 30)
        ports = range(9000, 9025)
        everybody = [(o, p) for o in ORIGINS for p in ports]
        servers = "\n".join(f"server {{ listen {o}:{p}; access_log off; return 200 'ok'; }}" for o, p in everybody)
        web = nginx(self.site.lab, "origin", "churn", servers)
        wait_listening(self.site.lab, web, "origin", ORIGINS[-1], ports[-1])
        there = dict.fromkeys(everybody, True)
        text = {(o, p): f'{{ address = "{o}"; port = {p}; }}' for o, p in everybody}
        new, path = self.site.lab.path("churn.new"), self.site.lab.path("web.cfg")
        count, stop = 0, threading.Event()

        def write():
            with open(new, "w", encoding="ascii") as f:
                f.write("endpoints = (" + ",\n".join(text[e] for e in everybody if there[e]) + ");")
            os.rename(new, path)

        def change():
            nonlocal count
            began = time.monotonic()
            while not stop.is_set():
                one = everybody[(count * 37) % len(everybody)]
                # Never more than half of them are away.
                there[one] = not there[one] or sum(there.values()) <= len(everybody) // 2
                write()
                count += 1
                time.sleep(max(0.0, began + count / 1000 - time.monotonic()))

        write()
        self.start([route("web", max_retries=0)], [self.discovered(type="file", path="web.cfg")], workers=2,
                   memory={**MEMORY, "endpoints": 512})
        changes = threading.Thread(target=change)
        changes.start()
        try:
            began, memory, got = time.monotonic(), [self.rss()], []
            while len(got) < parts or (not self.small and least(memory) > 256 and len(got) < 5 * parts):
                got.append(h2load(self.site.lab, "client", "--h1", "-c", 20, "-D", part, f"http://{VIP}/",
                                  timeout=part + 60))
                memory.append(self.rss())
            took, during = time.monotonic() - began, count
            updates = self.dut.metric("sidestep_discovery_updates_total")
        finally:
            stop.set()
            changes.join()
        self.note(f"{during / took:.0f} changes/s, {updates / took:.0f} editions/s, {got[-1]['rps']:.0f} requests/s for "
                  f"{took:.0f} s; memory in KiB: {memory}")
        for figures in got:
            self.verify_equal({k: figures[k] for k in ("failed", "errored", "4xx", "5xx")},
                              {"failed": 0, "errored": 0, "4xx": 0, "5xx": 0}, "requests")
        self.verify(updates > 1 and got[-1]["2xx"] > 0, "nothing happened")
        # A sanitizer keeps what was freed.
        self.verify(self.small or least(memory) <= 256, f"memory grew all the time: {memory}")
        # What was last written is what is used in the end.
        self.wait_addresses([f"{o}:{p}" for o, p in everybody if there[o, p]])
        self.verify_equal(self.state()["failures"], 0, "failures")
        self.dut.stop()
        self.dut = None
        web.stop()


class TestDns(DiscoverySuite):
    """Against dnsmasq, in the appliance's namespace: on the control thread's network, not on the workers'."""

    SERVER = "127.0.0.1:5353"

    def set_up_test_case(self):
        self.dns = None
        self.runs = 0

    def tear_down_test_case(self):
        super().tear_down_test_case()
        if self.dns:
            self.dns.kill()

    def serve(self, *records, ttl=1):
        """dnsmasq with these records and no others; the one before ends."""
        self.silence()
        self.runs += 1
        lab = self.site.lab
        lines = [line for r in records for line in ([r] if isinstance(r, str) else r)]
        conf = lab.write("dns.conf", "\n".join([
            "keep-in-foreground", "no-resolv", "no-hosts", "port=5353", "listen-address=127.0.0.1", "bind-interfaces", "log-queries",
            "log-facility=-", "user=root", "local=/test/", f"local-ttl={ttl}", "pid-file=", *lines, ""]))
        self.dns = lab.start(f"dns{self.runs}", "dut", "dnsmasq", "-C", conf)
        wait_for("dnsmasq", lambda: self.dns.running() and ":5353 " in lab.run("dut", "ss", "-Huln").stdout, 20)

    def silence(self):
        if self.dns:
            self.dns.kill()
            self.dns = None

    def asked(self):
        return self.dns.log().count(" query[")

    def begin(self, record="a", name="web.test", workers=2, **more):
        port = {} if record == "srv" else {"port": PORT}
        self.start([route("web", max_retries=0)], [self.discovered(
            type="dns", name=name, record=record, resolvers=[self.SERVER],
            **{"min_refresh_rate": "200ms", "failure_refresh_rate": "300ms", **port, **more})], workers=workers)

    @staticmethod
    def host(name, *addresses):
        return [f"host-record={name},{a}" for a in addresses]

    def test_addresses(self):
        """The addresses of a name are endpoints and change with it; one that is removed drains. A server that dies, refuses
        or denies the name leaves the last good answer, and the operator is told."""
        self.serve(self.host("web.test", *ORIGINS[:2]))
        self.begin()
        self.wait_addresses(ORIGINS[:2])
        self.verify_equal(set(self.origins(6)), {"o0", "o1"}, "answers")
        self.verify_equal(self.state()["state"], "good", "state")
        self.serve(self.host("web.test", *ORIGINS[1:4]))
        self.wait_addresses(ORIGINS[1:4])
        self.verify_equal(set(self.origins(6)), {"o1", "o2", "o3"}, "answers")
        for what, how in (("is dead", self.silence), ("denies the name", lambda: self.serve(self.host("else.test", ORIGIN))),
                          ("has no address", lambda: self.serve("txt-record=web.test,nothing"))):
            how()
            # Two more: the last of them was asked of the server that is there now.
            failures = self.state()["failures"]
            said = wait_for("failures", lambda: (s := self.state())["failures"] > failures + 1 and s, 30)
            self.verify_equal(said["state"], "failing", f"state when the server {what}")
            self.verify("web.test" in said["reason"], f"reason: {said['reason']}")
            self.note(f"the server {what}: {said['reason']}")
            self.verify_equal(sorted(self.addresses()), sorted(f"{o}:{PORT}" for o in ORIGINS[1:4]), "endpoints")
            self.verify_equal(set(self.origins(6)), {"o1", "o2", "o3"}, f"answers when the server {what}")
        self.serve(self.host("web.test", ORIGINS[0]))
        self.wait_addresses([ORIGINS[0]])
        wait_for("the end of the failure", lambda: self.state()["state"] == "good", 20)

    def test_ttl(self):
        """A record that may be kept for an hour is not asked for again; with respect_ttl off, at the refresh rate."""
        self.serve(self.host("web.test", ORIGINS[0]), ttl=3600)
        self.begin()
        self.wait_addresses([ORIGINS[0]])
        once = self.asked()
        time.sleep(1.5)  # for what must not happen
        self.verify_equal(self.asked(), once, "questions with a long time to live")
        self.dut.settings["clusters"][0]["discovery"].update(respect_ttl=False, refresh_rate="200ms")
        self.dut.reload(self.dut.settings)
        self.verify_equal(self.addresses(), [f"{ORIGINS[0]}:{PORT}"], "the last answer goes on")
        wait_for("questions at the refresh rate", lambda: self.asked() >= 5, 30)
        self.dut.settings["clusters"][0]["discovery"].update(respect_ttl=True)
        self.serve(self.host("web.test", ORIGINS[0]), ttl=0)
        self.dut.reload(self.dut.settings)
        wait_for("questions at the least rate", lambda: self.asked() >= 3, 30)

    def test_service(self):
        """SRV records: ports, weights, priorities; what a host's name stands for. Many of them come over TCP."""
        self.serve([f"srv-host=_web._tcp.test,a.test,{PORT},10,30", f"srv-host=_web._tcp.test,b.test,{PORT},10,10",
                    f"srv-host=_web._tcp.test,c.test,{PORT},20,1"],
                   self.host("a.test", ORIGINS[0]), self.host("b.test", ORIGINS[1]), self.host("c.test", ORIGINS[2]))
        self.begin("srv", "_web._tcp.test", workers=1)
        self.wait_addresses(ORIGINS[:3])
        self.verify_equal({e["address"].split(":")[0]: e["weight"] for e in self.web()["endpoints"]},
                          {ORIGINS[0]: 30, ORIGINS[1]: 10, ORIGINS[2]: 1}, "weights")
        self.verify_equal(self.origins(12), {"o0": 9, "o1": 3}, "answers by weight; the second priority waits")
        many = [f"srv-host=_web._tcp.test,host-with-a-long-name-number-{i}.test,{7000 + i},1,1" for i in range(40)]
        self.serve(many, [line for i in range(40) for line in self.host(f"host-with-a-long-name-number-{i}.test", ORIGIN)])
        self.wait_addresses([f"{ORIGIN}:{7000 + i}" for i in range(40)])

    def test_six(self):
        """AAAA records are endpoints with IPv6 addresses."""
        self.serve(self.host("web.test", "fd00::1", "fd00::2"))
        self.begin("aaaa")
        self.wait_addresses([f"[fd00::{i}]:{PORT}" for i in (1, 2)])
