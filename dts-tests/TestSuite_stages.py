"""The stage ledger against an outside client: a known wait in one stage is found there, and by the client."""
import os
import statistics

from local import load
from local.bench_site import ORIGIN, Site, VIP, cluster, listener, one_host, route
from local.idle import IdlePolls
from local.lab import sh
from local.programs import nginx, wait_listening
from local.suite import TestSuite, tells_the_time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SPIN_US = 20
REQUESTS, ROUNDS = 4000, 5


class TestStages(TestSuite):
    def set_up_suite(self):
        self.site = Site("sg")
        lab = self.site.lab
        web = nginx(lab, "origin", "web", f"server {{ listen {ORIGIN}:80; access_log off; return 200 'ok'; }}", core=1)
        load.favour(wait_listening(lab, web, "origin", ORIGIN, 80))

    def tear_down_suite(self):
        self.site.close()

    def build_with_spin(self, stage):
        """A tree beside the build folder, in which every request waits in that stage; its folder."""
        folder = os.path.join(os.path.dirname(self.build), "build-spin")
        spin = f"-Dspin={stage}:{SPIN_US * 1000}"
        if os.path.exists(os.path.join(folder, "build.ninja")):
            sh("meson", "configure", folder, spin)
        else:
            sh("meson", "setup", folder, spin, cwd=ROOT)
        sh("ninja", "-C", folder, "sidestep", "sidestepctl", timeout=900)
        return folder

    def measure(self, build, name):
        """One request at a time for some thousand requests: the client's median, and each stage's time, in us."""
        lab = self.site.lab
        dut = self.site.appliance(build, {
            "workers": {"count": 1, "cores": [0], "control_core": 0, "stage_sampling": 1},
            "listeners": [listener(80)], "virtual_hosts": one_host([route("origin")]),
            "clusters": [cluster("origin", [(ORIGIN, 80)], protocol="http1")]}, name=name)
        del dut.settings["access_log"]
        dut.write_config()
        dut.start()
        try:
            log = lab.path(f"{name}.times")
            load.favour(dut.process)
            client = lab.start("h2load", "client", "h2load", "--h1", "-n", REQUESTS, "-c", 1, "-m", 1, "--log-file", log,
                               f"http://{VIP}/", core=1)
            load.favour(client)
            client.wait(60)
            with open(log, encoding="ascii") as f:
                rows = [line.split() for line in f]
            self.verify_equal([r[1] for r in rows], ["200"] * REQUESTS, "statuses")
            got = dut.ctl_json("stages")["all"]
            return (statistics.median(int(r[2]) for r in rows),
                    {s["stage"]: s["ns_per_request"] / 1000 for s in got["stages"]})
        finally:
            dut.stop()

    @tells_the_time
    def test_spin(self):
        """A build that waits 20 us for every request in http_in, beside one that does not, in turn: the row
        http_in grows by 20 us (20 % to spare), more than any other, and so does the median that h2load sees."""
        if not self.long:
            self.skip("needs a build of its own: --long")
        stage = "http_in"
        builds = {"plain": self.build, "spin": self.build_with_spin(stage)}
        runs = {name: [] for name in builds}
        for i in range(ROUNDS):
            for name in builds:
                # 20 us more may be what an idle CPU halts after; waking it would be the sender's and the client's.
                with IdlePolls():
                    runs[name].append(self.measure(builds[name], f"{name}{i}"))
        seen = statistics.median(s[0] - p[0] for p, s in zip(runs["plain"], runs["spin"]))
        grown = {row: statistics.median(s[1][row] - p[1][row] for p, s in zip(runs["plain"], runs["spin"]))
                 for row in runs["plain"][0][1]}
        self.note(f"client's median: {[r[0] for r in runs['plain']]} us, with the wait {[r[0] for r in runs['spin']]} us; "
                  f"{seen:.1f} us more; rows: " + ", ".join(f"{k} {v:+.1f}" for k, v in grown.items()))
        self.verify_equal(max(grown, key=grown.get), stage, "the row that grew most")
        for what, us in (("row", grown[stage]), ("client's median", seen)):
            self.verify(0.8 * SPIN_US <= us <= 1.2 * SPIN_US, f"the {what} grew by {us:.1f} us, not {SPIN_US}")

    test_spin.seconds = 1200
