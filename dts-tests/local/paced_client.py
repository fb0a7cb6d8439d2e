#!/usr/bin/python3
"""Requests at a steady pace over several HTTP/1.1 connections with a client certificate, whatever the answers.
usage: paced_client.py ADDRESS PORT CA CERT KEY CONNECTIONS RATE SECONDS

Each connection is pipelined. Prints one JSON line: sent, answers by status, seconds from the first request to
the last, and to the last answer.
"""
import collections
import json
import re
import selectors
import socket
import ssl
import sys
import time

ADDRESS, PORT, CA, CERT, KEY = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
CONNECTIONS, RATE, SECONDS = int(sys.argv[6]), int(sys.argv[7]), float(sys.argv[8])
STEP = 0.02
REQUEST = b"GET / HTTP/1.1\r\nhost: limits\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


class Connection:
    def __init__(self):
        tls = ssl.create_default_context(cafile=CA)
        tls.check_hostname = False
        tls.load_cert_chain(CERT, KEY)
        self.sock = tls.wrap_socket(socket.create_connection((ADDRESS, PORT), 10))
        self.sock.setblocking(False)
        self.out, self.left, self.sent, self.got = b"", b"", 0, 0

    def ask(self, n):
        self.out += REQUEST * n
        self.sent += n

    def move(self, answers):
        try:
            while self.out:
                self.out = self.out[self.sock.send(self.out):]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        try:
            while True:
                piece = self.sock.recv(65536)
                if not piece:
                    raise SystemExit("the connection was closed")
                text = self.left + piece
                for m in STATUS.finditer(text):
                    answers[m[1].decode()] += 1
                    self.got += 1
                self.left = text[-12:] if not STATUS.search(text[-12:]) else b""
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass


conns = [Connection() for _ in range(CONNECTIONS)]
poll = selectors.DefaultSelector()
for c in conns:
    poll.register(c.sock, selectors.EVENT_READ, c)
answers = collections.Counter()
start = last = time.monotonic()
asked, turn = 0, 0
while last - start < SECONDS or sum(c.got for c in conns) < asked:
    now = time.monotonic()
    if now - start > SECONDS + 20:
        raise SystemExit(f"not all answers came: {sum(c.got for c in conns)} of {asked}")
    if last - start < SECONDS:
        due = int((now - start) * RATE)
        while asked < due:
            conns[turn % CONNECTIONS].ask(1)
            asked, turn = asked + 1, turn + 1
        last = now
    for c in conns:
        c.move(answers)
    poll.select(STEP)
    time.sleep(max(0.0, now + STEP - time.monotonic()) if last - start < SECONDS else 0.0)
print(json.dumps({"sent": asked, "answers": dict(answers), "seconds": last - start,
                  "answered": time.monotonic() - start}))
