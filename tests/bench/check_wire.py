"""Whether a target does what the bench takes for granted; inside its own namespaces, for test_peers.py.

check_wire.py CONFIG               what was seen of every target, as JSON on standard output
check_wire.py --echo ADDRESS:PORT  sends random bytes and a marker to an echo, compares what comes back
"""

import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

MARKER = b"weft-bench-marker-that-nobody-may-read"
ECHO_BYTES = 1 << 20
# Record, handshake type and lengths, version, random, a session id (empty or 32 bytes), cipher suite.
SERVER_HELLO = re.compile(rb"\x16\x03\x03..\x02\x00..\x03\x03.{32}(?:\x00|\x20.{32})(\x13.)\x00", re.S)
CHOSE_TLS_1_3 = b"\x00\x2b\x00\x02\x03\x04"  # supported_versions with one entry: only a ServerHello has it


def echo(address):
    host, _, port = address.rpartition(":")
    sent = b"E" + os.urandom(ECHO_BYTES) + MARKER
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        writer = threading.Thread(target=connection.sendall, args=(sent,))
        writer.start()
        received = b""
        while len(received) < len(sent) and (chunk := connection.recv(65536)):
            received += chunk
        writer.join()
    return received == sent


class Capture:
    """The bytes on the wire between the two pods while it is open."""

    def __init__(self, pod, file):
        self.file = pathlib.Path(file)
        tcpdump = f"tcpdump -U -B 65536 -i eth0 -s 0 -w {self.file} -Z root tcp".split()
        self.process = subprocess.Popen(pod.command(*tcpdump), stderr=subprocess.PIPE, text=True)
        while "listening on" not in self.process.stderr.readline():
            pass

    def bytes(self):
        time.sleep(0.3)  # what is still on its way into the file
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=10)
        return self.file.read_bytes()


def ask(world, target, *certificate):
    """What a TLS client beside the proxies, which no rule redirects, is told by the server's proxy."""
    from pods import PROXY_USER, SERVER_ADDRESS

    address = target.address("http")  # weft's is a Service's and nginx' the client side's own
    address = {
        "weft": f"{SERVER_ADDRESS}:8080",
        "nginx": f"{target.server_address}:{target.ports['http']}",
    }.get(target.name, address)
    words = [
        "openssl",
        "s_client",
        "-quiet",
        "-tls1_3",
        "-alpn",
        "http/1.1",
        "-connect",
        address,
        *certificate,
    ]
    done = subprocess.run(
        world.network.client.command("timeout", "3", *words, user=PROXY_USER),
        capture_output=True,
        input=b"GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n",
    )
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def inspect(world, target):
    world.restart(target)  # so that handshakes are on the wire
    target.enter()
    client = world.network.client
    capture = Capture(world.network.server, world.folder / f"{target.name}.pcap")
    seen = {}
    if "tcp" in target.can:
        said = client.run("/usr/bin/python3", __file__, "--echo", target.address("tcp"))
        seen["echo"] = said.strip() == "True"
    if "grpc" in target.can and "grpc_stream" in world.programs:
        said = client.run(*world.programs["grpc_stream"], target.address("stream"), "0.3")
        seen["grpc"] = json.loads(said.splitlines()[-1])  # it compares what comes back itself
    url = f"http://{target.address('http')}/bytes/3000000"
    curl = client.command("curl", "-sS", "-m", "20", "-H", f"x-marker: {MARKER.decode()}", url)
    body = subprocess.run(curl, capture_output=True).stdout
    seen["body"] = hashlib.sha256(body).hexdigest()
    wire = capture.bytes()
    seen["bytes_on_wire"] = len(wire)
    seen["marker_on_wire"] = MARKER in wire
    seen["tls_1_3"] = CHOSE_TLS_1_3 in wire
    seen["ciphers"] = sorted({found.hex() for found in SERVER_HELLO.findall(wire)})
    if target.name != "none":
        seen["without_certificate"] = ask(world, target)
        folder = world.certificates
        seen["with_certificate"] = ask(
            world, target, "-cert", folder / "client.pem", "-key", folder / "client.key"
        )
    return seen


def main(path):
    from rounds import TARGETS
    from world import World

    config = json.loads(pathlib.Path(path).read_text())
    with World(config) as world:
        seen = {}
        for index, kind in enumerate(TARGETS):
            world.make_target(kind, index)
            if kind.name in world.running:
                seen[kind.name] = inspect(world, world.running[kind.name])
        print(json.dumps({"seen": seen, "missing": world.missing}))


if __name__ == "__main__":
    if sys.argv[1] == "--echo":
        print(echo(sys.argv[2]))
    else:
        main(sys.argv[1])
