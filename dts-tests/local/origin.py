#!/usr/bin/python3
"""An HTTP/1.1 origin that fails on request, on the standard library's server.
usage: origin.py ADDRESS PORT NAME LOGFILE

Every request is one line in LOGFILE: monotonic nanoseconds, name, method, path, x-request-id.
POST /control?status=N   from now on answer N (0: close the connection without an answer; -1: hang);
                         with &percent=P so only P % of the requests
GET  /size/N             N bytes;  /slow/N: N bytes, 1 KiB every 50 ms;  /delay/MS;  /headers: as JSON
POST /echo               the body back, streamed;  POST /sha256: its digest and length
GET  /hold/FILE          headers and one byte at once, the rest when FILE exists
"""
import hashlib
import json
import os
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

ADDRESS, PORT, NAME, LOG = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
state = {"status": 200, "percent": 100.0}
log = open(LOG, "a", buffering=1, encoding="utf-8")
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self):
        with lock:
            log.write(f"{time.monotonic_ns()} {NAME} {self.command} {self.path} "
                      f"{self.headers.get('x-request-id', '-')}\n")

    def body(self):
        """The request's body in pieces."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    while self.rfile.readline() not in (b"\r\n", b""):
                        pass
                    return
                left = size
                while left:
                    piece = self.rfile.read(min(left, 65536))
                    left -= len(piece)
                    yield piece
                self.rfile.readline()
        else:
            left = int(self.headers.get("content-length", 0))
            while left:
                piece = self.rfile.read(min(left, 65536))
                if not piece:
                    return
                left -= len(piece)
                yield piece

    def reply(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-origin", NAME)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def failing(self):
        """Answers as /control asked; False when all is well."""
        status = state["status"]
        if status == 200 or random.random() * 100 >= state["percent"]:
            return False
        if status == -1:
            time.sleep(3600)
        if status == 0:
            self.close_connection = True
            self.connection.close()
        else:
            for _ in self.body():
                pass
            self.reply(status, f"{NAME} fails\n".encode())
        return True

    def do_GET(self):
        self.note()
        if self.failing():
            return
        path = urlparse(self.path).path
        parts = path.strip("/").split("/")
        if parts[0] == "size":
            n = int(parts[1])
            self.send_response(200)
            self.send_header("content-length", str(n))
            self.send_header("x-origin", NAME)
            self.end_headers()
            block = bytes(range(256)) * 256
            n = 0 if self.command == "HEAD" else n
            while n > 0:
                self.wfile.write(block[:n])
                n -= len(block)
        elif parts[0] == "slow":
            n = int(parts[1])
            self.send_response(200)
            self.send_header("content-length", str(n))
            self.end_headers()
            for off in range(0, n, 1024):
                self.wfile.write(b"x" * min(1024, n - off))
                self.wfile.flush()
                time.sleep(0.05)
        elif parts[0] == "delay":
            time.sleep(int(parts[1]) / 1000)
            self.reply(200, f"{NAME}\n".encode())
        elif parts[0] == "hold":
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"a")
            self.wfile.flush()
            while not os.path.exists("/" + "/".join(parts[1:])):
                time.sleep(0.02)
            self.wfile.write(b"b")
        elif parts[0] == "headers":
            self.reply(200, json.dumps(list(self.headers.items())).encode(), "application/json")
        else:
            self.reply(200, f"{NAME}\n".encode())

    do_HEAD = do_GET

    def do_POST(self):
        url = urlparse(self.path)
        if url.path == "/control":
            asked = parse_qs(url.query)
            state.update(status=int(asked["status"][0]), percent=float(asked.get("percent", ["100"])[0]))
            self.reply(200, b"ok\n")
            return
        self.note()
        if self.failing():
            return
        if url.path == "/echo":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for piece in self.body():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        digest, n = hashlib.sha256(), 0
        for piece in self.body():
            digest.update(piece)
            n += len(piece)
        self.reply(200, f"{digest.hexdigest()} {n}\n".encode())

    do_PUT = do_POST


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


Server((ADDRESS, PORT), Handler).serve_forever()
