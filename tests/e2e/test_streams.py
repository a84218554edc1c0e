"""Long streams whose reader or writer is slow: over HTTP/1, HTTP/2 and gRPC memory stays flat and the order is kept."""
import json
import pathlib
import subprocess
import time

import pytest

from mesh import ROOT, WEFT, Mesh, deployment, namespace, pod, service, service_account
from test_traffic import memory_stays_flat, resident

GRPC_READER = '''
import json, sys, time
import grpc
channel = grpc.insecure_channel("grpc:80", options=[("grpc.max_receive_message_length", -1)])
count, size = 4000, 50_000
numbers = channel.unary_stream("/test.Echo/Numbered")(b"%d %d" % (count, size), timeout=300)
first = next(numbers)
print("stuck", flush=True)
sys.stdin.readline()
got = [int.from_bytes(first[:8], "big")] + [int.from_bytes(message[:8], "big") for message in numbers]
print(json.dumps({"in_order": got == list(range(count)), "status": numbers.code().name}))
'''

GRPC_CHAT = '''
import json, queue, sys, time
import grpc
channel = grpc.insecure_channel("grpc:80")
words = queue.Queue()
answers = channel.stream_stream("/test.Echo/Chat")(iter(words.get, None), timeout=300)
turns = []
for i in range(12):
    words.put(str(i).encode())
    turns.append(next(answers).decode())
    time.sleep(1)
words.put(None)
print(json.dumps({"turns": turns, "rest": len(list(answers))}))
'''

# Messages to an echo whose answers nobody reads, until no more of them can be sent; then all of them are read. What the
# caller's own kernel would hold for it is little.
WEBSOCKET_CLIENT = '''
import asyncio, socket, sys, websockets
host, count, size = sys.argv[1], int(sys.argv[2]), 65536
def message(number):
    return number.to_bytes(8, "big") * (size // 8)
async def main():
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    plain.connect((host, 80))
    # hypercorn (socket2) answers a close and then leaves the stream open.
    async with websockets.connect(f"ws://{host}/chat", sock=plain, max_size=None, compression=None, ping_interval=None,
                                  close_timeout=1) as peer:
        if host == "socket2":
            assert await peer.recv() == "HTTP/2 /chat"
        sent = 0
        async def write():
            nonlocal sent
            while sent < count:
                await peer.send(message(sent))
                sent += 1
        writer, before = asyncio.create_task(write()), -1
        while sent != before:
            before = sent
            await asyncio.sleep(1)
        for number in range(count):
            assert await peer.recv() == message(number), number
        await writer
    print(sent, before, peer.close_code)
asyncio.run(main())
'''

# Calls that nobody answers, 50 at a time with 100 ms each, for some seconds: what became of them.
GRPC_DEADLINES = '''
import collections, json, time
import grpc
channel = grpc.insecure_channel("unread:80")
stall, codes, until = channel.unary_unary("/stall"), collections.Counter(), time.monotonic() + 5
while time.monotonic() < until:
    calls = [stall.future(b"x", timeout=0.1) for _ in range(50)]
    codes.update(call.code().name for call in calls)
print(json.dumps(codes))
'''


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client"),
               service_account("grpc"), deployment("grpc", "python", env={"APP": "grpc"}), service("grpc", port_name="grpc"),
               service_account("big"), deployment("big", "python", env={"APP": "big"}), service("big"),
               service_account("ordered"), deployment("ordered", "python", env={"APP": "ordered"}), service("ordered")]
    for app, image, protocol in (("socket", "websocket", "http"), ("socket2", "websocket_http2", "http2"), ("unread", "unread_http2", "http2")):
        # One worker: all that comes to an application shares what can be shared.
        objects += [service_account(app), deployment(app, image, annotations={"weft.mesh/concurrency": "1"}), service(app, port_name=protocol)]
    images = {name: f"/usr/bin/python3 {ROOT}/tests/e2e/{name}_app.py" for name in ("websocket", "websocket_http2", "unread_http2")}
    with Mesh(objects, images=images) as up:
        yield up


def small(mesh, *names):
    sizes = {name: resident(mesh, name)[0] for name in names}
    print(f"sidecars, KiB resident: {sizes}")
    assert max(sizes.values()) < 20 * 1024, sizes


def start(mesh, *command):
    return subprocess.Popen([str(WEFT), "local", "exec", "--name", mesh.name, "client", "--", *command],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_grpc_stream_whose_reader_sleeps_is_held_back_at_its_source(mesh):
    """200 MB of messages, of which the client takes one and then none for a while."""
    reader = start(mesh, "/usr/bin/python3", "-c", GRPC_READER)
    assert reader.stdout.readline() == "stuck\n"
    # What can be buffered on the way is, until nothing moves any more.
    sizes = []
    assert mesh.until(lambda: sizes.append(resident(mesh, "client")[0]) or len(sizes) > 3 and sizes[-1] == sizes[-3], 20, step=0.3)
    small(mesh, "client", mesh.pod_of("grpc"))
    out, _ = reader.communicate("\n", timeout=300)
    assert json.loads(out) == {"in_order": True, "status": "OK"}
    small(mesh, "client", mesh.pod_of("grpc"))


def test_a_chat_of_many_seconds_goes_on_while_certificates_are_renewed(mesh):
    """A word a second; certificates of both sides renewed in the midst of it end nothing."""
    talk = start(mesh, "/usr/bin/python3", "-c", GRPC_CHAT)
    for name in ("client", mesh.pod_of("grpc")):
        mesh.exec(name, "weft-sidecar", "renew", container="weft-sidecar")
    out, _ = talk.communicate(timeout=120)
    assert json.loads(out) == {"turns": [str(i) for i in range(12)], "rest": 0}


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_a_download_that_is_read_slowly_costs_no_memory(mesh, version):
    """At 2 MB/s for some seconds, out of a body of 10 GB that the server would send at once."""
    reader = start(mesh, "curl", "-s", "-m", "6", version, "--limit-rate", "2M", "-o", "/dev/null", "-w", "%{size_download}", "http://big/10000000000")
    assert mesh.until(lambda: resident(mesh, mesh.pod_of("big"))[0] > 0, 5)
    peaks = []
    while reader.poll() is None:
        peaks.append(max(resident(mesh, name)[0] for name in ("client", mesh.pod_of("big"))))
    print(f"{version}: peak {max(peaks)} KiB")
    assert int(reader.stdout.read()) > 1_000_000
    assert max(peaks) < 20 * 1024


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_an_upload_that_is_written_slowly_arrives_whole(mesh, version):
    command = (f"for i in $(seq 50); do head -c 20000 /dev/zero; sleep 0.05; done | "
               f"curl -s -m 60 {version} -T - -X POST -H 'Content-Length: 1000000' -H 'Transfer-Encoding:' http://big/")
    assert mesh.exec("client", "sh", "-c", command).stdout == "1000000"
    small(mesh, "client", mesh.pod_of("big"))


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_an_upload_that_is_read_slowly_costs_no_memory(mesh, version):
    """100 MB, of which the application reads a MiB every 50 ms."""
    size = 100_000_000
    command = (f"/usr/bin/python3 {ROOT}/tests/e2e/ordered.py write {size} | curl -sS -m 100 {version} -T - -X POST "
               f"-H 'Content-Length: {size}' -H 'Transfer-Encoding:' http://ordered/0.05")
    with memory_stays_flat(mesh, "client", mesh.pod_of("ordered")):
        assert mesh.exec("client", "sh", "-c", command).stdout == str(size)


def test_an_upload_that_nobody_reads_holds_up_no_other_caller_of_an_http2_application(mesh):
    """Its window (RFC 9113 § 6.9.1: 64 KiB, as many applications leave it) is that of all requests of a connection."""
    stalled = start(mesh, "sh", "-c", "echo begun; head -c 1000000 /dev/zero | curl -s -m 20 -T - -X POST http://unread/stall")
    assert stalled.stdout.readline() == "begun\n"
    time.sleep(1)
    for size in (10, 10_000, 500_000):
        out = mesh.exec("client", "sh", "-c", f"head -c {size} /dev/zero | curl -s -m 5 --data-binary @- http://unread/").stdout
        assert out == str(size)
    assert stalled.poll() is None
    stalled.kill()


def test_deadlines_by_the_hundred_end_nobody_elses_requests(mesh):
    """Each ends with a reset of its stream, which must not be taken for the flood of a peer."""
    deadlines = start(mesh, "/usr/bin/python3", "-c", GRPC_DEADLINES)
    answers = []
    while deadlines.poll() is None:
        answers.append(mesh.curl("client", "-m", "5", "-d", "12345", "http://unread/"))
    codes = json.loads(deadlines.stdout.read())
    print(codes, len(answers))
    assert answers == ["5"] * len(answers) and len(answers) >= 20
    assert sum(codes.values()) >= 500 and codes["DEADLINE_EXCEEDED"] >= 0.99 * sum(codes.values()), codes
    assert set(codes) <= {"DEADLINE_EXCEEDED", "UNAVAILABLE"}, codes


@pytest.mark.parametrize("host", ["socket", "socket2"])
def test_a_websocket_that_is_read_slowly_costs_no_memory(mesh, host):
    """64 MiB there and back, of which the caller reads nothing until all is written, or nothing can be written any more. An
    application of HTTP/1 and one of HTTP/2."""
    with memory_stays_flat(mesh, "client", mesh.pod_of(host)):
        sent, unread, code = mesh.exec("client", "/usr/bin/python3", "-c", WEBSOCKET_CLIENT, host, 1024).stdout.split()
    print(f"{host}: {unread} of {sent} messages were on their way when the first was read")
    assert (sent, code) == ("1024", "1000")


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
def test_five_gigabytes_up_and_down_at_once_arrive_in_order(mesh, version):
    size, ordered = 5_000_000_000, pathlib.Path(__file__).with_name("ordered.py")
    up = (f"/usr/bin/python3 {ordered} write {size} | curl -sS {version} -T - -X POST -H 'Content-Length: {size}' "
          "-H 'Transfer-Encoding:' http://ordered/")
    down = f"curl -sS {version} http://ordered/{size} | /usr/bin/python3 {ordered} check"
    both = [start(mesh, "sh", "-c", command) for command in (up, down)]
    peaks = []
    while any(one.poll() is None for one in both):
        peaks.append(max(resident(mesh, name)[0] for name in ("client", mesh.pod_of("ordered"))))
        time.sleep(0.5)
    print(f"{version}: peak {max(peaks)} KiB")
    assert [one.stdout.read().strip() for one in both] == [str(size), str(size)]
    assert max(peaks) < 20 * 1024
