#!/usr/bin/python3
"""gRPC servers (grpcio) that fail by share in their trailers, after a message; and a client that calls without an end.
usage: grpc_share.py serve ADDRESS PORT:NAME:FAIL_PERCENT... | call ADDRESS:PORT
"""
import sys
from concurrent import futures

import grpc


class Share(grpc.GenericRpcHandler):
    def __init__(self, name, percent):
        self.name, self.percent, self.owed = name.encode(), float(percent), 0.0

    def service(self, details):
        return grpc.unary_stream_rpc_method_handler(self.add)

    def add(self, _message, call):
        yield self.name
        self.owed += self.percent / 100
        if self.owed >= 1:
            self.owed -= 1
            call.abort(grpc.StatusCode.UNAVAILABLE, "by share")


def serve(address, shares):
    servers = []
    for share in shares:
        port, name, percent = share.split(":")
        server = grpc.server(futures.ThreadPoolExecutor(1))  # one call at a time: the share is kept exactly
        server.add_generic_rpc_handlers((Share(name, percent),))
        if not server.add_insecure_port(f"{address}:{port}"):
            sys.exit("cannot bind")
        server.start()
        servers.append(server)
    servers[0].wait_for_termination()


def call(target):
    add = grpc.insecure_channel(target).unary_stream("/shop.Cart/Add")
    while True:
        try:
            list(add(b"milk", timeout=60))
        except grpc.RpcError:
            pass


if sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3:])
else:
    call(sys.argv[2])
