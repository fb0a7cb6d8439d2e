"""Operations: another configuration is put in force, kept, and taken back."""
import json
import os
import re

from local.bench_site import ORIGINS, VIP, Site, cluster, listener, one_host, route
from local.lab import wait_for
from local.libconfig import dumps
from local.programs import curl, nginx, wait_listening
from local.suite import TestSuite


class TestOperations(TestSuite):
    def set_up_suite(self):
        self.site = Site("ops")
        lab = self.site.lab
        web = nginx(lab, "origin", "web", "\n".join(
            f"server {{ listen {ORIGINS[i]}:80; location / {{ return 200 'o{i}'; }} }}" for i in range(2)))
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
