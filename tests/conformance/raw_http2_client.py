"""Sends HTTP/2 as it is and says what came back; runs in a pod. Standard input and output are JSON, bytes as latin-1.

{"to": [HOST, PORT], "control": [HOST, PORT], "vectors": [[BYTES, …], …]}
   → [{"verdict": ["reset", CODE], ["goaway", CODE], ["status", STATUS] or ["nothing", 0], of the stream that is judged,
       "fields", "body": its response's, "neighbour", "fence": the targets that these two were answered with,
       "seen": what the application's control port says}, …]

The neighbour begins before the vector, in the same write, and ends behind it; the fence comes when the verdict has.
"""
import json
import socket
import sys
import time

import hpack

from http2_frames import DATA, END_STREAM, FENCE, GOAWAY, HEADERS, NEIGHBOUR, PREFACE, RST, SETTINGS, STREAM, data, frame, get, post

PATIENCE = 5


class Connection:
    def __init__(self, to):
        self.socket = socket.create_connection(to, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.decoder = hpack.Decoder()
        self.input = b""
        self.streams = {}
        self.goaway = None
        self.over = False

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except OSError:
            pass  # refused in the midst of it: what was said is read all the same

    def stream(self, number):
        return self.streams.setdefault(number, {"status": 0, "fields": [], "body": b"", "ended": False, "reset": None})

    def frame(self):
        """Takes one; False when there is none any more."""
        while len(self.input) < 9 or len(self.input) < 9 + int.from_bytes(self.input[:3], "big"):
            try:
                more = self.socket.recv(65536)
            except OSError:
                more = b""
            if not more:
                self.over = True
                return False
            self.input += more
        size, kind, flags = int.from_bytes(self.input[:3], "big"), self.input[3], self.input[4]
        number, payload = int.from_bytes(self.input[5:9], "big"), self.input[9:9 + size]
        self.input = self.input[9 + size:]
        stream = self.stream(number)
        if kind == HEADERS:
            fields = [(name, value) for name, value in self.decoder.decode(payload, raw=True)]
            stream["status"] = int(dict(fields).get(b":status", stream["status"]))
            stream["fields"] += [(text(name), text(value)) for name, value in fields]
        elif kind == DATA:
            stream["body"] += payload
        elif kind == RST:
            stream["reset"] = int.from_bytes(payload, "big")
        elif kind == GOAWAY and any(payload[4:8]):
            self.goaway = int.from_bytes(payload[4:8], "big")
        stream["ended"] = stream["ended"] or kind in (DATA, HEADERS) and bool(flags & END_STREAM)
        return True

    def wait(self, number):
        while not self.over and self.goaway is None and not self.stream(number)["ended"] and self.stream(number)["reset"] is None:
            self.frame()
        return self.stream(number)

    def verdict(self):
        stream = self.wait(STREAM)
        if self.goaway is not None:
            while self.frame():
                pass
            return "goaway", self.goaway
        if stream["ended"]:
            return "status", stream["status"]
        return ("reset", stream["reset"]) if stream["reset"] is not None else ("nothing", 0)


class Control:
    def __init__(self, to):
        self.file = socket.create_connection(to, timeout=20).makefile("rwb")
        self.seen = []

    def ask(self):
        self.file.write(b"\n")
        self.file.flush()
        news = json.loads(self.file.readline())
        self.seen += news
        return news

    def wait_for(self, octets):
        """Until the application has them."""
        deadline = time.monotonic() + PATIENCE
        while not any(octets in entry["bytes"] for entry in self.ask()) and time.monotonic() < deadline:
            time.sleep(0.005)

    def take(self):
        self.ask()
        seen, self.seen = self.seen, []
        return seen


def text(octets):
    return octets.decode("latin-1")


def ask(job, writes, control, number):
    connection = Connection(job["to"])
    neighbour, fence = b"/neighbour/%d" % number, b"/fence/%d" % number
    connection.send(PREFACE + frame(SETTINGS, 0, 0) + post((b"content-length", b"8"), stream=NEIGHBOUR, path=neighbour) + writes[0].encode("latin-1"))
    for write in writes[1:]:
        control.wait_for(" /v")
        connection.send(write.encode("latin-1"))
    kind, code = connection.verdict()
    judged = connection.stream(STREAM)
    connection.send(data(b"innocent", stream=NEIGHBOUR))
    neighbour = text(connection.wait(NEIGHBOUR)["body"])
    if kind == "goaway":
        connection.socket.close()
        connection = Connection(job["to"])
        connection.send(PREFACE + frame(SETTINGS, 0, 0))
    # What the application has of it, it has before this.
    connection.send(get(stream=FENCE, path=fence))
    fence = text(connection.wait(FENCE)["body"])
    connection.socket.close()
    return {"verdict": [kind, code], "fields": judged["fields"], "body": text(judged["body"]), "neighbour": neighbour, "fence": fence,
            "seen": control.take()}


job = json.load(sys.stdin)
job["to"] = tuple(job["to"])
control = Control(tuple(job["control"]))
control.take()
print(json.dumps([ask(job, writes, control, number) for number, writes in enumerate(job["vectors"])]))
