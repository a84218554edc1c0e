"""HTTP/2 frame by frame, for what no client library would send (RFC 9113). Runs in a pod: raw_http2.py JOB HOST PORT.

Prints a line of JSON: what became of the connection that did the JOB, and of a well-behaved one beside it.
"""
import json
import socket
import struct
import sys

DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
MANY = 3000
WINDOW = 65535  # of a stream, where nobody says otherwise


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def head(path, host, method=0x82):
    """:method GET (0x82) or POST (0x83), :scheme http, :path and :authority as literals that enter no table."""
    def literal(index, text):
        return bytes([index, len(text)]) + text.encode()
    return bytes([method, 0x86]) + literal(0x04, path) + literal(0x01, host)


class Connection:
    def __init__(self, host, port):
        self.host = host
        self.socket = socket.create_connection((host, port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))

    def send(self, data):
        self.socket.sendall(data)

    def frames(self):
        """What comes, until the connection ends."""
        while True:
            while len(self.rest) >= 9 and len(self.rest) >= 9 + (size := int.from_bytes(self.rest[:3], "big")):
                kind, flags = self.rest[3], self.rest[4]
                stream = int.from_bytes(self.rest[5:9], "big") & 0x7FFFFFFF
                payload, self.rest = self.rest[9:9 + size], self.rest[9 + size:]
                yield kind, flags, stream, payload
            try:
                more = self.socket.recv(65536)
            except (ConnectionError, TimeoutError):
                return
            if not more:
                return
            self.rest += more

    def get(self, stream, path="/"):
        """The size of the answer's body; None where there was none to the end."""
        self.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, head(path, self.host)))
        size = 0
        for kind, flags, its, payload in self.frames():
            if its == stream and kind == RST:
                return None
            if its == stream and kind == DATA:
                size += len(payload)
            if its == stream and kind in (DATA, HEADERS) and flags & END_STREAM:
                return size
        return None

    def pong(self):
        self.send(frame(PING, 0, 0, b"weft-e2e"))
        return any(kind == PING and flags & ACK for kind, flags, _, _ in self.frames())

    def goaway(self):
        """The code of the GOAWAY that ends the connection; None where it ended without."""
        code = None
        for kind, _, _, payload in self.frames():
            if kind == GOAWAY:
                code = int.from_bytes(payload[4:8], "big")
        return code


def flood(kind, host):
    request = head("/", host)
    if kind == "rapid-reset":
        return b"".join(frame(HEADERS, END_HEADERS | END_STREAM, i, request) + frame(RST, 0, i, b"\0\0\0\x08")
                        for i in range(1, 2 * MANY, 2))
    if kind == "continuation":
        return frame(HEADERS, END_STREAM, 1, request) + frame(CONTINUATION, 0, 1) * MANY
    if kind == "settings":
        return frame(SETTINGS, 0, 0) * MANY
    if kind == "ping":
        return frame(PING, 0, 0, b"weft-e2e") * MANY
    if kind == "empty-data":
        return frame(HEADERS, END_HEADERS, 1, head("/", host, method=0x83)) + frame(DATA, 0, 1) * MANY
    return frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") * MANY


def run_flood(kind, host, port):
    good, bad = Connection(host, port), Connection(host, port)
    before = good.get(1)
    try:
        bad.send(flood(kind, host))
    except ConnectionError:
        pass  # it was cut in the midst of it
    code = bad.goaway()
    return {"goaway": code, "before": before, "after": good.get(3), "pong": good.pong()}


def stall(connection, streams):
    """Opens them and takes of each what its window has room for, which never opens again. How much that was."""
    connection.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))
    stalled = {stream: 0 for stream in streams}
    for stream in stalled:
        connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, head("/100000000", connection.host)))
    for kind, _, stream, payload in connection.frames():
        if kind == DATA:
            stalled[stream] += len(payload)
        if all(size == WINDOW for size in stalled.values()):
            break
    return list(stalled.values())


def run_stall(host, port):
    """And others on the same connection."""
    connection = Connection(host, port)
    stalled = stall(connection, range(1, 9, 2))
    return {"stalled": stalled, "quick": [connection.get(stream, "/50000") for stream in range(9, 29, 2)]}


def run_hoard(host, port):
    """As many as a connection may have, until a line comes in."""
    connection = Connection(host, port)
    print(json.dumps(stall(connection, range(1, 201, 2))), flush=True)
    sys.stdin.readline()
    return "enough"


job, target, target_port = sys.argv[1], sys.argv[2], int(sys.argv[3])
jobs = {"stall": run_stall, "hoard": run_hoard}
print(json.dumps(jobs[job](target, target_port) if job in jobs else run_flood(job, target, target_port)))
