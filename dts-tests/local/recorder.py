#!/usr/bin/python3
"""An HTTP/1.1 origin that writes down what it gets, on the standard library's server.
usage: recorder.py ADDRESS PORT LOGFILE [stall]

One JSON line per request: method, path, host, sha256 and length of the body. With "stall" it reads requests and
never answers.
"""
import hashlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS, PORT, LOG = sys.argv[1], int(sys.argv[2]), sys.argv[3]
STALL = len(sys.argv) > 4
log = open(LOG, "a", buffering=1, encoding="utf-8")
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def log_message(self, *_):
        pass

    def pieces(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while (size := int(self.rfile.readline().split(b";")[0], 16)):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
        else:
            yield self.rfile.read(int(self.headers.get("content-length", 0)))

    def do_GET(self):
        digest, n = hashlib.sha256(), 0
        for piece in self.pieces():
            digest.update(piece)
            n += len(piece)
        with lock:
            log.write(json.dumps({"method": self.command, "path": self.path, "host": self.headers.get("host"),
                                  "sha256": digest.hexdigest(), "length": n}) + "\n")
        if STALL:
            threading.Event().wait()
        self.send_response(200)
        self.send_header("content-length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")
        self.wfile.flush()

    do_POST = do_PUT = do_GET


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


Server((ADDRESS, PORT), Handler).serve_forever()
