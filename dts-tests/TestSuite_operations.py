"""Operations: another configuration is put in force, kept, and taken back; who looks on sees what happens."""
import json
import os
import re
import socket
import time

from local.bench_site import ORIGINS, VIP, Site, cluster, listener, one_host, route
from local.lab import wait_for
from local.libconfig import dumps
from local.programs import curl, h2load, nginx, wait_listening
from local.suite import TestSuite


class View:
    """A client that looks on: "ok" has come, so that what happens from now on is seen."""

    def __init__(self, path, *words):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(path)
        self.sock.sendall("\x1f".join(words).encode() + b"\n")
        self.bytes, self.ended = b"", False
        while b"\n" not in self.bytes and not self.ended:
            self.more()
        first, _, self.bytes = self.bytes.partition(b"\n")
        self.answer = first.decode()

    def more(self):
        got = self.sock.recv(65536)
        self.bytes, self.ended = self.bytes + got, not got

    def lines(self, enough):
        """Reads until enough(all lines so far) is true, or the end."""
        out = []
        while not enough(out) and (b"\n" in self.bytes or not self.ended):
            if b"\n" not in self.bytes:
                self.more()
                continue
            line, _, self.bytes = self.bytes.partition(b"\n")
            out.append(json.loads(line))
        return out

    def close(self):
        self.sock.close()


class TestOperations(TestSuite):
    def set_up_suite(self):
        self.site = Site("ops")
        lab = self.site.lab
        web = nginx(lab, "origin", "web", "\n".join(
            f"server {{ listen {ORIGINS[i]}:80; location / {{ return {503 if i == 2 else 200} 'o{i}'; }} }}"
            for i in range(3)))
        wait_listening(lab, web, "origin", ORIGINS[0], 80)
        self.dut = self.site.appliance(self.build, self.answers(200)).start()

    def tear_down_suite(self):
        try:
            self.dut.stop()
        finally:
            self.site.close()

    def answers(self, status):
        return {"listeners": [listener(80)], "clusters": [cluster("web", [(o, 80) for o in ORIGINS[:2]], protocol="http1")],
                "virtual_hosts": one_host([{"name": "fixed", "match": {"prefix": "/fixed"},
                                            "direct_response": {"status": status}}, route("web")])}

    def status_of(self, path="/fixed", *more):
        return curl(self.site.lab, "client", "-s", "-o", "/dev/null", "-w", "%{http_code}", *more, f"http://{VIP}{path}").stdout

    def write(self, name, settings, more=""):
        path = self.site.lab.path(name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(dumps({**self.dut.settings, **settings}) + more)
        return path

    def history(self):
        return self.dut.ctl_json("history")

    def in_force(self):
        s = self.dut.ctl_json("status")
        return s["config_hash"], s["generation"], s["history"]

    def read(self, path):
        with open(path, encoding="utf-8") as f:
            return f.read()

    def test_apply(self):
        """A dry run changes nothing and prints what would; apply replaces the configured file, and a restart finds the same; what
        is refused leaves everything as it was; rollback brings back the text that was."""
        dut = self.dut
        first, before = self.read(dut.config), self.in_force()
        other = self.write("teapot.cfg", self.answers(418))
        p = dut.ctl("apply", other, "--dry-run")
        self.verify(re.search(r"^~ route all\.fixed  \(.*teapot\.cfg:\d+\): ", p.stdout, re.M) and "dry run" in p.stdout,
                    f"a dry run says\n{p.stdout}")
        self.verify_equal((self.read(dut.config), self.in_force()), (first, before), "what a dry run leaves")
        p = dut.ctl("apply", other)
        self.verify("~ route all.fixed" in p.stdout and "used by every worker" in p.stdout, f"apply says\n{p.stdout}")
        self.verify_equal(self.status_of(), "418", "the new answer")
        self.verify_equal(self.read(dut.config), self.read(other), "the configured file")
        self.verify(not os.path.exists(dut.config + ".candidate"), "a file is left behind")
        applied = self.in_force()
        self.verify(applied[2] > before[2] and applied[1] > before[1], f"{before}, then {applied}")
        self.refused(applied)
        dut.reload()  # what a SIGHUP reads is what is in force: no new entry
        self.verify_equal(self.in_force()[2], applied[2], "the entry in force after a reload")
        p = dut.ctl("rollback", before[2])
        self.verify("~ route all.fixed" in p.stdout, f"rollback says\n{p.stdout}")
        self.verify_equal((self.status_of(), self.read(dut.config)), ("200", first), "what there was")
        self.listed(before, applied)
        number, kept = self.in_force()[2], self.history()["entries"]
        dut.stop()
        dut.start()
        self.verify_equal((self.in_force()[2], self.status_of()), (number, "200"), "after a restart")
        self.verify_equal(self.history()["entries"], kept, "history after a restart")

    def refused(self, in_force):
        text = self.read(self.dut.config)
        for path, want in ((self.write("wrong.cfg", self.answers(999)), "999 is out of bounds"),
                           (self.write("start.cfg", {**self.answers(200), "drain_timeout": "77s"}), "drain_timeout"),
                           (self.write("mad.cfg", self.answers(200), "nonsense = 1;\n"), "nonsense"),
                           (self.write("include.cfg", self.answers(200), '@include "no-such.cfg"\n'), "include")):
            p = self.dut.ctl("apply", path, check=False)
            self.verify(p.returncode == 1 and want in p.stderr and path in p.stderr, f"{path}: {p.returncode} {p.stderr}")
        for words, want in ((("rollback", "9999"), "no entry 9999"), (("rollback", "x"), "say a number"),
                            (("rollback", "0"), "say a number")):
            p = self.dut.ctl(*words, check=False)
            self.verify(p.returncode == 1 and want in p.stderr, f"{words}: {p.returncode} {p.stderr}")
        refusals = [e for e in self.history()["entries"] if e["outcome"] == "refused"]
        self.verify(any("999 is out" in e["why"] for e in refusals), f"refused in history: {refusals}")
        p = self.dut.ctl("rollback", refusals[0]["number"], check=False)
        self.verify(p.returncode == 1 and "was refused" in p.stderr, f"a rollback to a refused one: {p.stderr}")
        self.verify_equal((self.in_force(), self.read(self.dut.config)), (in_force, text), "what refusals leave")
        self.verify_equal(self.status_of(), "418", "the answer after refusals")

    def listed(self, before, applied):
        h = self.history()
        by_number = {e["number"]: e for e in h["entries"]}
        self.verify_equal([(by_number[n]["how"], by_number[n]["outcome"], by_number[n]["config_hash"]) for n in (
            before[2], applied[2], h["number"])], [("start", "replaced", before[0]), ("apply", "replaced", applied[0]),
                                                   ("rollback", "in force", before[0])], "the list of history")
        self.verify(by_number[applied[2]]["by"].startswith("uid "), f"who applied: {by_number[applied[2]]}")
        text = self.dut.ctl("history").stdout
        self.verify(re.search(rf"^ *{h['number']}  \S+Z  rollback +in force ", text, re.M), text)
        folder = os.path.join(self.dut.settings["state_dir"], "history")
        self.verify_equal({oct(os.stat(os.path.join(folder, f)).st_mode & 0o777) for f in os.listdir(folder)}, {"0o600"},
                          "modes of what is kept")

    def test_includes(self):
        """What a file includes becomes part of the one text; a text that was never in force is kept before it is replaced; a
        relative name that would mean another file is refused."""
        dut = self.dut
        part = self.site.lab.path("part.cfg")
        whole = {k: v for k, v in {**dut.settings, **self.answers(204)}.items() if k != "virtual_hosts"}
        with open(part, "w", encoding="utf-8") as f:
            f.write(dumps({"virtual_hosts": self.answers(204)["virtual_hosts"]}))
        other = self.site.lab.path("including.cfg")
        with open(other, "w", encoding="utf-8") as f:
            f.write(dumps(whole) + '@include "part.cfg"\n')
        edited = self.read(dut.config) + "# half an edit {\nx y z"
        with open(dut.config, "w", encoding="utf-8") as f:
            f.write(edited)
        dut.ctl("apply", other)
        os.unlink(part)
        self.verify_equal(self.status_of(), "204", "the answer of the included file")
        dut.reload()
        self.verify_equal(self.status_of(), "204", "the answer when that file is gone")
        found = [e for e in self.history()["entries"] if e["how"] == "found"]
        self.verify_equal([e["outcome"] for e in found], ["kept"], "what was found in the file")
        kept = os.path.join(dut.settings["state_dir"], "history", f"{found[0]['number']}.cfg")
        self.verify_equal(self.read(kept), edited, "the text that was found")
        folder = self.site.lab.path("elsewhere")
        os.makedirs(folder, exist_ok=True)
        for at in (folder, self.site.lab.folder):
            with open(os.path.join(at, "names.pem"), "w", encoding="utf-8") as f:
                f.write("no certificate")
        before = self.in_force()
        path = self.write("elsewhere/other.cfg", {**self.answers(200), "trust": [{"name": "t", "bundle": "names.pem"}]})
        p = dut.ctl("apply", path, check=False)
        self.verify(p.returncode == 1, f"a bundle that is none: {p.stdout}")
        self.verify_equal(self.in_force(), before, "what is in force")

    def test_no_state(self):
        """A folder that cannot be used is a warning: traffic flows, a reload works, apply is refused by name."""
        dut = self.dut
        dut.stop()
        was = dut.settings["state_dir"]
        try:
            dut.write_config({**dut.settings, **self.answers(200), "state_dir": dut.config + "/not-a-folder"})
            dut.start()
            log = dut.process.log()
            self.verify("nothing is kept over a restart" in log and "state_dir" in log, f"the log says {log}")
            self.verify_equal(self.status_of(), "200", "the answer")
            dut.reload({**dut.settings, **self.answers(404)})
            self.verify_equal(self.status_of(), "404", "the answer after a reload")
            p = dut.ctl("apply", self.write("any.cfg", self.answers(200)), check=False)
            self.verify(p.returncode == 1 and "state_dir" in p.stderr, f"apply: {p.returncode} {p.stderr}")
            self.verify("no history is kept" in dut.ctl("history").stdout, "history of nothing")
            self.verify("history" not in dut.ctl_json("status"), "a number of nothing")
        finally:
            dut.stop()
            dut.write_config({**dut.settings, **self.answers(200), "state_dir": was})
            dut.start()

    def send(self, n, *paths):
        """n requests to each path, one after the other."""
        curl(self.site.lab, "client", *[w for p in paths for _ in range(n) for w in ("-o", "/dev/null", f"http://{VIP}{p}")])

    def test_tap(self):
        """Requests as they end, those that fit and no others, each as in the access log; it ends when it has shown as many as
        were asked for. Wrong words are named."""
        self.dut.reload({**self.dut.settings, **self.answers(503)})
        after = self.dut.access_end()
        views = {"all": View(self.dut.socket, "tap"), "fixed": View(self.dut.socket, "tap", "status=5xx", "path-prefix=/fixed"),
                 "web": View(self.dut.socket, "tap", "cluster=web", "method=GET", f"authority={VIP}", "max=3"),
                 "none": View(self.dut.socket, "tap", "authority=other.example"),
                 "slow": View(self.dut.socket, "tap", "min-ms=3600000")}
        self.verify_equal({v.answer for v in views.values()}, {"ok"}, "answers to taps")
        self.send(4, "/fixed", "/web")
        seen = views["all"].lines(lambda out: len(out) == 8)

        def written():
            records = self.dut.read_access(after)[0]
            return records if len(records) == 8 else None
        records = wait_for("the access log's records", written, 10, 0.05)
        self.verify_equal([{k: v for k, v in r.items() if k != "kind"} for r in records], seen, "what a tap shows")
        fixed = views["fixed"].lines(lambda out: len(out) == 4)
        self.verify_equal({(r["path"], r["status"]) for r in fixed}, {("/fixed", 503)}, "a tap with a filter")
        web = views["web"].lines(lambda out: False)
        self.verify_equal([r["cluster"] for r in web], ["web"] * 3, "a tap of three")
        for name in ("all", "fixed", "none", "slow"):
            views[name].sock.setblocking(False)
            try:
                self.verify(not views[name].sock.recv(100), f"more for {name}")
            except BlockingIOError:
                pass
            views[name].close()
        for words, want in ((("tap", "--status", "6xx"), "write it as 503"), (("tap", "--max", "0"), "above 0"),
                            (("top", "everything"), "services, endpoints"), (("top", "--interval", "1ms"), "from 100ms"),
                            (("tap", "--sni", "x"), "no such word")):
            p = self.dut.ctl(*words, check=False)
            self.verify(p.returncode == 1 and want in p.stderr, f"{words}: {p.returncode} {p.stderr}")
        self.text()

    def text(self):
        """The tool itself: the request is sent again and again, for nobody knows when it has begun to look."""
        lab = self.site.lab
        tool = [os.path.join(self.build, "sidestepctl"), "--socket", self.dut.socket]
        tap = lab.start("tap", "client", *tool, "tap", "--path-prefix", "/seen", "--max", 2)

        def shown():
            self.send(1, "/seen")
            return not tap.running()
        wait_for("a tap of two to end", shown, 30, 0.05)
        self.verify_equal(tap.status, 0, f"the status of a tap of two, which said {tap.log()}")
        line = rf"Z 200 \S+ +GET {re.escape(VIP)}/seen  [\d.]+ ms  10\.1\.0\.1:\d+ -> web 10\.2\.0\.1[12]:80  "
        self.verify_equal(len(re.findall(line, tap.log())), 2, f"lines of\n{tap.log()}")
        for words, want in ((("top", "--once"), r"^SERVICE +RATE/S "),
                            (("top", "endpoints", "--once", "--sort", "p99"), r"^ENDPOINT +SERVICE "),
                            (("top", "connections", "--once", "--interval", "100ms", "--rows", 1), r"^CLIENT +LISTENER ")):
            p = self.dut.ctl(*words)
            self.verify(re.search(want, p.stdout, re.M), f"{words} says\n{p.stdout}")

    def test_slow_viewer(self):
        """A viewer that does not read is told how many it has missed, down to the last; the control thread waits for none, and
        who goes is forgotten."""
        view = View(self.dut.socket, "tap", "path-prefix=/fixed")
        n = 3000 if self.small else 4000  # a worker's ring has 8,192 records: none is lost on the way
        got = h2load(self.site.lab, "client", "-n", n, "-c", 4, "-m", 4, f"http://{VIP}/fixed")
        self.verify_equal(got["done"], n, "requests that were done")
        began = time.monotonic()
        self.dut.ctl("status")
        self.note(f"status beside a viewer that reads nothing: {1000 * (time.monotonic() - began):.0f} ms")
        lines, told = [], 0
        while told < n:
            got = view.lines(bool)
            self.verify(got, f"the viewer's end after {told} of {n}")
            lines += got
            told += sum(r.get("dropped", 1) for r in got)
        missed = sum(r["dropped"] for r in lines if "dropped" in r)
        self.verify_equal(told, n, "what is shown and what is said to be missed")
        self.verify(0 < missed < n, f"{missed} of {n} were missed")
        view.close()

        def again(n):
            views = [View(self.dut.socket, "top") for _ in range(n)]
            answers = sorted(v.answer for v in views)
            for v in views:
                v.close()
            return answers
        # Those that went a moment ago may still be there.
        wait_for("places for eight viewers", lambda: again(8) == ["ok"] * 8, 20, 0.1)
        wait_for("eight, and no ninth", lambda: again(9) == ["error"] + ["ok"] * 8, 20, 0.1)

    def test_top(self):
        """Tables whose sums are what was sent: by service, endpoint and connection; errors, percentiles; an endpoint that is
        ejected stands there with no request."""
        settings = self.answers(200)
        settings["clusters"].append(cluster("pair", [(ORIGINS[0], 80), (ORIGINS[2], 80)], protocol="http1", outlier={
            "consecutive_errors": 1, "max_ejection_percent": 100, "min_health_percent": 0, "base_ejection_time": "300s"}))
        settings["virtual_hosts"] = one_host([route("pair", "/pair", retry={"on": "none"}), route("web")])
        self.dut.reload({**self.dut.settings, **settings})
        views = {of: View(self.dut.socket, "top", f"of={of}", "interval=200") for of in ("services", "endpoints", "connections")}
        self.send(10, "/a")

        def total(tables, **want):
            return sum(r["requests"] for t in tables for r in t["rows"] if all(r.get(k) == v for k, v in want.items()))
        tables = views["services"].lines(lambda out: total(out, cluster="web") >= 10)
        self.verify_equal(total(tables, cluster="web"), 10, "requests of the service")
        row = next(r for t in tables for r in t["rows"] if r["cluster"] == "web")
        self.verify(0 < row["p50_us"] <= row["p95_us"] <= row["p99_us"] and row["errors"] == 0 and row["endpoints"] == 2, str(row))
        tables = views["endpoints"].lines(lambda out: total(out, cluster="web") >= 10)
        self.verify_equal([total(tables, address=f"{o}:80") for o in ORIGINS[:2]], [5, 5], "requests of each endpoint")
        tables = views["connections"].lines(lambda out: total(out, listener="in") >= 10)
        self.verify_equal(len({r["address"] for t in tables for r in t["rows"]}), 1, "connections of one curl")
        self.send(2, "/pair")

        def ejected(tables):
            return [r for t in tables for r in t["rows"] if r.get("address") == f"{ORIGINS[2]}:80" and r.get("ejected")]
        tables = views["endpoints"].lines(lambda out: ejected(out) and not ejected(out)[-1]["requests"])
        self.verify_equal(ejected(tables)[-1]["ejections"], 1, f"ejections of {ejected(tables)[-1]}")
        tables = views["services"].lines(lambda out: total(out, cluster="pair") >= 2)
        self.verify_equal(sum(r["errors"] for t in tables for r in t["rows"] if r["cluster"] == "pair"), 1, "errors of the service")
        self.verify(not any(t.get("lost") for t in tables), "records were lost")
        for v in views.values():
            v.close()
