"""Applications for end-to-end tests, chosen by the environment variable APP. They know nothing of a mesh.

APP=big    GET /N answers N bytes; POST answers with the number of bytes received
APP=echo   TCP: sends back what comes, half-close included
APP=mysql  TCP: speaks first, then sends back what comes
APP=mute   accepts and says nothing
"""
import http.server
import os
import socket
import socketserver

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


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    address_family = socket.AF_INET6
    request_queue_size = 1024


app = os.environ.get("APP", "echo")
if app == "big":
    http.server.ThreadingHTTPServer.address_family = socket.AF_INET6
    http.server.ThreadingHTTPServer.request_queue_size = 1024
    http.server.ThreadingHTTPServer(("::", PORT), Big).serve_forever()
Server(("::", PORT), {"echo": Echo, "mysql": Mysql, "mute": Mute}[app]).serve_forever()
