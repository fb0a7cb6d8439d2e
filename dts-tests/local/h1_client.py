#!/usr/bin/python3
"""One case of HTTP/1.1 by the standard library's http.client; prints "ok".  usage: h1_client.py HOST PORT CASE"""
import http.client
import socket
import sys

HOST, PORT, CASE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
BODY = bytes(range(256)) * 1000


def connect():
    return http.client.HTTPConnection(HOST, PORT, timeout=20)


def ask(conn, method, path, body=None, headers=None, chunked=False):
    conn.request(method, path, body, headers or {}, encode_chunked=chunked)
    answer = conn.getresponse()
    return answer, answer.read()


def keep_alive():
    """All methods and framings on one connection."""
    conn = connect()
    for i in range(20):
        answer, got = ask(conn, "GET", f"/size/{i * 7}")
        assert answer.status == 200 and len(got) == i * 7, (i, answer.status, len(got))
        if i == 0:
            port = conn.sock.getsockname()[1]
    answer, got = ask(conn, "HEAD", "/size/1000")
    assert got == b"" and answer.getheader("content-length") == "1000", answer.getheaders()
    answer, got = ask(conn, "POST", "/echo", BODY)
    assert got == BODY, len(got)
    pieces = iter([BODY[:1], BODY[1:5000], BODY[5000:]])
    answer, got = ask(conn, "POST", "/echo", pieces, {"Transfer-Encoding": "chunked"}, chunked=True)
    assert got == BODY, len(got)
    answer, got = ask(conn, "POST", "/echo", b"")
    assert answer.status == 200 and got == b"", answer.status
    answer, got = ask(conn, "PUT", "/sha256", BODY)
    assert got.split()[1] == str(len(BODY)).encode(), got
    assert conn.sock.getsockname()[1] == port, "another connection was opened"
    answer, got = ask(conn, "GET", "/size/3", headers={"Connection": "close"})
    assert answer.getheader("connection") == "close" and len(got) == 3, answer.getheaders()


def old_version():
    """HTTP/1.0: one answer and the end; with keep-alive, two."""
    conn = connect()
    conn._http_vsn, conn._http_vsn_str = 10, "HTTP/1.0"
    answer, got = ask(conn, "GET", "/size/100")
    assert len(got) == 100 and answer.getheader("connection") == "close", answer.getheaders()
    conn.close()
    # A chunked answer has to come without chunks.
    answer, got = ask(conn, "POST", "/echo", BODY)
    assert got == BODY and answer.getheader("transfer-encoding") is None, answer.getheaders()
    conn.close()
    for _ in range(2):
        answer, got = ask(conn, "GET", "/size/9", headers={"Connection": "keep-alive"})
        assert len(got) == 9 and answer.getheader("connection") == "keep-alive", answer.getheaders()


def half_closed():
    """The client ends its direction behind the request and still gets the whole answer."""
    s = socket.create_connection((HOST, PORT), 20)
    s.sendall(b"GET /size/200000 HTTP/1.1\r\nHost: t\r\n\r\n")
    s.shutdown(socket.SHUT_WR)
    got = b""
    while piece := s.recv(65536):
        got += piece
    assert len(got.split(b"\r\n\r\n", 1)[1]) == 200000, len(got)


def byte_by_byte():
    """A request in pieces of one byte."""
    s = socket.create_connection((HOST, PORT), 20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for b in b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\na: b\r\n\r\n":
        s.sendall(bytes([b]))
    got = b""
    while b"0\r\n\r\n" not in got:
        piece = s.recv(65536)
        assert piece, got
        got += piece
    assert b"hello" in got, got


{"keep_alive": keep_alive, "old_version": old_version, "half_closed": half_closed, "byte_by_byte": byte_by_byte}[CASE]()
print("ok")
