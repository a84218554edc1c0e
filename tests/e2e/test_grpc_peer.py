"""weft's gRPC against real gRPC (Debian's python3-grpcio), both ways round, over loopback.

The other half is tests/lib/http/grpc_interop_peer.cc. Messages are plain bytes, so no generated code is needed.
"""
import concurrent.futures
import subprocess
import threading

import grpc
import pytest

from mesh import BUILD

PEER = BUILD / "tests/lib/http/grpc_interop_peer"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
AWKWARD = "100 % déjà\nvu"


# ---- a real client calls weft ----


@pytest.fixture(scope="module")
def channel():
    server = subprocess.Popen([PEER, "serve"], stdout=subprocess.PIPE, text=True)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{int(server.stdout.readline())}", options=OPTIONS) as channel:
            yield channel
    finally:
        server.kill()
        server.communicate()


@pytest.fixture
def call(channel):
    def unary(method, message=b"", timeout=20, **more):
        return channel.unary_unary(f"/t.Echo/{method}")(message, timeout=timeout, **more)
    return unary


@pytest.fixture
def stream(channel):
    return channel.stream_stream("/t.Echo/Stream")


def fails_with(code, call, *arguments, **more):
    with pytest.raises(grpc.RpcError) as raised:
        call(*arguments, **more)
    assert raised.value.code() == code, raised.value.details()
    return raised.value.details()


@pytest.mark.parametrize("message", [b"hello", b"", b"x" * MESSAGE_BYTES_MAX], ids=["small", "empty", "largest"])
def test_a_message_comes_back(call, message):
    assert call("Unary", message) == message


def test_a_message_above_the_limit_is_refused(call):
    fails_with(grpc.StatusCode.RESOURCE_EXHAUSTED, call, "Unary", b"x" * (MESSAGE_BYTES_MAX + 1))


def test_metadata_arrives(call):
    assert call("Metadata", metadata=[("authorization", "Bearer token")]) == b"Bearer token"


def test_a_status_arrives_with_its_message(call):
    assert fails_with(grpc.StatusCode.PERMISSION_DENIED, call, "Fail") == AWKWARD


def test_an_unknown_method_is_unimplemented(call):
    fails_with(grpc.StatusCode.UNIMPLEMENTED, call, "Nothing")


def test_a_deadline_ends_a_call(call):
    fails_with(grpc.StatusCode.DEADLINE_EXCEEDED, call, "Never", timeout=0.3)


def test_compression_is_refused(call):
    fails_with(grpc.StatusCode.UNIMPLEMENTED, call, "Unary", b"x" * 1000, compression=grpc.Compression.Gzip)


def test_a_stream_comes_back_in_order(stream):
    sent = [bytes([i % 251]) * (i * 100) for i in range(300)]
    assert list(stream(iter(sent), timeout=20)) == sent


def test_a_stream_answers_while_it_is_asked(stream):
    turn = threading.Semaphore(1)

    def requests():
        for i in range(100):
            assert turn.acquire(timeout=10)
            yield str(i).encode()

    answers = []
    for answer in stream(requests(), timeout=20):
        answers.append(int(answer))
        turn.release()
    assert answers == list(range(100))


def test_a_cancelled_stream_leaves_the_connection_usable(call, stream):
    stream(iter(()), timeout=20).cancel()
    assert call("Unary", b"on") == b"on"


def test_two_hundred_calls_at_once(channel):
    unary = channel.unary_unary("/t.Echo/Unary")
    futures = [unary.future(str(i).encode(), timeout=20) for i in range(200)]
    assert [future.result() for future in futures] == [str(i).encode() for i in range(200)]


def test_health_is_answered(channel):
    health = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert health(b"", timeout=10) == b"\x08\x01"  # SERVING
    assert health(b"\x0a\x06t.Echo", timeout=10) == b"\x08\x01"
    fails_with(grpc.StatusCode.NOT_FOUND, health, b"\x0a\x01x", timeout=10)


# ---- weft calls a real server ----


class Echo(grpc.GenericRpcHandler):
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


@pytest.fixture(scope="module")
def caller():
    """What weft's client reports of its calls: {name: "PASS" or the whole line}."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Echo()], options=OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ran = subprocess.run([PEER, "call", str(port)], stdout=subprocess.PIPE, text=True, timeout=60)
    server.stop(None)
    assert ran.returncode == 0, ran.stdout
    lines = [line for line in ran.stdout.splitlines() if line.startswith(("PASS ", "FAIL "))]
    return {line[5:].split(":")[0]: "PASS" if line.startswith("PASS") else line for line in lines}


CALLS = ["unary", "large message", "metadata", "error status", "unknown method", "deadline", "stream"]


@pytest.mark.parametrize("name", CALLS)
def test_weft_calls_a_real_server(caller, name):
    assert caller.get(name) == "PASS"


def test_weft_makes_no_other_calls(caller):
    assert sorted(caller) == sorted(CALLS)
