"""Sends HTTP/2 as it is and says what came back; runs in a pod. Standard input and output are JSON, bytes as latin-1.

{"kind": "requests", "to": [HOST, PORT], "control": [HOST, PORT], "vectors": [[BYTES, …], …]}
   → [{"verdict": ["reset", CODE], ["goaway", CODE], ["status", STATUS] or ["nothing", 0], of the stream that is judged,
       "fields", "body": its response's, "neighbour", "fence": the targets that these two were answered with,
       "seen": what the application's control port says}, …]
{"kind": "responses", "to": [HOST, PORT], "vectors": [[N, METHOD], …]}
   → [{"reply", "complete", "closed", "neighbour", "next": the reply to a request behind it, "next_complete"}, …], replies
      as HTTP/1 would say them; "closed": the stream was reset

The neighbour begins before the vector, in the same write, and ends behind it; the fence, or what is next, comes when the
verdict has, on the same connection.
"""
import json
import socket
import sys
import time

import hpack

from http2_frames import (DATA, END_STREAM, FENCE, GOAWAY, HEADERS, NEIGHBOUR, PREFACE, RST, SETTINGS, STREAM, WINDOW_UPDATE, data, frame, get,
                          opens, post, pseudo)

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


def as_http1(stream):
    """The final response; (text, whether it is complete)."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in stream["fields"] if not name.startswith(":"))
    return f"HTTP/1.1 {stream['status']} \r\n{lines}\r\n{text(stream['body'])}", stream["ended"]


def response(job, number, method):
    connection = Connection(job["to"])
    neighbour = post((b"content-length", b"8"), stream=NEIGHBOUR, path=b"/neighbour/%d" % number)
    # The stream's own window is never opened, and must not hold up the others.
    connection.send(PREFACE + frame(SETTINGS, 0, 0) + frame(WINDOW_UPDATE, 0, 0, b"\x3f\0\0\0") + neighbour)
    # A POST whose content does not come.
    connection.send(opens(pseudo(method=method.encode(), path=b"/response/%d" % number), end=method != "POST"))
    judged = connection.wait(STREAM)
    reply, complete = as_http1(judged)
    connection.send(data(b"innocent", stream=NEIGHBOUR))
    neighbour = text(connection.wait(NEIGHBOUR)["body"])
    connection.send(get(stream=FENCE, path=b"/next/%d" % number))
    behind, behind_complete = as_http1(connection.wait(FENCE))
    connection.socket.close()
    return {"reply": reply, "complete": complete, "closed": judged["reset"] is not None, "neighbour": neighbour,
            "next": behind, "next_complete": behind_complete}


job = json.load(sys.stdin)
job["to"] = tuple(job["to"])
if job["kind"] == "requests":
    control = Control(tuple(job["control"]))
    control.take()
    print(json.dumps([ask(job, writes, control, number) for number, writes in enumerate(job["vectors"])]))
else:
    print(json.dumps([response(job, number, method) for number, method in job["vectors"]]))
