"""HTTP/2 and gRPC through the mesh, with clients and servers that are not ours: grpcio, curl, nghttp, h2load, nghttpd."""
import json
import re

import pytest

from mesh import ROOT, Mesh, deployment, namespace, pod, service, service_account
from test_traffic import memory_stays_flat

GRPC_CLIENT = '''
import json, sys, time
import grpc
unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
channel = grpc.insecure_channel(sys.argv[1], options=unlimited)
def unary(message, **options):
    call = channel.unary_unary("/test.Echo/Unary")
    try:
        response, info = call.with_call(message, timeout=options.pop("timeout", 30), **options)
        return {"response": response.decode(), "trailers": {k: v for k, v in info.trailing_metadata()}}
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details(), "head": {k: v for k, v in (error.initial_metadata() or ())},
                "trailers": {k: v for k, v in (error.trailing_metadata() or ())}}
def each(count, size):
    for _ in range(count):
        yield b"y" * size
'''


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client", annotations={"weft.mesh/access-log": "all"}),
               service_account("stranger"), pod("stranger", account="stranger"),
               service_account("echo"), deployment("echo", "python", replicas=3, env={"APP": "grpc"}),
               service("echo", port_name="grpc"),
               service("guarded", port_name="grpc", selector={"app": "echo"}),
               service("undeclared", port_name="main", selector={"app": "echo"}),
               service_account("deaf"), deployment("deaf", "python", env={"APP": "deaf"}), service("deaf", port_name="grpc"),
               service_account("files"), deployment("files", "nghttpd"), service("files", port_name="http2"),
               service_account("few"), deployment("few", "nghttpd-5"), service("few", port_name="http2"),
               service_account("leaving"), deployment("leaving", "leaving", annotations={"weft.mesh/concurrency": "1"}),
               service("leaving", port_name="http2"),
               service_account("one"), deployment("one", "http-echo", env={"TEXT": "one"}), service("one")]
    images = {"nghttpd": "/usr/sbin/nghttpd --no-tls -d /usr/share/common-licenses 8080",
              "nghttpd-5": "/usr/sbin/nghttpd --no-tls -m 5 -d /usr/share/common-licenses 8080",
              "leaving": f"/usr/bin/python3 {ROOT}/tests/e2e/leaving_http2_app.py"}
    with Mesh(objects, images=images) as up:
        yield up


def grpc_client(mesh, code, target="echo:80", pod_name="client"):
    out = mesh.exec(pod_name, "/usr/bin/python3", "-c", GRPC_CLIENT + code, target).stdout
    return json.loads(out)


def test_the_four_shapes_of_a_call_with_status_and_trailers(mesh):
    got = grpc_client(mesh, '''
chat = channel.stream_stream("/test.Echo/Chat")(iter([b"a", b"b", b"c"]), timeout=30)
print(json.dumps({
    "unary": unary(b"hello"), "failed": unary(b"fail"),
    "download": [len(m) for m in channel.unary_stream("/test.Echo/Download")(b"5 1000", timeout=30)],
    "upload": channel.stream_unary("/test.Echo/Upload")(each(7, 1000), timeout=30).decode(),
    "chat": [m.decode() for m in chat], "unknown": channel.unary_unary("/test.Echo/Nothing").future(b"").code().name}))
''')
    assert got["unary"]["response"] == "hello" and "x-pod" in got["unary"]["trailers"]
    assert (got["failed"]["code"], got["failed"]["details"]) == ("FAILED_PRECONDITION", "as asked: ä")
    assert got["download"] == [1000] * 5
    assert got["upload"] == "7000"
    assert got["chat"] == ["a", "b", "c"]
    assert got["unknown"] == "UNIMPLEMENTED"


def test_compressed_messages_pass_both_ways(mesh):
    got = grpc_client(mesh, '''
call = channel.unary_unary("/test.Echo/Unary")
response, info = call.with_call(b"a" * 100000, timeout=30, compression=grpc.Compression.Gzip)
print(json.dumps({"size": len(response)}))
''')
    assert got == {"size": 100000}


def test_a_callers_deadline_ends_a_call_that_nobody_answers(mesh):
    """By weft, not by the caller: curl knows nothing of grpc-timeout."""
    status, headers = mesh.headers("client", "--http2-prior-knowledge", "-H", "content-type: application/grpc", "-H", "te: trailers",
                                   "-H", "grpc-timeout: 700m", "--data-binary", "", "http://deaf/test.Echo/Unary")
    assert status.startswith("HTTP/2 200")
    assert (headers["grpc-status"], headers["x-weft-error"]) == ("4", "caller-deadline"), headers


def test_a_chat_is_not_held_back_until_its_end(mesh):
    """Each message is answered before the next one is sent."""
    got = grpc_client(mesh, '''
import queue
words = queue.Queue()
answers = channel.stream_stream("/test.Echo/Chat")(iter(words.get, None), timeout=30)
turns = []
for i in range(20):
    words.put(str(i).encode())
    turns.append(next(answers).decode())
words.put(None)
print(json.dumps({"turns": turns, "rest": [m.decode() for m in answers]}))
''')
    assert got == {"turns": [str(i) for i in range(20)], "rest": []}


def test_one_long_lived_client_connection_spreads_evenly(mesh):
    """One call after the other, so that it matters to nobody how quick a pod is: all are equals, and chance decides. By
    chance one of them is further than 15 % from its share once in 50 million runs."""
    got = grpc_client(mesh, '''
pods = {}
for i in range(3000):
    name = unary(b"x")["trailers"]["x-pod"]
    pods[name] = pods.get(name, 0) + 1
print(json.dumps(pods))
''')
    print(got)
    assert len(got) == 3 and all(abs(count - 1000) <= 150 for count in got.values()), got


def test_a_hundred_megabytes_in_one_message_both_ways(mesh):
    with memory_stays_flat(mesh, "client", *(each["name"] for each in mesh.pods("echo"))):
        got = grpc_client(mesh, '''
size = 100_000_000
up = channel.stream_unary("/test.Echo/Upload")(iter([b"z" * size]), timeout=120).decode()
down = [len(m) for m in channel.unary_stream("/test.Echo/Download")(b"1 100000000", timeout=120)]
print(json.dumps({"up": up, "down": down}))
''')
    assert got == {"up": "100000000", "down": [100_000_000]}


def test_a_port_that_nobody_declared_is_found_to_be_http2(mesh):
    got = grpc_client(mesh, 'print(json.dumps(unary(b"hello")))', target="undeclared:80")
    assert got["response"] == "hello"
    assert any(json.loads(line).get("protocol") == "HTTP/2" for line in mesh.sidecar_log("client").splitlines()
               if line.startswith('{"time"') and "undeclared" in line)


def test_a_denied_call_says_so_in_the_language_of_grpc_and_names_the_rule(mesh):
    mesh.weft("annotate", "service/guarded", "weft.mesh/allow=from=default/client paths=/test.Echo/Unary")
    def denied():
        return grpc_client(mesh, 'print(json.dumps(unary(b"hello")))', pod_name="stranger").get("code") == "PERMISSION_DENIED"
    assert mesh.until(denied, 10)
    got = grpc_client(mesh, '''
print(json.dumps({"mine": unary(b"hello"), "chat": channel.stream_stream("/test.Echo/Chat")(iter([b"a"]), timeout=9).code().name}))
''')
    assert got["mine"]["response"] == "hello"
    assert got["chat"] == "PERMISSION_DENIED"
    refused = grpc_client(mesh, 'print(json.dumps(unary(b"hello")))', pod_name="stranger")
    assert "spiffe://cluster.local/ns/default/sa/stranger" in refused["details"]
    mesh.weft("annotate", "service/guarded", "weft.mesh/allow-")


def test_http1_callers_reach_an_http2_application_and_the_other_way_round(mesh):
    status, headers = mesh.headers("client", "--http1.1", "http://files/GPL-3")
    assert status.startswith("HTTP/1.1 200") and int(headers["content-length"]) > 30000
    status, _ = mesh.headers("client", "--http2-prior-knowledge", "http://one/")
    assert status.startswith("HTTP/2 200")
    assert mesh.curl("client", "--http2-prior-knowledge", "http://one/") == "one"
    assert mesh.curl("client", "--http2-prior-knowledge", "http://files/GPL-3") == open("/usr/share/common-licenses/GPL-3").read()


def test_h2load_with_many_streams_on_few_connections(mesh):
    out = mesh.exec("client", "h2load", "-n", "20000", "-c", "8", "-m", "50", "http://files/BSD", timeout=120).stdout
    assert re.search(r"20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed, 0 errored, 0 timeout", out), out
    assert "status codes: 20000 2xx" in out


@pytest.mark.parametrize("callers", [["-c", "1", "-m", "60"], ["-c", "60", "-m", "1"]])
def test_a_burst_to_an_application_of_few_streams_waits_its_turn(mesh, callers):
    """Five at a time on each connection, from the first burst on."""
    out = mesh.exec("client", "h2load", "-n", "300", *callers, "http://few/BSD", timeout=120).stdout
    assert "status codes: 300 2xx" in out, out


@pytest.mark.parametrize("callers", [["-c", "1", "-m", "50"], ["-c", "50", "-m", "1"]])
def test_connections_that_the_application_lets_go_lose_no_request_and_repeat_none(mesh, callers):
    """POST: what may have been taken must not be sent again. What a GOAWAY leaves behind was not, says RFC 9113 § 6.8."""
    count = lambda: int(mesh.curl("client", "http://leaving/count"))
    before = count()
    out = mesh.exec("client", "h2load", "-n", "2000", *callers, "-d", "/etc/hostname", "http://leaving/", timeout=120).stdout
    assert "status codes: 2000 2xx" in out, out
    assert count() - before == 2000


def test_nghttp_sees_a_clean_end(mesh):
    out = mesh.exec("client", "nghttp", "-nv", "http://files/BSD").stdout
    assert ":status: 200" in out
    assert "RST_STREAM" not in out


def test_a_plaintext_http2_caller_on_a_strict_port_is_told_why(mesh):
    """From the node, which has no sidecar."""
    address = mesh.pods("files")[0]["address"]
    out = mesh.node("curl", "-s", "-i", "-m", "10", "--http2-prior-knowledge", f"http://{address}:8080/", check=False).stdout
    assert out.startswith("HTTP/2 403") and "x-weft-error: mtls-required" in out
