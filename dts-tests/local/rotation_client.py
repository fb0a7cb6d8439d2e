#!/usr/bin/python3
"""Clients that keep their TLS connections and ask on them, one request after the other, until the server says goodbye.
usage: rotation_client.py ADDRESS PORT CA CERT KEY SECONDS PROTOCOL CLIENTS PATH

PROTOCOL: http/1.1 or h2. Prints one JSON object: requests, connections, goodbyes (connections that the server ended in
order), failed (what went wrong, as texts), serials (of certificates seen), overdue (seconds by which the latest answer came
after the end of its connection's certificate; negative: before), lives (seconds that connections lived).
"""
import http.client
import json
import socket
import ssl
import sys
import threading
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hyperframe.frame

ADDRESS, PORT, CA, CERT, KEY = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
SECONDS, PROTOCOL, CLIENTS, PATH = float(sys.argv[6]), sys.argv[7], int(sys.argv[8]), sys.argv[9]
NAME = "dut.example"


class Tls(http.client.HTTPSConnection):
    """Connects to ADDRESS and verifies NAME."""

    def connect(self):
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=NAME)


def context():
    x = ssl.create_default_context(cafile=CA)
    x.load_cert_chain(CERT, KEY)
    x.set_alpn_protocols([PROTOCOL])
    return x


class H1:
    def __init__(self, x):
        self.conn = Tls(ADDRESS, PORT, context=x, timeout=10)
        self.conn.connect()
        self.sock = self.conn.sock
        self.over = False

    def ask(self):
        self.conn.request("GET", PATH, headers={"host": NAME})
        r = self.conn.getresponse()
        self.over = r.will_close
        r.read()
        return r.status


class H2:
    def __init__(self, x):
        sock = socket.create_connection((ADDRESS, PORT), 10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = x.wrap_socket(sock, server_hostname=NAME)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        # The library's connection is over at GOAWAY; ours goes on with the streams that it has (RFC 9113 6.8).
        self.h2._frame_dispatch_table[hyperframe.frame.GoAwayFrame] = self.goaway
        self.h2.initiate_connection()
        self.over = False

    def goaway(self, frame):
        self.over = True
        return [], []

    def ask(self):
        stream, status = self.h2.get_next_available_stream_id(), None
        self.h2.send_headers(stream, [(":method", "GET"), (":scheme", "https"), (":authority", NAME), (":path", PATH)],
                             end_stream=True)
        while True:
            out = self.h2.data_to_send()
            if out:
                self.sock.sendall(out)
            got = self.sock.recv(65536)
            if not got:
                raise ConnectionError("closed before the answer")
            for e in self.h2.receive_data(got):
                if isinstance(e, h2.events.ResponseReceived):
                    status = int(dict(e.headers)[":status"])
                elif isinstance(e, h2.events.StreamReset):
                    raise ConnectionError("reset")
                elif isinstance(e, h2.events.StreamEnded):
                    self.sock.sendall(self.h2.data_to_send())
                    return status


class Client:
    def __init__(self):
        self.requests = self.connections = self.goodbyes = 0
        self.failed, self.serials, self.lives, self.overdue = [], set(), [], -1e9

    def connection(self, x, end):
        c = (H2 if PROTOCOL == "h2" else H1)(x)
        began, cert = time.time(), c.sock.getpeercert()
        until = ssl.cert_time_to_seconds(cert["notAfter"])
        self.connections += 1
        self.serials.add(cert["serialNumber"])
        while not c.over and time.time() < end:
            status = c.ask()
            self.requests += 1
            self.overdue = max(self.overdue, time.time() - until)
            if status != 200:
                self.failed.append(f"status {status}")
            time.sleep(0.005)
        self.goodbyes += c.over
        if c.over:
            self.lives.append(round(time.time() - began, 2))
        c.sock.close()

    def run(self):
        x, end = context(), time.time() + SECONDS
        while time.time() < end:
            try:
                self.connection(x, end)
            except (OSError, http.client.HTTPException, AssertionError,
                    h2.exceptions.H2Error) as e:
                self.failed.append(repr(e))
                time.sleep(0.05)


clients = [Client() for _ in range(CLIENTS)]
threads = [threading.Thread(target=c.run) for c in clients]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(json.dumps({"requests": sum(c.requests for c in clients), "connections": sum(c.connections for c in clients),
                  "goodbyes": sum(c.goodbyes for c in clients), "failed": [f for c in clients for f in c.failed],
                  "serials": sorted(set().union(*(c.serials for c in clients))),
                  "overdue": max(c.overdue for c in clients), "lives": [n for c in clients for n in c.lives]}))
