#!/usr/bin/python3
"""Requests by Python's h2 library, and misbehaviour that ordinary clients cannot produce.
usage: h2_client.py ADDRESS PORT CASE

Cases print "ok" or what went wrong: get, post, late_end, trailers, window, ping, reset_flood, ping_flood, settings_flood,
empty_flood, continuation_flood, huge_headers, bad_preface, upper_case.
"""
import socket
import struct
import sys
import time

import h2.config
import h2.connection
import h2.events
import h2.settings

ADDRESS, PORT, CASE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
HEAD = [(":method", "GET"), (":scheme", "http"), (":authority", "test"), (":path", "/")]


class Client:
    def __init__(self, **settings):
        self.sock = socket.create_connection((ADDRESS, PORT), 10)
        self.sock.settimeout(10)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)
        self.flush()

    def flush(self):
        out = self.h2.data_to_send()
        if out:
            self.sock.sendall(out)

    def events(self):
        """Events of the next bytes; None when the server has closed."""
        try:
            got = self.sock.recv(65536)
        except ConnectionError:
            return None
        if not got:
            return None
        events = self.h2.receive_data(got)
        self.flush()
        return events

    def answer(self, stream, credit=True):
        """(status, body, trailers) of a stream."""
        status, body, trailers = None, b"", None
        while True:
            events = self.events()
            assert events is not None, "connection closed before the answer"
            for e in events:
                if getattr(e, "stream_id", None) != stream:
                    continue
                if isinstance(e, h2.events.ResponseReceived):
                    status = int(dict(e.headers)[":status"])
                elif isinstance(e, h2.events.DataReceived):
                    body += e.data
                    if credit:
                        self.h2.acknowledge_received_data(e.flow_controlled_length, stream)
                        self.flush()
                elif isinstance(e, h2.events.TrailersReceived):
                    trailers = dict(e.headers)
                elif isinstance(e, h2.events.StreamEnded):
                    return status, body, trailers
                elif isinstance(e, h2.events.StreamReset):
                    raise AssertionError(f"stream reset with {e.error_code}")


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def goaway_code(sock):
    """Reads raw frames until GOAWAY or the end; the error code, or None."""
    left = b""
    sock.settimeout(10)
    while True:
        try:
            got = sock.recv(65536)
        except (ConnectionError, socket.timeout):
            return None
        if not got:
            return None
        left += got
        while len(left) >= 9:
            n = int.from_bytes(left[:3], "big")
            if len(left) < 9 + n:
                break
            if left[3] == 7:
                return int.from_bytes(left[13:17], "big")
            left = left[9 + n:]


def flood(piece, times, want):
    """Sends a piece many times; the server must end the connection with error code `want`."""
    c = Client()
    try:
        for _ in range(times):
            c.sock.sendall(piece(c))
    except ConnectionError:
        pass
    code = goaway_code(c.sock)
    assert code is None or code in want, f"GOAWAY with {code}, want {want}"
    assert code is not None or CASE == "reset_seen", "no GOAWAY before the end"


def get():
    c = Client()
    for _ in range(3):
        s = c.h2.get_next_available_stream_id()
        c.h2.send_headers(s, HEAD, end_stream=True)
        c.flush()
        status, body, _ = c.answer(s)
        assert status == 200 and body, (status, body)


def post():
    c = Client()
    s = c.h2.get_next_available_stream_id()
    c.h2.send_headers(s, [(":method", "POST"), *HEAD[1:3], (":path", "/echo")])
    c.flush()
    sent = bytes(range(256)) * 200
    left = sent
    while left:
        n = min(len(left), c.h2.local_flow_control_window(s), c.h2.max_outbound_frame_size, 7777)
        if n == 0:
            c.events()
            continue
        c.h2.send_data(s, left[:n])
        left = left[n:]
        c.flush()
    c.h2.end_stream(s)
    c.flush()
    status, body, _ = c.answer(s)
    assert status == 200 and body == sent, (status, len(body), len(sent))


def late_end():
    """The answer is complete before the request's END_STREAM, which comes alone: nothing is reset."""
    c = Client()
    for _ in range(3):
        s = c.h2.get_next_available_stream_id()
        c.h2.send_headers(s, [(":method", "POST"), *HEAD[1:3], (":path", "/sha256"), ("content-length", "5")])
        c.h2.send_data(s, b"hello")
        c.flush()
        status, body, _ = c.answer(s)
        assert status == 200 and body.split()[1] == b"5", (status, body)
        no_reset_before_pong(c)
        c.h2.end_stream(s)
        c.flush()
        no_reset_before_pong(c)


def no_reset_before_pong(c):
    c.h2.ping(b"12345678")
    c.flush()
    while True:
        for e in c.events():
            assert not isinstance(e, h2.events.StreamReset), f"stream reset with {e.error_code}"
            if isinstance(e, h2.events.PingAckReceived):
                return


def window():
    """A window of 100 bytes: the body comes in pieces of at most that."""
    c = Client(**{})
    c.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 100})
    c.flush()
    s = c.h2.get_next_available_stream_id()
    c.h2.send_headers(s, [*HEAD[:3], (":path", "/size/5000")], end_stream=True)
    c.flush()
    status, body, _ = c.answer(s)
    assert status == 200 and len(body) == 5000, (status, len(body))


def ping():
    c = Client()
    c.h2.ping(b"12345678")
    c.flush()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for e in c.events() or []:
            if isinstance(e, h2.events.PingAckReceived):
                assert e.ping_data == b"12345678"
                return
    raise AssertionError("no PING answer")


def reset_flood():
    """CVE-2023-44487: streams opened and reset at once."""
    def piece(c):
        s = c.h2.get_next_available_stream_id()
        c.h2.send_headers(s, HEAD, end_stream=True)
        c.h2.reset_stream(s, 8)
        return c.h2.data_to_send()
    flood(piece, 5000, (11,))


def ping_flood():
    flood(lambda c: frame(6, 0, 0, b"x" * 8) * 50, 2000, (11,))


def settings_flood():
    flood(lambda c: frame(4, 0, 0, struct.pack(">HI", 3, 100)) * 50, 2000, (11,))


def empty_flood():
    opened = []

    def piece(c):
        if not opened:
            opened.append(c.h2.get_next_available_stream_id())
            c.h2.send_headers(1, [(":method", "POST"), *HEAD[1:]])
            return c.h2.data_to_send()
        return frame(0, 0, 1) * 100
    flood(piece, 1000, (11,))


def continuation_flood():
    """CVE-2024-27316: CONTINUATION without end."""
    opened = []

    def piece(c):
        if not opened:
            opened.append(1)
            return frame(1, 0, 1, b"\x82\x84\x86")
        return frame(9, 0, 1, b"\x40\x01a\x01b" * 100)
    flood(piece, 20000, (11, 1))


def huge_headers():
    c = Client()
    s = c.h2.get_next_available_stream_id()
    c.h2.send_headers(s, HEAD + [(f"x-{i}", "e" * 900) for i in range(90)], end_stream=True)
    c.flush()
    try:
        status, _, _ = c.answer(s)
        assert status == 431, status
    except AssertionError as e:
        assert "reset" in str(e), e
    s = c.h2.get_next_available_stream_id()
    c.h2.send_headers(s, HEAD, end_stream=True)
    c.flush()
    assert c.answer(s)[0] == 200, "the connection did not survive"


def bad_preface():
    sock = socket.create_connection((ADDRESS, PORT), 10)
    sock.sendall(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(4, 0, 0))
    assert goaway_code(sock) in (1, None)


def upper_case():
    """Malformed request (upper-case name): stream error, not a connection error (RFC 9113 8.1.1)."""
    c = Client()
    s = c.h2.get_next_available_stream_id()
    c.h2.send_headers(s, HEAD + [("X-Upper", "1")], end_stream=True)
    c.flush()
    refused = False
    while not refused:
        events = c.events()
        assert events is not None, "connection closed"
        for e in events:
            refused = refused or isinstance(e, h2.events.StreamReset) or (
                isinstance(e, h2.events.ResponseReceived) and dict(e.headers)[":status"] == "400")
    s = c.h2.get_next_available_stream_id()
    c.h2.send_headers(s, HEAD, end_stream=True)
    c.flush()
    assert c.answer(s)[0] == 200


try:
    globals()[CASE]()
except AssertionError as e:
    print(f"{CASE}: {e}")
    sys.exit(1)
print("ok")
