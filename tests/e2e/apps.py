"""Applications for end-to-end tests, chosen by the environment variable APP. They know nothing of a mesh.

APP=big    GET /N answers N bytes; POST answers with the number of bytes received
APP=ordered as big, with bodies of tests/e2e/ordered.py; POST answers how many bytes were in order, POST /S reads a MiB every S seconds
APP=broken answers every GET with 503
APP=heads  HTTP: answers with the head that it was asked with
APP=echo   TCP: sends back what comes, half-close included
APP=mysql  TCP: speaks first, then sends back what comes; PORTS="1 2 3": on all of them, as the others of TCP
APP=mute   accepts and says nothing, and closes at the first byte
APP=deaf   accepts and says nothing, whatever comes
APP=crowd  HTTP: /N answers nobody until N such requests are there at once, and then them all
APP=tell   HTTP: answers all with STATUS and TEXT after LATENCY seconds; /seen lists what came and when, /count says how much
APP=https  big over TLS, with a certificate of its own signing for a name that nobody calls; /N with N=0 is empty
APP=metered big, and on port 9100 GET /own answers a page of metrics: what /tmp/weft-metrics-page holds, if it is there; nothing for "404" and "mute"
APP=grpc   gRPC, plaintext: test.Echo/{Unary,Download,Numbered,Upload,Chat,Flaky} on plain bytes
APP=health gRPC, plaintext: grpc.health.v1.Health says that "" and "shop" serve, and "cart" does not
"""
import asyncio
import http.server
import json
import os
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import time

import ordered

PORT = int(os.environ.get("PORT", "8080"))
CHUNK = b"x" * 65536


class Big(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = int(self.path.strip("/") or 0)
        self.send_response(200)
        self.send_header("content-length", str(size))
        self.end_headers()
        while size > 0:
            size -= self.wfile.write(CHUNK[:size])

    def do_POST(self):
        left = size = int(self.headers["content-length"])
        while left > 0:
            left -= len(self.rfile.read(min(left, 65536)))
        body = str(size).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Ordered(Big):
    def do_GET(self):
        size = int(self.path.strip("/"))
        self.send_response(200)
        self.send_header("content-length", str(size))
        self.end_headers()
        ordered.write(self.wfile, size)

    def do_POST(self):
        self.pause = float(self.path.strip("/") or 0)
        body = str(ordered.check(self, int(self.headers["content-length"]))).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def read(self, size):
        time.sleep(self.pause)
        return self.rfile.read(size)


class Heads(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        head = f"{self.requestline}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(head)))
        self.end_headers()
        self.wfile.write(head)

    def log_message(self, *_):
        pass


class Tell(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = []

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode(errors="replace")
        if self.path == "/seen":
            return self.reply(200, json.dumps(self.seen))
        if self.path == "/count":
            return self.reply(200, str(len(self.seen)))
        self.seen.append({"method": self.command, "path": self.path, "host": self.headers.get("host"), "body": body[:100],
                          "headers": list(self.headers.items()), "at": time.monotonic()})
        time.sleep(float(os.environ.get("LATENCY", "0")))
        return self.reply(int(os.environ.get("STATUS", "200")), os.environ.get("TEXT", ""))

    do_GET = do_POST = do_PUT = answer

    def reply(self, status, text):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Broken(Big):
    def do_GET(self):
        self.send_response(503)
        self.send_header("content-length", "0")
        self.end_headers()


class Echo(socketserver.BaseRequestHandler):
    greeting = b""

    def handle(self):
        self.request.sendall(self.greeting)
        while data := self.request.recv(65536):
            self.request.sendall(data)
        self.request.shutdown(socket.SHUT_WR)


class Mysql(Echo):
    greeting = b"5.7.0-greeting\n"


class Mute(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1)


class Deaf(socketserver.BaseRequestHandler):
    def handle(self):
        while self.request.recv(65536):
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    address_family = socket.AF_INET6
    request_queue_size = 1024


class Metered(http.server.BaseHTTPRequestHandler):
    PAGE = "# TYPE shop_orders_total counter\nshop_orders_total{kind=\"\u00e4\"} 7\n"

    def do_GET(self):
        page = self.PAGE.encode()
        if os.path.exists("/tmp/weft-metrics-page"):
            with open("/tmp/weft-metrics-page", "rb") as file:
                page = file.read()
        if page == b"mute":
            time.sleep(60)
        there = self.path == "/own" and page != b"404"
        self.send_response(200 if there else 404)
        self.send_header("content-length", str(len(page) if there else 0))
        self.end_headers()
        self.wfile.write(page if there else b"")

    def log_message(self, *_):
        pass


def over_tls(listener):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-batch", "-newkey", "rsa:2048", "-days", "1",
                        "-subj", "/CN=elsewhere.example", "-keyout", f"{folder}/key", "-out", f"{folder}/cert"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/cert", f"{folder}/key")
    return context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)


def serve_grpc(handlers):
    import concurrent.futures
    import grpc
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(32), options=unlimited)
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(f"[::]:{PORT}")
    server.start()
    server.wait_for_termination()


def serve_echo():
    """Unary: the message; Download: N messages of M bytes for b"N M" (Numbered: each begins with its number);
    Upload: how many bytes came; Chat: each in turn;
    Flaky: UNAVAILABLE for the first call with a message, then the message."""
    import grpc
    pod = socket.gethostname()

    def unary(request, context):
        context.set_trailing_metadata((("x-pod", pod), ("x-peer", context.peer())))
        if request == b"fail":
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked: \u00e4")
        return request

    known = set()

    def flaky(request, context):
        if request not in known:
            known.add(request)
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return request

    def download(request, _):
        count, size = map(int, request.split())
        for _ in range(count):
            yield b"x" * size

    def numbered(request, _):
        count, size = map(int, request.split())
        for i in range(count):
            yield i.to_bytes(8, "big") + bytes(size - 8)

    serve_grpc(grpc.method_handlers_generic_handler("test.Echo", {
        "Numbered": grpc.unary_stream_rpc_method_handler(numbered),
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Flaky": grpc.unary_unary_rpc_method_handler(flaky),
        "Download": grpc.unary_stream_rpc_method_handler(download),
        "Upload": grpc.stream_unary_rpc_method_handler(lambda messages, _: str(sum(map(len, messages))).encode()),
        "Chat": grpc.stream_stream_rpc_method_handler(lambda messages, _: (message for message in messages)),
    }))


def serve_health():
    """On the wire a HealthCheckRequest is field 1 (text), a HealthCheckResponse field 1 (1 SERVING, 2 NOT_SERVING)."""
    import grpc
    answers = {b"": b"\x08\x01", b"shop": b"\x08\x01", b"cart": b"\x08\x02"}

    def check(request, context):
        service = request[2:]
        if service not in answers:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return answers[service]

    health = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)})
    serve_grpc(health)


async def serve_crowd():
    crowds = {}

    async def one(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # a probe
            return writer.close()
        size = int(head.split()[1].strip(b"/").partition(b"?")[0])
        here, together = crowds.setdefault(size, ([], asyncio.Event()))
        here.append(writer)
        if len(here) == size:
            together.set()
        await together.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(one, "0.0.0.0", PORT, backlog=1024)
    await server.serve_forever()


HTTP_APPS = {"broken": Broken, "heads": Heads, "ordered": Ordered, "tell": Tell}
app = os.environ.get("APP", "echo")
if app == "crowd":
    asyncio.run(serve_crowd())
if app == "health":
    serve_health()
if app == "grpc":
    serve_echo()
if app in ("big", "broken", "heads", "https", "metered", "ordered", "tell"):
    http.server.ThreadingHTTPServer.address_family = socket.AF_INET6
    http.server.ThreadingHTTPServer.request_queue_size = 1024
    server = http.server.ThreadingHTTPServer(("::", PORT), HTTP_APPS.get(app, Big))
    if app == "https":
        server.socket = over_tls(server.socket)
    if app == "metered":
        page = http.server.ThreadingHTTPServer(("::", 9100), Metered)
        threading.Thread(target=page.serve_forever, daemon=True).start()
    server.serve_forever()
handler = {"echo": Echo, "mysql": Mysql, "mute": Mute, "deaf": Deaf}[app]
servers = [Server(("::", int(port)), handler) for port in os.environ.get("PORTS", str(PORT)).split()]
for further in servers[1:]:
    threading.Thread(target=further.serve_forever, daemon=True).start()
servers[0].serve_forever()
