"""The bench's own programs do what its figures rest on: the floor is a true mTLS relay, the load counts truly."""
import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("WEFT_BUILD", "build") / "tests/bench"
FLOOR = BUILD / "floor/weft-bench-floor"
LOAD = BUILD / "load/weft-bench-load"
PATIENCE_SECONDS = 60
MARKER = b"no eavesdropper may read this line"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session", autouse=True)
def programs():
    subprocess.run(["ninja", "-C", BUILD.parents[1], "bench-programs"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """A folder with ca.pem, {client,server}.{pem,key} of that CA, and stranger.{pem,key} of another one."""
    folder = tmp_path_factory.mktemp("pki")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for ca in ("ca", "other-ca"):
        openssl("req", "-x509", *key, "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-subj", f"/CN={ca}", "-days", "2")
    (folder / "extensions").write_text("extendedKeyUsage=serverAuth,clientAuth\n")
    for name, ca in (("client", "ca"), ("server", "ca"), ("stranger", "other-ca")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
                "-extfile", "extensions", "-days", "1", "-out", f"{name}.pem")
    return folder


class Program:
    """A program that says "ready" and ends at SIGTERM with its counts as JSON."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        assert self.process.returncode == 0
        return json.loads(output)


@pytest.fixture
def run():
    """Starts programs; what a test has not stopped is stopped after it."""
    started = []

    def start(*command):
        started.append(Program(*command))
        return started[-1]

    yield start
    for program in started:
        if program.process.poll() is None:
            program.stop()


class Floor:
    """A pair: client -> server -> the port `to`, with a tap between the two when it is asked for."""

    def __init__(self, run, pki, to, *options, client="client", server="server", tapped=False):
        self.port, self.server_port = free_port(), free_port()
        self.server = run(FLOOR, "--role", "server", "--listen", f"127.0.0.1:{self.server_port}", "--to",
                          f"127.0.0.1:{to}", *files(pki, server), *options)
        self.tap = Tap(self.server_port) if tapped else None
        self.client = run(FLOOR, "--role", "client", "--listen", f"127.0.0.1:{self.port}", "--to",
                          f"127.0.0.1:{self.tap.port if tapped else self.server_port}", *files(pki, client), *options)


def files(pki, name):
    return ["--cert", pki / f"{name}.pem", "--key", pki / f"{name}.key", "--ca", pki / "ca.pem"]


class Tap:
    """Passes bytes on and keeps a copy."""

    def __init__(self, to):
        self.to, self.wire, self.lock = to, bytearray(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.to))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(source, target), daemon=True).start()

    def copy(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self.lock:
                    self.wire += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


class Answerer:
    """Reads each connection to its end and only then answers with the whole of it, reversed."""

    def __init__(self):
        self.accepted = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            self.accepted += 1
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.sendall(read_all(connection)[::-1])


def read_all(connection):
    received = bytearray()
    while data := connection.recv(1 << 20):
        received += data
    return bytes(received)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)


def ask_whole(port, data):
    """Sends `data`, ends that direction, and reads the answer to its end."""
    with connect(port) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def load(verb, *arguments, status=0):
    done = subprocess.run([LOAD, verb, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=PATIENCE_SECONDS)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr


# The floor.

@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 10_000_000])
def test_floor_carries_bytes_unchanged_both_ways_and_keeps_the_half_close(run, pki, size):
    floor = Floor(run, pki, Answerer().port)
    data = random.Random(size).randbytes(size)
    assert ask_whole(floor.port, data) == data[::-1]
    assert floor.client.stop() == {"connections": 1, "handshakes": 1, "resumed": 0, "reset": 0, "failed": 0}
    assert floor.server.stop() == {"connections": 1, "handshakes": 1, "resumed": 0, "reset": 0, "failed": 0}


def test_plain_floor_carries_bytes_unchanged(run):
    port = free_port()
    run(FLOOR, "--role", "plain", "--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{Answerer().port}")
    data = random.Random(1).randbytes(10_000_000)
    assert ask_whole(port, data) == data[::-1]


def test_many_floor_connections_do_not_mix(run, pki):
    floor = Floor(run, pki, Answerer().port)
    wrong = []

    def one(seed):
        data = random.Random(seed).randbytes(200_000 + seed)
        if ask_whole(floor.port, data) != data[::-1]:
            wrong.append(seed)

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_wire_between_the_floors_is_encrypted(run, pki):
    floor = Floor(run, pki, Answerer().port, tapped=True)
    assert ask_whole(floor.port, MARKER * 100) == (MARKER * 100)[::-1]
    wire = bytes(floor.tap.wire)
    assert len(wire) > 2 * 100 * len(MARKER)
    assert MARKER not in wire and MARKER[::-1] not in wire


def test_back_pressure_reaches_through_the_floors(run, pki):
    """A reader that reads nothing must stop the sender long before everything is in somebody's memory."""
    listener = socket.create_server(("127.0.0.1", 0))
    floor = Floor(run, pki, listener.getsockname()[1])
    data = bytes(256 << 20)
    with connect(floor.port) as sender:
        sender.settimeout(2)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < len(data):
                sent += sender.send(data[sent:sent + (1 << 20)])
        resident = [int(open(f"/proc/{program.process.pid}/statm").read().split()[1]) * 4096
                    for program in (floor.client, floor.server)]
        assert max(resident) < 32 << 20
        receiver, _ = listener.accept()
        with receiver:
            sender.settimeout(PATIENCE_SECONDS)
            threading.Thread(target=lambda: (sender.sendall(data[sent:]), sender.shutdown(socket.SHUT_WR)), daemon=True).start()
            assert len(read_all(receiver)) == len(data)


def test_server_floor_refuses_a_client_without_a_certificate(run, pki):
    answerer = Answerer()
    floor = Floor(run, pki, answerer.port)
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    context.check_hostname = False
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with context.wrap_socket(connect(floor.server_port)) as connection:
            connection.sendall(MARKER)
            assert connection.recv(1) == b"something"
    assert answerer.accepted == 0
    # And the refusal does not get in the way of the next one.
    assert ask_whole(floor.port, MARKER) == MARKER[::-1]
    assert floor.server.stop()["failed"] == 1


@pytest.mark.parametrize("wrong", ["client", "server"])
def test_floor_refuses_a_peer_of_another_ca(run, pki, wrong):
    answerer = Answerer()
    floor = Floor(run, pki, answerer.port, **{wrong: "stranger"})
    with pytest.raises(ConnectionError):
        assert ask_whole(floor.port, MARKER) == b"something"
    assert answerer.accepted == 0
    assert floor.server.stop()["failed"] == 1


@pytest.mark.parametrize("options, resumed", [([], 0), (["--resume"], 4)])
def test_resumption_happens_when_asked_for_and_carries_bytes(run, pki, options, resumed):
    floor = Floor(run, pki, start_origin(run).tcp, *options)
    for _ in range(5):
        with connect(floor.port) as connection:
            connection.sendall(b"Echo")
            assert receive(connection, 4) == b"Echo"
    for end in (floor.client, floor.server):
        counts = end.stop()
        assert counts["handshakes"] == 5 and counts["resumed"] == resumed


def test_a_reset_passes_through_the_floors(run, pki):
    """Otherwise what a load generator cuts off would leave ports in TIME_WAIT, or connections that nobody ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    floor = Floor(run, pki, listener.getsockname()[1])
    sender = connect(floor.port)
    sender.sendall(MARKER)
    receiver, _ = listener.accept()
    receiver.settimeout(PATIENCE_SECONDS)
    assert receive(receiver, len(MARKER)) == MARKER
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    sender.close()
    with pytest.raises(ConnectionError):
        assert receiver.recv(1) == b"something"


def test_to_original_refuses_what_was_not_redirected(run):
    port = free_port()
    program = run(FLOOR, "--role", "plain", "--listen", f"127.0.0.1:{port}", "--to-original")
    with pytest.raises(ConnectionError):
        assert connect(port).recv(1) == b"something"
    assert program.stop()["failed"] == 1


@pytest.fixture
def namespace():
    """A network namespace in which nothing but loopback exists, as the beginning of a command line."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a network namespace")
    name = f"weft-bench-{os.getpid()}"
    enter = ["ip", "netns", "exec", name]
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run([*enter, "ip", "link", "set", "lo", "up"], check=True)
        yield enter
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.mark.parametrize("iptables, host", [("iptables", "127.0.0.1"), ("ip6tables", "[::1]")])
def test_to_original_goes_where_the_connection_was_going(run, namespace, iptables, host):
    """The port is replaced, for otherwise what the relay opens would be redirected to it again."""
    subprocess.run([*namespace, iptables, "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "9000", "-j", "REDIRECT",
                    "--to-ports", "8000"], check=True)
    run(*namespace, LOAD, "origin", "--http", f"{host}:8080", "--tcp", f"{host}:9001")
    floor = run(*namespace, FLOOR, "--role", "plain", "--listen", f"{host}:8000", "--to-original", "--to-port", "9001")
    # The second goes to the listener itself, which must not call itself in a circle.
    for port, status in ((9000, 0), (8000, 1)):
        done = subprocess.run([*namespace, LOAD, "bulk", "--to", f"{host}:{port}", "--seconds", "0.2", "--check"],
                              stdout=subprocess.PIPE, text=True, timeout=PATIENCE_SECONDS)
        assert done.returncode == status and (json.loads(done.stdout)["bytes"] > 0) == (status == 0)
    counts = floor.stop()
    assert (counts["connections"], counts["failed"]) == (2, 1)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_sends_that_fall_short_lose_and_double_nothing(run, pki, namespace, direction):
    subprocess.run([*namespace, "sysctl", "-q", "net.ipv4.tcp_wmem=4096 16384 32768"], check=True)
    run(*namespace, LOAD, "origin", "--http", "127.0.0.1:8080", "--tcp", "127.0.0.1:9001")
    run(*namespace, FLOOR, "--role", "server", "--listen", "127.0.0.1:8001", "--to", "127.0.0.1:9001", *files(pki, "server"))
    run(*namespace, FLOOR, "--role", "client", "--listen", "127.0.0.1:8000", "--to", "127.0.0.1:8001", *files(pki, "client"))
    subprocess.run([*namespace, LOAD, "bulk", "--to", "127.0.0.1:8000", "--seconds", "1", "--streams", "4", "--check",
                    "--direction", direction], stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("arguments", [
    [], ["--role", "client", "--listen", "127.0.0.1:1", "--to", "127.0.0.1:2"],
    ["--role", "plain", "--listen", "127.0.0.1:1"],
    ["--role", "plain", "--listen", "127.0.0.1:1", "--to", "127.0.0.1:2", "--to-original"],
    ["--role", "plain", "--listen", "nowhere", "--to-original"]])
def test_floor_refuses_a_wrong_command_line(arguments):
    done = subprocess.run([FLOOR, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 2 and "weft-bench-floor:" in done.stderr


# The origin.

class Origin:
    def __init__(self, run):
        self.http, self.tcp = free_port(), free_port()
        self.program = run(LOAD, "origin", "--http", f"127.0.0.1:{self.http}", "--tcp", f"127.0.0.1:{self.tcp}")


def start_origin(run):
    return Origin(run)


@pytest.fixture
def origin(run):
    return start_origin(run)


def receive(connection, size):
    received = b""
    while len(received) < size:
        data = connection.recv(size - len(received))
        assert data, f"ended after {received!r}"
        received += data
    return received


def http(port, request, cuts=()):
    """The bytes of all answers to `request`, which closes the connection, sent in pieces that end at `cuts`."""
    with connect(port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, end in zip((0, *cuts), (*cuts, len(request))):
            connection.sendall(request[start:end])
            if cuts:
                time.sleep(0.002)
        return read_all(connection)


GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
LAST_GET = b"GET /x?y HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n"
POST = b"POST /p HTTP/1.1\r\nhost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (b"PUT /p HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\ntrailer: z\r\n\r\n")
OK_SMALL = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def test_origin_answers_a_get_with_128_bytes(origin):
    answer = http(origin.http, LAST_GET)
    head, body = answer.split(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 OK\r\ncontent-length: 128" and len(body) == 128


def test_origin_answers_pipelined_requests_in_any_cuts(origin):
    request = GET + POST + CHUNKED + GET + LAST_GET
    whole = http(origin.http, request)
    get = http(origin.http, LAST_GET)
    assert whole == get + OK_SMALL + OK_SMALL + get + get
    assert http(origin.http, request, range(1, len(request))) == whole


def test_origin_answers_more_pipelined_requests_than_fit_into_one_write(origin):
    assert http(origin.http, GET * 5000 + LAST_GET) == http(origin.http, LAST_GET) * 5001


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 5_000_000])
def test_origin_sends_as_many_bytes_as_the_path_says(origin, size):
    answer = http(origin.http, b"GET /bytes/%d HTTP/1.1\r\n\r\n" % size + LAST_GET)
    head, rest = answer.split(b"\r\n\r\n", 1)
    assert head.endswith(b"content-length: %d" % size) and len(rest) == size + len(http(origin.http, LAST_GET))


def test_origin_reads_a_large_body_to_its_end_before_it_closes(origin):
    body = bytes(3_000_000)
    request = b"POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    assert http(origin.http, request) == OK_SMALL


def test_origin_answers_head_and_expect(origin):
    assert http(origin.http, b"HEAD / HTTP/1.0\r\n\r\n") == b"HTTP/1.1 200 OK\r\ncontent-length: 128\r\n\r\n"
    with connect(origin.http) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\ncontent-length: 1\r\nexpect: 100-continue\r\n\r\n")
        assert receive(connection, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"x")
        assert receive(connection, len(OK_SMALL)) == OK_SMALL


@pytest.mark.parametrize("request_bytes", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
                                           b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz"])
def test_origin_refuses_what_is_not_http(origin, request_bytes):
    assert http(origin.http, request_bytes).startswith(b"HTTP/1.1 400 ")
    assert origin.program.stop()["bad_requests"] == 1


def test_origin_echoes_counts_verifies_and_sends(origin):
    with connect(origin.tcp) as connection:
        connection.sendall(b"E")
        assert receive(connection, 1) == b"E"
        connection.sendall(b"cho")
        assert receive(connection, 3) == b"cho"
    assert ask_whole(origin.tcp, b"S" + bytes(3_000_000)) == b"3000000"
    content = ask_whole(origin.tcp, b"D1000000\n")
    assert len(content) == 1_000_000
    assert ask_whole(origin.tcp, b"V1\n" + content) == b"1000000"
    damaged = content[:500_000] + bytes([content[500_000] ^ 1]) + content[500_001:]
    assert ask_whole(origin.tcp, b"V1\n" + damaged) == b"wrong at 500000"
    assert ask_whole(origin.tcp, b"V2\n" + content).startswith(b"wrong at ")


def test_origin_ends_a_connection_that_says_nothing_it_knows(origin):
    for opening in (b"?", b"Dx\n", b"D" + b"1" * 40):
        with pytest.raises(ConnectionError):
            if ask_whole(origin.tcp, opening) == b"":
                raise ConnectionResetError  # an end is as good


# The load.

@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_bulk_moves_and_checks_bytes_through_the_floors(run, pki, origin, direction, check):
    floor = Floor(run, pki, origin.tcp)
    moved = load("bulk", "--to", f"127.0.0.1:{floor.port}", "--streams", 3, "--seconds", 0.5, "--direction", direction, *check)
    assert moved["bytes"] > 1_000_000 and moved["errors"] == 0 and 0.5 <= moved["seconds"] < 30


class Meddler(Tap):
    """Passes bytes on, but for one that it changes or leaves out."""

    def __init__(self, to, meddle):
        self.meddle = meddle
        super().__init__(to)

    def copy(self, source, target):
        with contextlib.suppress(OSError):
            seen = 0
            while data := source.recv(65536):
                before, seen = seen, seen + len(data)
                target.sendall(self.meddle(data) if before <= 300_000 < seen else data)
            target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("direction, meddle, check", [
    ("up", lambda data: data[:-1], []),
    ("up", lambda data: data[:-1] + bytes([data[-1] ^ 1]), ["--check"]),
    ("down", lambda data: data[:-1] + bytes([data[-1] ^ 1]), ["--check"])])
def test_bulk_notices_bytes_that_are_lost_or_changed(origin, direction, meddle, check):
    port = Meddler(origin.tcp, meddle).port
    moved = load("bulk", "--to", f"127.0.0.1:{port}", "--seconds", 0.5, "--direction", direction, *check, status=1)
    assert moved["errors"] == 1


def test_bulk_gives_up_on_a_stream_that_stalls():
    silent = socket.create_server(("127.0.0.1", 0))
    moved = load("bulk", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--seconds", 0.2, "--timeout", 0.5, status=1)
    assert moved["errors"] == 1 and moved["bytes"] == 0


def test_connect_counts_connections_through_the_floors(run, pki, origin):
    floor = Floor(run, pki, origin.tcp)
    counted = load("connect", "--to", f"127.0.0.1:{floor.port}", "--concurrency", 4, "--seconds", 1)
    assert counted["errors"] == 0 and 0 < counted["p50_us"] <= counted["p99_us"]
    handshakes = floor.server.stop()["handshakes"]
    # Those under way when the time was over were made, but are not counted.
    assert counted["connections"] <= handshakes <= counted["connections"] + 4


def test_connect_hides_no_error():
    port = free_port()
    assert load("connect", "--to", f"127.0.0.1:{port}", "--seconds", 0.3, status=1)["errors"] > 0
    silent = socket.create_server(("127.0.0.1", 0))
    hung = load("connect", "--to", f"127.0.0.1:{silent.getsockname()[1]}", "--seconds", 0.2, "--timeout", 0.5,
                "--concurrency", 2, status=1)
    assert hung["errors"] == 2 and hung["connections"] == 0


def start_idle(port, *arguments):
    process = subprocess.Popen([LOAD, "idle", "--to", f"127.0.0.1:{port}", *map(str, arguments)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())


def test_idle_holds_connections_and_proves_that_they_live(run, pki, origin):
    floor = Floor(run, pki, origin.tcp)
    process, opened = start_idle(floor.port, "--connections", 100, "--from", "127.0.0.2,127.0.0.3")
    assert opened["open"] == 100
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert json.loads(output)["alive"] == 100 and process.returncode == 0


def test_idle_opens_no_faster_than_it_is_told(origin):
    start = time.monotonic()
    process, opened = start_idle(origin.tcp, "--connections", 20, "--per-second", 20)
    assert opened["open"] == 20 and time.monotonic() - start > 0.9
    process.communicate(timeout=PATIENCE_SECONDS)


def test_idle_tells_of_connections_that_died(origin):
    process, opened = start_idle(origin.tcp, "--connections", 10)
    assert opened["open"] == 10
    origin.program.stop()
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert json.loads(output) == {"alive": 0, "errors": 10} and process.returncode == 1


def test_idle_gives_up_on_connections_that_hang():
    silent = socket.create_server(("127.0.0.1", 0))
    process, opened = start_idle(silent.getsockname()[1], "--connections", 3, "--timeout", 0.5)
    assert opened["open"] == 0
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1


@pytest.mark.parametrize("arguments", [[], ["bulk"], ["idle", "--to", "nowhere"], ["connect", "--to", "127.0.0.1:1", "--seconds", "-1"]])
def test_load_refuses_a_wrong_command_line(arguments):
    done = subprocess.run([LOAD, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 2 and done.stderr
