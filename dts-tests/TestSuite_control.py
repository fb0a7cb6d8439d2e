"""Control: checked configuration, reload without loss, metrics, logs, the operator's command."""
import os
import socket
import stat
import time

from local.bench_site import ORIGIN, ORIGINS, Site, VIP, cluster, listener, one_host, route
from local.lab import sh, wait_for
from local.libconfig import dumps
from local.programs import curl, curl_code, nginx, script, wait_listening
from local.suite import TestSuite, tells_the_time

STAGES = ["port_rx", "net_in", "tcp_in", "tls_in", "http_in", "upstream", "route", "proxy", "http_out", "tls_out",
          "tcp_out", "net_out", "port_tx", "bury", "other"]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class TestControl(TestSuite):
    def set_up_suite(self):
        self.site = Site("co")
        lab = self.site.lab
        web = nginx(lab, "origin", "web", "\n".join(
            f"server {{ listen {ORIGINS[i]}:80; return 200 'o{i}'; }}" for i in range(2)))
        wait_listening(lab, web, "origin", ORIGINS[0], 80)
        wait_listening(lab, script(lab, "origin", "origin", "origin.py", ORIGIN, 8080, "o", lab.path("o.txt")),
                       "origin", ORIGIN, 8080)
        # Every turn in the ledger: a sample would say of a worker that waits for its core what chance says.
        self.dut = self.site.appliance(self.build, {"workers": {"count": 2, "stage_sampling": 1},
                                                    **self.settings(100, 0)}).start()

    def tear_down_suite(self):
        try:
            self.dut.stop()
        finally:
            self.site.close()

    def settings(self, weight, generation):
        return {"listeners": [listener(80)],
                "virtual_hosts": one_host([
                    route("hold", prefix="/hold", timeout="60s"),
                    route({"a": weight, "b": 100 - weight} if 0 < weight < 100 else "a", response_headers={
                        "set": [{"name": "x-generation", "value": str(generation)}]})]),
                "clusters": [cluster("a", [(ORIGINS[0], 80)], protocol="http1"),
                             cluster("b", [(ORIGINS[1], 80)], protocol="http1"),
                             cluster("hold", [(ORIGIN, 8080)], protocol="http1")]}

    def full(self, weight, generation):
        return {**self.dut.settings, **self.settings(weight, generation)}

    def status(self):
        return self.dut.ctl_json("status")

    def generation(self):
        out = curl(self.site.lab, "client", "-D", "-", "-o", "/dev/null", f"http://{VIP}/").stdout.lower()
        return int(out.split("x-generation:")[1].split()[0])

    def test_check(self):
        """--check prints every error of a file at once, with file, line and key, and fails; a good file passes."""
        lab = self.site.lab
        program = os.path.join(self.build, "sidestep")
        done = sh(program, "--check", self.dut.config, check=False)
        self.verify_equal(done.returncode, 0, "good file: " + done.stdout + done.stderr)
        bad = self.full(90, 0)
        bad["listeners"] = [dict(listener(80), port=99999), dict(listener(80), name="two", portt=1)]
        bad["clusters"] = [dict(cluster("a", [("10.2.0.11", 80)]), connect_timeout="5 parsecs")]
        bad["virtual_hosts"] = one_host([route({"a": 60, "nowhere": 30})])
        path = lab.write("bad.cfg", dumps(bad))
        done = sh(program, "--check", path, check=False)
        text = done.stdout + done.stderr
        self.verify(done.returncode != 0, "a bad file passed")
        for word in ("99999", "portt", "connect_timeout", "nowhere"):
            lines = [line for line in text.splitlines() if word in line]
            self.verify(lines and f"{path}:" in lines[0], f"no line names {word} with its place:\n{text}")
        self.verify("100" in text, f"the weights' sum was not refused:\n{text}")
        path = lab.write("syntax.cfg", "listeners = (\n{ name = ;\n")
        done = sh(program, "--check", path, check=False)
        self.verify(done.returncode != 0 and f"{path}:2" in done.stdout + done.stderr, done.stdout + done.stderr)

    def test_shipped_configurations(self):
        """config/sidestep.cfg and the examples are accepted by --check (files they name apart)."""
        program = os.path.join(self.build, "sidestep")
        folder = os.path.join(ROOT, "config")
        files = [os.path.join(folder, "sidestep.cfg")]
        files += [os.path.join(folder, "examples", f) for f in sorted(os.listdir(os.path.join(folder, "examples")))
                  if f.endswith(".cfg")]
        self.verify(len(files) >= 3, f"only {files}")
        for path in files:
            done = sh(program, "--check", path, check=False)
            errors = [line for line in done.stderr.splitlines()
                      if line.startswith(path + ":") and ".pem" not in line and ".key" not in line
                      and ".ocsp" not in line and ".crt" not in line
                      and "jwks.json" not in line]
            self.verify(not errors, "\n".join(errors))

    def test_socket_mode(self):
        """The control socket is a Unix socket of mode 0600."""
        mode = os.stat(self.dut.socket).st_mode
        self.verify(stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode))

    def test_words(self):
        """Every word of sidestepctl answers; an unknown one fails."""
        for word in ("status", "stats", "stages", "clusters", "config", "flows"):
            self.verify(self.dut.ctl(word).stdout.strip(), f"{word} printed nothing")
            self.dut.ctl_json(word)
        self.verify(self.dut.ctl("nonsense", check=False).returncode != 0, "nonsense was accepted")
        config = self.dut.ctl("config").stdout
        self.verify("PRIVATE" not in config, "a private key was printed")

    @tells_the_time
    def test_stages(self):
        """Under load `stages --for` shows every stage, in the order of the line; the stages of each worker sum to
        its busy time within 5 %, so do its metrics; those that carry the load have some of it."""
        load = self.site.lab.start("stages", "client", "h2load", "-D", 60, "-c", 4, "-m", 4, f"http://{VIP}/")
        try:
            wait_for("requests", lambda: (self.dut.metric("sidestep_requests_total") or 0) > 100, 10)
            got = self.dut.ctl_json("--for", "3s", "stages")
        finally:
            load.kill()
        # A worker that got no connection has had too few turns to share out; one of the two has got some.
        loaded = [b for b in got["workers"] + [got["all"]] if b["sampled"]["turns"] > 320]
        self.verify(len(loaded) > 1, f"sampled turns: {[b['sampled']['turns'] for b in got['workers']]}")
        for block in loaded:
            self.verify(0.95 <= block["sum_of_busy"] <= 1.05, f"stages share out {block['sum_of_busy']} of busy time")
            self.verify(0.95 <= block["sum_of_sampled"] <= 1.05, f"and to {block['sum_of_sampled']} of sampled turns")
        self.note(f"stages: {got['all']['sum_of_busy']:.4f} of busy time; "
                  f"marks alone: {got['all']['marks_of_busy']:.4f}, every turn being sampled")
        stages = got["all"]["stages"]
        self.verify_equal([s["stage"] for s in stages], STAGES, "stages")
        idle = [s["stage"] for s in stages if not s["sampled_ns"] and s["stage"] != "tls_out"]
        self.verify(not idle, f"no time in {idle}")
        self.verify(abs(sum(s["share"] for s in stages) - 1) < 0.001, "shares do not sum to 1")
        whole, parts = got["all"]["busy_ns_per_request"], sum(s["ns_per_request"] for s in stages)
        self.verify(abs(parts / whole - 1) < 0.01, f"{parts} ns per request in stages, {whole} busy")
        self.verify_equal(len(got["workers"]), 2, "workers")
        text = self.dut.ctl("stages").stdout
        for word in STAGES + ["worker 1", "all workers", "busy turns sampled"]:
            self.verify(word in text, f"no {word} in\n{text}")
        for worker in "01":
            # All busy time is shared out among the stages, that of marks too; a load that has ended leaves a rest.
            metric = self.dut.metric("sidestep_stage_seconds_total", worker=worker)
            busy = self.dut.metric("sidestep_busy_seconds_total", worker=worker)
            if self.dut.metric("sidestep_sampled_turns_total", worker=worker) > 320:
                self.verify(0.95 < metric / busy < 1.05, f"worker {worker}: {metric} s in stages, {busy} s busy")
        self.verify(self.dut.ctl("--for", "5 parsecs", "stages", check=False).returncode != 0, "a bad time passed")

    def test_reload_under_load(self):
        """50 reloads under load, each changing a weight and a header: no failed request, the first request
        after the acknowledgement carries the change, live snapshots return to one - also with a stream held
        open throughout. The configuration's hash is the same in status, metrics and log."""
        lab = self.site.lab
        rounds = 10 if self.small else 50
        go = lab.path("held-go")
        held = lab.start("held", "client", "curl", "-sS", "-m", "170", f"http://{VIP}/hold{go}")
        wait_for("the held stream", lambda: (self.dut.metric("sidestep_exchanges") or 0) >= 1, 10)
        enough, before = lab.path("load-enough"), self.dut.metric("sidestep_requests_total")
        load = lab.start("load", "client", "sh", "-c",
                         f"until [ -e {enough} ]; do h2load -D 2 -c 4 -m 4 http://{VIP}/ || exit 1; done")
        wait_for("load", lambda: self.dut.metric("sidestep_requests_total") > before + 100)
        try:
            for i in range(1, rounds + 1):
                self.dut.reload(self.full(50 + i % 40, i))
                self.verify_equal(self.generation(), i, f"first request after reload {i}")
            wait_for("one live snapshot", lambda: self.status()["live_snapshots"] == 1, 10, 0.1)
            self.verify(held.running(), "the held stream ended: " + held.log())
        finally:
            lab.write("held-go", "")
            lab.write("load-enough", "")
        self.verify_equal(held.wait(20), 0, "the held stream")
        self.verify("ab" in held.log(), held.log())
        self.verify_equal(load.wait(60), 0, "the load's end: " + load.log()[-800:])
        text = load.log()
        runs = text.count("finished in ")
        self.note(f"{runs} times two seconds of load")
        self.verify(runs and text.count(" 0 failed, 0 errored") == text.count(" 0 4xx, 0 5xx") == runs, text[-1500:])
        digest = self.status()["config_hash"]
        self.verify(f'hash="{digest}"' in self.dut.metrics(), "hash in the metrics")
        self.verify(digest in self.dut.process.log(), "hash in the log")

    test_reload_under_load.seconds = 240

    def test_bad_reload(self):
        """A bad file is refused with every error and leaves the running configuration untouched."""
        before = self.status()
        self.dut.reload(self.full(50, 777))
        good = self.full(50, 777)
        done = self.dut.reload({**good, "listeners": [dict(listener(80), port=-1)]}, check=False)
        self.verify(done.returncode != 0 and "port" in done.stdout + done.stderr, done.stdout + done.stderr)
        self.verify_equal(self.generation(), 777, "generation in use")
        with open(self.dut.config, "w", encoding="utf-8") as f:
            f.write("this is not libconfig {{{")
        self.verify(self.dut.reload(check=False).returncode != 0, "garbage was accepted")
        self.verify_equal(self.generation(), 777, "generation in use")
        # A key that is read at start only cannot be changed by a reload: it is named.
        done = self.dut.reload({**good, "workers": {"count": 4}}, check=False)
        self.verify(done.returncode != 0 and "workers" in done.stdout + done.stderr, done.stdout + done.stderr)
        self.dut.reload(good)
        self.verify(before["pid"] == self.status()["pid"], "it restarted")

    def test_sighup(self):
        """SIGHUP reloads like the command."""
        self.dut.write_config(self.full(50, 888))
        self.dut.process.signal(1)
        wait_for("the new generation", lambda: self.generation() == 888, 10, 0.1)

    def test_listener_change(self):
        """A reload adds a listener and removes it again; the other listener's traffic is not disturbed."""
        more = self.full(50, 900)
        more["listeners"] = more["listeners"] + [listener(8088, "second")]
        self.dut.reload(more)
        self.verify_equal(curl_code(self.site.lab, "client", f"http://{VIP}:8088/"), 200, "the new listener")
        self.dut.reload(self.full(50, 901))
        self.verify_equal(curl_code(self.site.lab, "client", "-m", "3", f"http://{VIP}:8088/"), 0, "removed")
        self.verify_equal(curl_code(self.site.lab, "client", f"http://{VIP}/"), 200, "the first listener")

    def test_prometheus(self):
        """promtool finds nothing to complain about; Debian's Prometheus scrapes and answers a query; requests,
        latency, drops, pools and busy time are there."""
        lab = self.site.lab
        text = self.dut.metrics()
        path = lab.write("metrics.txt", text)
        with open(path, encoding="utf-8") as f:
            done = sh("promtool", "check", "metrics", check=False, stdin=f)
        self.verify(done.returncode == 0 and not (done.stdout + done.stderr).strip(), done.stdout + done.stderr)
        for name in ("sidestep_requests_total", "sidestep_request_duration_seconds_bucket", "sidestep_drops_total",
                     "sidestep_busy_seconds_total", "sidestep_idle_seconds_total", "sidestep_tcp_conns"):
            self.verify(name in text, f"{name} is missing")
        conf = lab.write("prometheus.yml", "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: sidestep\n"
                         "  static_configs: [{targets: ['127.0.0.1:9901']}]\n")
        prom = lab.start("prometheus", "dut", "prometheus", f"--config.file={conf}",
                         f"--storage.tsdb.path={lab.path('tsdb')}", "--web.listen-address=127.0.0.1:9090")

        def scraped():
            if not prom.running():
                raise AssertionError(prom.log()[-1500:])
            out = lab.run("dut", "curl", "-s", "http://127.0.0.1:9090/api/v1/query?query=sum(sidestep_requests_total)",
                          check=False).stdout
            return '"value"' in out
        try:
            wait_for("a scrape", scraped, 40, 0.5)
        finally:
            prom.kill()

    def test_access_log(self):
        """One JSON line per request with what an operator needs."""
        before = self.dut.access_end()  # a load ran before: what it left need not be read
        curl(self.site.lab, "client", "-H", "x-request-id: log-me", "-A", "probe/1", f"http://{VIP}/p?q=1")
        r = self.dut.wait_access(lambda r: r.get("request_id") == "log-me", after=before)
        for key, want in (("method", "GET"), ("path", "/p?q=1"), ("status", 200), ("authority", VIP),
                          ("protocol", "HTTP/1.1"), ("listener", "in"), ("virtual_host", "all")):
            self.verify_equal(r.get(key), want, key)
        self.verify(r["cluster"] in "ab" and r["upstream"].endswith(":80") and r["downstream"].startswith("10.1.0.1:"),
                    str(r))
        self.verify(0 < r["duration_us"] < 5e6 and "time" in r, str(r))

    def test_two_instances(self):
        """A second process on the same control socket or with a taken listener is refused with a clear error,
        and the first one goes on."""
        program = os.path.join(self.build, "sidestep")
        done = self.site.lab.run("dut", program, "-c", self.dut.config, check=False, timeout=40)
        self.verify(done.returncode not in (0, 99), f"a second instance started:\n{done.stdout}{done.stderr}")
        self.verify_equal(curl_code(self.site.lab, "client", f"http://{VIP}/"), 200, "the first one")

    def test_no_root(self):
        """Without root the error says what is missing."""
        done = sh("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", os.path.join(self.build, "sidestep"),
                  "-c", self.dut.config, check=False)
        self.verify(done.returncode != 0, "started without root")
        self.verify(len((done.stdout + done.stderr).strip()) > 0, "no message")

    @tells_the_time
    def test_silent_operator(self):
        """Half a command and then silence on the control socket holds up neither requests nor other commands."""
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.dut.socket)
        s.sendall(b"stat")  # half a command, then silence
        begun = time.monotonic()
        self.verify_equal(curl_code(self.site.lab, "client", f"http://{VIP}/"), 200, "requests")
        self.verify(self.dut.ctl("status").returncode == 0, "another command")
        self.verify(time.monotonic() - begun < 10, "slow")
        s.close()
