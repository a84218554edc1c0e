#!/usr/bin/env python3
"""weft's gRPC against real gRPC (the pip package grpcio), both ways round, over loopback.

usage: grpc_interop_test.py PATH/TO/grpc_interop_peer
Needs grpcio: python3 -m venv V && V/bin/pip install grpcio && V/bin/python grpc_interop_test.py build/tests/lib/http/grpc_interop_peer
Messages are plain bytes, so no generated code is needed.
"""
import concurrent.futures
import subprocess
import sys
import threading

import grpc

AWKWARD = "100 % déjà\nvu"
RESULTS = []


def report(name, held, why=""):
    RESULTS.append(held)
    print(f"{'ok  ' if held else 'FAIL'} {name}{'' if held else ': ' + why}", flush=True)


def check(name):
    """Runs a test at once; what it raises is its failure."""
    def run(test):
        try:
            test()
        except Exception as error:  # a test may fail in any way
            report(name, False, repr(error))
        else:
            report(name, True)
    return run


def fails_with(code, call):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()} {error.details()}"
        return error
    raise AssertionError(f"expected {code}")


def real_client_calls_weft(peer):
    server = subprocess.Popen([peer, "serve"], stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline())
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=options)
    unary = {name: channel.unary_unary(f"/t.Echo/{name}") for name in ("Unary", "Metadata", "Fail", "Never", "Nothing")}
    stream = channel.stream_stream("/t.Echo/Stream")

    @check("real client: unary")
    def _():
        assert unary["Unary"](b"hello", timeout=10) == b"hello"

    @check("real client: empty message")
    def _():
        assert unary["Unary"](b"", timeout=10) == b""

    @check("real client: large message")
    def _():
        large = b"x" * (4 * 1024 * 1024)
        assert unary["Unary"](large, timeout=20) == large

    @check("real client: a message above the limit")
    def _():
        fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: unary["Unary"](b"x" * (4 * 1024 * 1024 + 1), timeout=20))

    @check("real client: metadata")
    def _():
        assert unary["Metadata"](b"", timeout=10, metadata=[("authorization", "Bearer token")]) == b"Bearer token"

    @check("real client: error status")
    def _():
        error = fails_with(grpc.StatusCode.PERMISSION_DENIED, lambda: unary["Fail"](b"", timeout=10))
        assert error.details() == AWKWARD, error.details()

    @check("real client: unknown method")
    def _():
        fails_with(grpc.StatusCode.UNIMPLEMENTED, lambda: unary["Nothing"](b"", timeout=10))

    @check("real client: deadline")
    def _():
        fails_with(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: unary["Never"](b"", timeout=0.3))

    @check("real client: compression is refused")
    def _():
        fails_with(grpc.StatusCode.UNIMPLEMENTED,
                   lambda: unary["Unary"](b"x" * 1000, timeout=10, compression=grpc.Compression.Gzip))

    @check("real client: stream")
    def _():
        sent = [bytes([i % 251]) * (i * 100) for i in range(300)]
        assert list(stream(iter(sent), timeout=20)) == sent

    @check("real client: ping-pong on a stream")
    def _():
        turn = threading.Semaphore(1)

        def requests():
            for i in range(100):
                assert turn.acquire(timeout=10)
                yield str(i).encode()
        for i, answer in enumerate(stream(requests(), timeout=20)):
            assert answer == str(i).encode()
            turn.release()
        assert i == 99

    @check("real client: cancelled stream")
    def _():
        call = stream(iter(()), timeout=20)
        call.cancel()
        assert unary["Unary"](b"on", timeout=10) == b"on"

    @check("real client: 200 calls at once")
    def _():
        futures = [unary["Unary"].future(str(i).encode(), timeout=20) for i in range(200)]
        assert [future.result() for future in futures] == [str(i).encode() for i in range(200)]

    @check("real client: health")
    def _():
        health = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert health(b"", timeout=10) == b"\x08\x01"  # SERVING
        assert health(b"\x0a\x06t.Echo", timeout=10) == b"\x08\x01"
        fails_with(grpc.StatusCode.NOT_FOUND, lambda: health(b"\x0a\x01x", timeout=10))

    channel.close()
    server.kill()
    server.wait()


class RealServer(grpc.GenericRpcHandler):
    def service(self, details):
        handlers = {
            "/t.Echo/Unary": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
            "/t.Echo/Metadata": grpc.unary_unary_rpc_method_handler(self.metadata),
            "/t.Echo/Fail": grpc.unary_unary_rpc_method_handler(
                lambda request, context: context.abort(grpc.StatusCode.PERMISSION_DENIED, AWKWARD)),
            "/t.Echo/Never": grpc.unary_unary_rpc_method_handler(self.never),
            "/t.Echo/Stream": grpc.stream_stream_rpc_method_handler(lambda requests, context: requests),
        }
        return handlers.get(details.method)

    @staticmethod
    def metadata(request, context):
        return dict(context.invocation_metadata())["authorization"].encode()

    @staticmethod
    def never(request, context):
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait(10)
        return b""


def weft_calls_real_server(peer):
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[RealServer()], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ran = subprocess.run([peer, "call", str(port)], stdout=subprocess.PIPE, text=True, timeout=60)
    lines = [line for line in ran.stdout.splitlines() if line[:4] in ("PASS", "FAIL")]
    for line in lines:
        report("real server: " + line[5:], line.startswith("PASS"), "see above")
    report("real server: the caller ran to its end", ran.returncode == 0 and len(lines) == 7,
           f"exit {ran.returncode}, {len(lines)} results")
    server.stop(None)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    real_client_calls_weft(sys.argv[1])
    weft_calls_real_server(sys.argv[1])
    failed = RESULTS.count(False)
    print(f"{RESULTS.count(True)} passed, {failed} failed")
    sys.exit(1 if failed else 0)
