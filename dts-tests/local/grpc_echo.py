#!/usr/bin/python3
"""A gRPC server and its client on grpcio, with bytes as messages.
usage: grpc_echo.py serve ADDRESS PORT | call ADDRESS:PORT COUNT

call: COUNT unary calls, one bidirectional stream of COUNT messages, a server error, a deadline; prints
"ok" when every answer was right.
"""
import sys
import time
from concurrent import futures

import grpc


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        kinds = {"/echo.Echo/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
                 "/echo.Echo/Stream": grpc.stream_stream_rpc_method_handler(self.stream),
                 "/echo.Echo/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
                 "/echo.Echo/Hang": grpc.unary_unary_rpc_method_handler(self.hang)}
        return kinds.get(details.method)

    @staticmethod
    def unary(message, call):
        call.set_trailing_metadata((("x-length", str(len(message))),))
        return message

    @staticmethod
    def stream(messages, _call):
        yield from messages

    @staticmethod
    def fail(_message, call):
        call.abort(grpc.StatusCode.FAILED_PRECONDITION, "asked to fail")

    @staticmethod
    def hang(message, call):
        while call.is_active():
            time.sleep(0.01)
        return message


def serve(address, port):
    server = grpc.server(futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((Echo(),))
    if not server.add_insecure_port(f"{address}:{port}"):
        sys.exit("cannot bind")
    server.start()
    server.wait_for_termination()


def call(target, count):
    channel = grpc.insecure_channel(target)
    unary = channel.unary_unary("/echo.Echo/Unary")
    for i in range(count):
        message = bytes([i % 256]) * (i * 37 % 5000)
        answer, state = unary.with_call(message, timeout=10)
        assert answer == message, f"unary {i} differs"
        assert dict(state.trailing_metadata())["x-length"] == str(len(message)), "trailer lost"
    seen = 0
    messages = [b"m%d" % i * (i % 300 + 1) for i in range(count)]

    def source():
        # Each message is sent after the answer to the one before: true both-way streaming.
        for i, message in enumerate(messages):
            while seen < i:
                time.sleep(0.0005)
            yield message

    for answer in channel.stream_stream("/echo.Echo/Stream")(source(), timeout=60):
        assert answer == messages[seen], f"stream message {seen} differs"
        seen += 1
    assert seen == count, f"stream ended after {seen} of {count}"
    try:
        channel.unary_unary("/echo.Echo/Fail")(b"", timeout=10)
        raise AssertionError("Fail did not fail")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.FAILED_PRECONDITION and e.details() == "asked to fail", e
    try:
        channel.unary_unary("/echo.Echo/Hang")(b"", timeout=0.3)
        raise AssertionError("Hang did not hang")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.DEADLINE_EXCEEDED, e
    print("ok")


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    call(sys.argv[2], int(sys.argv[3]))
