"""An application that writes down every byte it reads, for test_smuggling.py. It trusts its sidecar and knows no mesh.

8080  HTTP/1.1: answers each complete request with its own target, and /response/N with the N-th vector of
      smuggling_responses.py, whatever that is
8082  HTTP/2: the same, each stream written down as if it were a connection of HTTP/1, and /response/N of
      smuggling_http2_responses.py (raw_http2_app.py)
8081  one line in, one line of JSON out: what each connection brought since the last line, the targets of requests
      that were complete, and whether it is closed
"""
import json
import socket
import socketserver
import threading

from raw_http2_app import serve_http2
from smuggling_responses import RESPONSES


class Record:
    def __init__(self):
        self.lock = threading.Lock()
        self.connections = []

    def begin(self):
        entry = {"bytes": b"", "complete": [], "closed": False}
        with self.lock:
            self.connections.append(entry)
        return entry

    def take(self):
        with self.lock:
            news = [{**entry, "bytes": entry["bytes"].decode("latin-1")} for entry in self.connections
                    if entry["bytes"] or entry["complete"] or entry["closed"]]
            self.connections = [entry for entry in self.connections if not entry["closed"]]
            for entry in self.connections:
                entry["bytes"], entry["complete"] = b"", []
        return [entry for entry in news if entry["bytes"]]


record = Record()


class Application(socketserver.BaseRequestHandler):
    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.entry = record.begin()
        self.input = b""

    def handle(self):
        try:
            while self.exchange():
                pass
        except (ConnectionError, EOFError):
            pass

    def finish(self):
        with record.lock:
            self.entry["closed"] = True

    def more(self):
        data = self.request.recv(65536)
        if not data:
            raise EOFError
        with record.lock:
            self.entry["bytes"] += data
        self.input += data

    def until(self, mark):
        while mark not in self.input:
            self.more()
        taken, _, self.input = self.input.partition(mark)
        return taken

    def exactly(self, count):
        while len(self.input) < count:
            self.more()
        taken, self.input = self.input[:count], self.input[count:]
        return taken

    def exchange(self):
        start, *fields = self.until(b"\r\n\r\n").split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (field.partition(b":") for field in fields)}
        if b"transfer-encoding" in fields:
            while size := int(self.until(b"\r\n"), 16):
                self.exactly(size + 2)
            while self.until(b"\r\n"):
                pass
        else:
            self.exactly(int(fields.get(b"content-length", b"0")))
        method, target, _ = start.split(b" ")
        with record.lock:
            self.entry["complete"].append(target.decode("latin-1"))
        if target.startswith(b"/response/"):
            self.request.sendall(RESPONSES[int(target.rpartition(b"/")[2])][3])
        else:
            body = b"" if method == b"HEAD" else target
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), body))
        return True


class Http2Application(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serve_http2(self.request, record)


class Control(socketserver.StreamRequestHandler):
    def handle(self):
        for _ in self.rfile:
            self.wfile.write(json.dumps(record.take()).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    address_family = socket.AF_INET6
    request_queue_size = 1024


for port, handler in ((8081, Control), (8082, Http2Application)):
    threading.Thread(target=Server(("::", port), handler).serve_forever, daemon=True).start()
Server(("::", 8080), Application).serve_forever()
