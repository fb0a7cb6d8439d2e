"""Clients and origins that nobody here wrote, started the way an operator would."""
import json
import os
import re

from local.lab import LabError, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))


def listening(lab, ns, address, port):
    """Does something accept on address:port in the namespace? Looks at the kernel's table: no probe
    connection that would stand in an origin's log."""
    text = lab.run(ns, "ss", "-Hltn").stdout
    return re.search(rf"\s(?:{re.escape(address)}|0\.0\.0\.0|\*):{port}\s", text) is not None


def nginx(lab, ns, name, servers, extra="", core=None, connections=4096):
    """servers: text of server blocks; connections: at once, both sides. Logs request id and more to NAME.access.log in the lab's folder."""
    conf = f"""
daemon off; master_process on; user root; worker_processes 1; error_log {lab.path(name)}.error.log warn;
pid {lab.path(name)}.pid; worker_rlimit_nofile {2 * connections if connections <= 8192 else connections + 1024};
events {{ worker_connections {connections}; }}
http {{
  log_format probe '$http_x_request_id $status $request_method $request_uri $server_addr:$server_port';
  access_log {lab.path(name)}.access.log probe;
  client_body_temp_path {lab.path(name)}.body; proxy_temp_path {lab.path(name)}.proxy;
  fastcgi_temp_path {lab.path(name)}.fcgi; uwsgi_temp_path {lab.path(name)}.uwsgi;
  scgi_temp_path {lab.path(name)}.scgi;
  keepalive_requests 10000000; keepalive_timeout 600s; client_max_body_size 0;
  {extra}
  {servers}
}}
"""
    path = lab.write(f"{name}.conf", conf)
    return lab.start(name, ns, "nginx", "-p", lab.folder, "-c", path, core=core)


def wait_listening(lab, process, ns, address, port, timeout=15):
    def up():
        if not process.running():
            raise LabError(f"{process.name} ended at start:\n{process.log()[-2000:]}")
        return listening(lab, ns, address, port)
    wait_for(f"{process.name} on {address}:{port}", up, timeout)
    return process


def nghttpd(lab, ns, name, address, port, root, key=None, cert=None, ca=None, verbose=False, core=None, env=None):
    """With key and cert it speaks TLS; with ca it demands client certificates. env: more environment."""
    argv = ["nghttpd", "-a", address, "-d", root]
    if verbose:
        argv.append("-v")
    if ca:
        argv += ["--verify-client"]
    argv += [str(port)]
    if key:
        argv += [key, cert]
    else:
        argv.insert(1, "--no-tls")
    env = {**({"SSL_CERT_FILE": ca} if ca else {}), **(env or {})}
    p = lab.start(name, ns, *argv, env=env, core=core)
    return wait_listening(lab, p, ns, address, port)


def script(lab, ns, name, program, *argv):
    """A Python program of local/ under the system's Python."""
    return lab.start(name, ns, "/usr/bin/python3", "-u", os.path.join(HERE, program), *argv)


def h2_origin(lab, ns, name, addresses, port, **more):
    """Node's HTTP/2 (local/h2_origin.js) on these addresses; its records: h2_records()."""
    options = {"log": lab.path(f"{name}.jsonl"), "port": port, "addresses": addresses, **more}
    if os.path.exists(options["log"]):
        os.unlink(options["log"])  # of an earlier one
    p = lab.start(name, ns, "node", os.path.join(HERE, "h2_origin.js"), json.dumps(options))
    for a in addresses:
        wait_listening(lab, p, ns, a, port)
    return p


def h2_records(lab, name, event="request"):
    try:
        with open(lab.path(f"{name}.jsonl"), encoding="utf-8") as f:
            return [r for r in (json.loads(line) for line in f if line.endswith("\n")) if r["event"] == event]
    except FileNotFoundError:
        return []


def curl(lab, ns, *argv, check=True, timeout=60):
    return lab.run(ns, "curl", "-sS", "--max-time", timeout, *argv, check=check, timeout=timeout + 10)


def curl_code(lab, ns, *argv, timeout=30):
    """The status code; 0 when the request failed."""
    done = curl(lab, ns, "-o", "/dev/null", "-w", "%{http_code}", *argv, check=False, timeout=timeout)
    return int(done.stdout or 0)


def h2load(lab, ns, *argv, timeout=120, core=None):
    """Runs h2load to its end; returns its figures: total, done, succeeded, failed, rps, and status classes."""
    full = (["taskset", "-c", str(core)] if core is not None else []) + ["h2load", *map(str, argv)]
    return h2load_figures(lab.run(ns, *full, timeout=timeout).stdout)


def h2load_figures(text):
    m = re.search(r"requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored",
                  text)
    if not m:
        raise LabError(f"h2load printed no summary:\n{text[-1500:]}")
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    rate = re.search(r"finished in [^,]+, ([\d.]+) req/s", text)
    mean = re.search(r"time for request:\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)", text)
    keys = ("total", "started", "done", "succeeded", "failed", "errored")
    out = dict(zip(keys, map(int, m.groups())))
    out.update(zip(("2xx", "3xx", "4xx", "5xx"), map(int, codes.groups())))
    out["rps"] = float(rate[1]) if rate else 0.0
    out["mean_us"] = _microseconds(mean[3]) if mean else 0.0
    return out


def _microseconds(text):
    m = re.match(r"([\d.]+)(us|ms|s)$", text)
    return float(m[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[m[2]] if m else 0.0
