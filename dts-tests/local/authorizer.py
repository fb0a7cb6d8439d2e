#!/usr/bin/python3
"""An external authorizer over HTTP that does what a request's path or x-do header says.
usage: authorizer.py ADDRESS PORT LOGFILE [CERT KEY CA]

Every check is one JSON line in LOGFILE. The word: allow, deny, login (302), user (allows, x-auth-user: alice), error (503),
stall, reset, lie (no HTTP), huge (allows with a body that is too long), hugedeny, close (allows, and closes the connection).
With CERT it speaks TLS and demands a client's certificate of CA.
"""
import json
import socket
import ssl
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS, PORT, LOG = sys.argv[1], int(sys.argv[2]), sys.argv[3]
log = open(LOG, "a", buffering=1, encoding="utf-8")
lock = threading.Lock()
never = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.command != "HEAD" else b"")

    def check(self):
        word = self.headers.get("x-do") or self.path.rstrip("/").split("/")[-1].split("?")[0]
        with lock:
            log.write(json.dumps({"method": self.command, "path": self.path, "headers": {
                k.lower(): v for k, v in self.headers.items()}}) + "\n")
        {"deny": lambda: self.reply(403, b"not you\n", x_why="policy"),
         "login": lambda: self.reply(302, b"", location="https://login.example/", set_cookie="state=1"),
         "user": lambda: self.reply(200, b"", x_auth_user="alice", set_cookie="seen=1"),
         "error": lambda: self.reply(503, b"sorry\n"),
         "stall": lambda: never.wait(60),
         "reset": self.reset,
         "lie": lambda: self.raw(b"250 this is no HTTP\r\n\r\n"),
         "huge": lambda: self.reply(200, b"x" * 200000),
         "hugedeny": lambda: self.reply(403, b"x" * 200000),
         "close": lambda: self.reply(200, b"", connection="close")}.get(word, lambda: self.reply(200))()

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = check

    def raw(self, data):
        self.wfile.write(data)
        self.close_connection = True

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def finish(self):
        try:
            super().finish()
        except (OSError, ValueError):
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


server = Server((ADDRESS, PORT), Handler)
if len(sys.argv) > 4:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[4], sys.argv[5])
    tls.load_verify_locations(sys.argv[6])
    tls.verify_mode = ssl.CERT_REQUIRED
    server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
