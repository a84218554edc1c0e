"""An HTTP/1.1 application by hand, for test_http1.py: it shows exactly what it was sent, and does what few servers do.

/echo       what came, as JSON: request line, fields in their order and case, body, trailers; ?N waits N ms before
/chunked    a body in chunks with an extension, and a trailer
/interim    103 before the answer
/refuse     417 before the body is read
/204, /304  without a body
/count      how many POSTs were read to their end
/reset      a reset in place of an answer, once the request was read
/flaky      503 and 200 by turns
CONNECT, and Upgrade: echo, become an echo of bytes. Any other Upgrade is ignored. IDLE: seconds after which a connection
is closed on which nothing is said.
"""
import json
import os
import re
import socket
import socketserver
import struct
import threading
import time

IDLE = float(os.environ.get("IDLE", "0")) or None
posts = 0
flaky = 0
lock = threading.Lock()


class Application(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        try:
            while True:
                self.request.settimeout(IDLE)
                line = self.rfile.readline()
                self.request.settimeout(None)
                if not line or not self.exchange(line.decode("latin-1").rstrip("\r\n")):
                    return
        except (TimeoutError, ConnectionError):
            pass

    def lines(self):
        read = []
        while (line := self.rfile.readline().decode("latin-1").rstrip("\r\n")):
            read.append(line)
        return read

    def body(self, fields):
        """The body and its trailers."""
        if "transfer-encoding" not in fields:
            return self.rfile.read(int(fields.get("content-length", 0))), []
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body, self.lines()

    def say(self, text):
        self.wfile.write(text.replace("\n", "\r\n").encode())

    def answer(self, body):
        self.say(f"HTTP/1.1 200 Fine\nX-First: 1\nx-Second: 2\nContent-Length: {len(body)}\n\n")
        self.wfile.write(body)

    def exchange(self, request_line):
        lines = self.lines()
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = request_line.split(" ")
        if method == "CONNECT" or fields.get("upgrade") == "echo":
            self.say("HTTP/1.1 200 OK\n\n" if method == "CONNECT" else "HTTP/1.1 101 Switching Protocols\nConnection: upgrade\nUpgrade: echo\n\n")
            while data := self.request.recv(65536):
                self.wfile.write(data)
            return False
        if target == "/refuse":
            self.say("HTTP/1.1 417 Expectation Failed\nContent-Length: 0\nConnection: close\n\n")
            return False
        if fields.get("expect") == "100-continue":
            self.say("HTTP/1.1 100 Continue\n\n")
        body, trailers = self.body(fields)
        if target == "/reset":
            self.count(method)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()
            raise ConnectionError
        self.respond(method, target, {"line": request_line, "fields": lines, "body": body.decode("latin-1"), "trailers": trailers})
        return True

    @staticmethod
    def count(method):
        global posts
        with lock:
            posts += method == "POST"

    def respond(self, method, target, seen):
        global flaky
        self.count(method)
        if target == "/chunked":
            self.say("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTrailer: X-Sum\n\n4;a=b\nabcd\n3\nefg\n0\nX-Sum: 7\n\n")
        elif target == "/interim":
            self.say("HTTP/1.1 103 Early Hints\nLink: </style.css>\n\n")
            self.answer(b"late")
        elif target == "/flaky":
            flaky += 1
            self.say("HTTP/1.1 503 Later\nContent-Length: 0\n\n" if flaky % 2 else "HTTP/1.1 200 OK\nContent-Length: 0\n\n")
        elif target == "/204":
            self.say("HTTP/1.1 204 No Content\nX-Seen: 1\n\n")
        elif target == "/304":
            self.say("HTTP/1.1 304 Not Modified\nContent-Length: 1000\nETag: \"e\"\n\n")
        elif method == "HEAD":
            self.say("HTTP/1.1 200 OK\nContent-Length: 1000\n\n")
        elif target == "/count":
            self.answer(str(posts).encode())
        else:
            if wait := re.search(r"\?(\d+)", target):
                time.sleep(int(wait[1]) / 1000)
            self.answer(json.dumps(seen).encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    address_family = socket.AF_INET6
    request_queue_size = 1024


Server(("::", int(os.environ.get("PORT", "8080"))), Application).serve_forever()
