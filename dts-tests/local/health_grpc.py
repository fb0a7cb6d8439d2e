#!/usr/bin/python3
"""grpc.health.v1.Health/Check on grpcio, with bytes as messages. (grpcio imports whatever is called grpc_health.)
usage: health_grpc.py ADDRESS PORT FILE LOG

FILE has a line for each service, "NAME STATUS" (NAME - is the server as a whole; STATUS a number, 1 is SERVING), read
at each call. A service that is not there is NOT_FOUND. Every call is one line in LOG: the service's name.
"""
import sys
from concurrent import futures

import grpc

ADDRESS, PORT, FILE, LOG = sys.argv[1:5]


class Health(grpc.GenericRpcHandler):
    def service(self, details):
        if details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self.check)

    @staticmethod
    def check(message, call):
        name = message[2:].decode() if message else "-"
        assert not message or message[0] == 0x0a and message[1] == len(message) - 2, message
        with open(LOG, "a", encoding="utf-8") as f:
            f.write(name + "\n")
        with open(FILE, encoding="utf-8") as f:
            known = dict(line.split() for line in f)
        if name not in known:
            call.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return bytes([0x08, int(known[name])])


server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((Health(),))
if not server.add_insecure_port(f"{ADDRESS}:{PORT}"):
    sys.exit("cannot bind")
server.start()
server.wait_for_termination()
