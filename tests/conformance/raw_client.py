"""Sends bytes as they are and says what came back; runs in a pod. Standard input and output are JSON, bytes as latin-1.

{"kind": "requests", "to": [HOST, PORT], "control": [HOST, PORT], "vectors": [BYTES, …], "keep": false}
   → [{"reply", "closed", "seen": what the application's control port says}, …]
{"kind": "responses", "to": [HOST, PORT], "vectors": [[N, METHOD], …]}
   → [{"reply", "complete", "closed", "next": the reply to a request behind it, "next_complete"}, …]
"""
import json
import re
import socket
import sys

PATIENCE = 20
LAST_CHUNK = re.compile(rb"\r\n0\r\n([^\r\n]+\r\n)*\r\n")


class Peer:
    def __init__(self, to):
        self.socket = socket.create_connection(to, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = b""
        self.closed = False

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # refused in the midst of it: what was said is read all the same

    def more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        except TimeoutError:
            return False
        self.closed = self.closed or not data
        self.input += data
        return bool(data)

    def all(self):
        while self.more():
            pass
        return self.input

    def response(self, method):
        """One final response, as weft frames it; (bytes, whether it is complete)."""
        begin = 0
        while True:
            while (end := self.input.find(b"\r\n\r\n", begin)) < 0:
                if not self.more():
                    return self.input, False
            head = self.input[begin:end].lower()
            if not re.match(rb"http/1\.1 1\d\d", head):
                break
            begin = end + 4
        body = end + 4
        length = re.search(rb"\ncontent-length: *(\d+)", head)
        if method == "HEAD" or re.match(rb"http/1\.1 (204|304)", head):
            end = body
        elif b"\ntransfer-encoding: chunked" in head:
            while not (last := LAST_CHUNK.search(self.input, body - 2)):
                if not self.more():
                    return self.input, False
            end = last.end()
        elif length:
            end = body + int(length[1])
            while len(self.input) < end:
                if not self.more():
                    return self.input, False
        else:
            return self.all(), False
        taken, self.input = self.input[:end], self.input[end:]
        return taken, True


def text(data):
    return data.decode("latin-1")


def request(job, vector, control, number):
    peer = Peer(job["to"])
    peer.send(vector.encode("latin-1"))
    reply = peer.response("GET")[0] if job["keep"] else peer.all()
    closed = peer.closed
    peer.socket.close()
    # What the application has of it, it has before this.
    fence = Peer(job["to"])
    fence.send(b"GET /fence/%d HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n" % number)
    assert f"/fence/{number}" in text(fence.all())
    control.write(b"\n")
    control.flush()
    return {"reply": text(reply), "closed": closed, "seen": json.loads(control.readline())}


def response(job, number, method):
    peer = Peer(job["to"])
    # A POST whose content does not come: nothing else can come on that connection.
    length = "Content-Length: 4\r\n" if method == "POST" else ""
    peer.send(f"{method} /response/{number} HTTP/1.1\r\nHost: app\r\n{length}\r\n".encode())
    reply, complete = peer.response(method)
    closed = peer.closed
    if closed or not complete or length:
        peer = Peer(job["to"])
    following = f"GET /next/{number} HTTP/1.1\r\nHost: app\r\n\r\n".encode()
    peer.send(following)
    behind, behind_complete = peer.response("GET")
    if peer.closed and not behind:
        # It crossed the end of the connection (RFC 9112 § 9.3.1): what came was whole, and then the application went on.
        peer = Peer(job["to"])
        peer.send(following)
        behind, behind_complete = peer.response("GET")
    return {"reply": text(reply), "complete": complete, "closed": closed, "next": text(behind), "next_complete": behind_complete}


job = json.load(sys.stdin)
job["to"] = tuple(job["to"])
if job["kind"] == "requests":
    control = socket.create_connection(tuple(job["control"]), timeout=PATIENCE).makefile("rwb")
    control.write(b"\n")
    control.flush()
    control.readline()
    print(json.dumps([request(job, vector, control, number) for number, vector in enumerate(job["vectors"])]))
else:
    print(json.dumps([response(job, number, method) for number, method in job["vectors"]]))
