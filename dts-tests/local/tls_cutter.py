"""An HTTPS origin whose bodies end with the connection: /whole with close_notify, /cut without.

usage: tls_cutter.py ADDRESS PORT CERTIFICATE KEY
"""
import socket
import ssl
import sys
import threading


def serve(plain, context):
    try:
        conn = context.wrap_socket(plain, server_side=True)
        head = b""
        while b"\r\n\r\n" not in head:
            part = conn.recv(4096)
            if not part:
                return
            head += part
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
        conn.sendall(b"a body")
        if b" /whole " in head.split(b"\r\n")[0]:
            conn.unwrap()
        else:
            conn.shutdown(socket.SHUT_WR)  # FIN alone
            conn.recv(1)
    except (OSError, ssl.SSLError):
        pass
    finally:
        plain.close()


def main():
    address, port, cert, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server((address, int(port)))
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=serve, args=(plain, context), daemon=True).start()


main()
