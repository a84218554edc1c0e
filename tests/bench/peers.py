"""What stands between client and server: how each is started, where a client finds it, and who its processes
are.

A target is weft, one of its peers, the floor, or nothing at all. All of them live in the same two pods at the
same time, each on ports of its own; `enter()` sends the pods' traffic through one of them by their nat
tables, so switching takes no restart. The server's pod has an address for each, for the kernel remembers
connections: the same address and port, reached a moment ago through another proxy, might still lead there.
"""

import pathlib
import re
import shutil
import time

import process
from pods import PROXY_USER, redirect_rules

TEMPLATES = pathlib.Path(__file__).parent / "peers"
PORTS = {"http": 8080, "grpc": 8079, "stream": 8078, "tcp": 9090, "resume": 9091}  # the application's
FIRST_PROXY_PORT = 15100  # below the ephemeral ports, beside weft's own
SIDES = ("client", "server")


def fill(template, values):
    """The text with every @NAME@ replaced; a name without a value is an error."""
    return re.sub(r"@([A-Z_]+)@", lambda found: str(values[found.group(1)]), template)


class Target:
    """A pair of proxies. Subclasses say how one side is started and what it can do."""

    name = ""
    program = ""  # in World.programs
    can = frozenset({"http", "grpc", "tcp", "resume"})  # application ports that may be called through it
    why_not = {}  # application port -> the reason it is not in `can`
    variant_of = None  # what the variant cannot do stands under this name
    application_link = "lo"  # in the server's pod, by which requests reach the application

    def __init__(self, world, index):
        self.world = world
        base = FIRST_PROXY_PORT + 20 * index
        self.ports = {name: base + i for i, name in enumerate([*PORTS, "admin"])}
        self.ports["stream"] = self.ports["grpc"]  # two applications, one way there
        self.server_address = f"198.18.0.{10 + index}"
        world.network.server.add_address(self.server_address)
        self.sides = {}
        self.ready_seconds = {}

    def pod(self, side):
        return getattr(self.world.network, side)

    def folder(self, side):
        path = self.world.folder / f"{self.name}-{side}"
        path.mkdir(exist_ok=True)
        shutil.chown(path, PROXY_USER, PROXY_USER)
        return path

    def command(self, side):
        raise NotImplementedError

    def binary(self):
        return self.world.need(self.program)

    def ready(self, side, started):
        return process.listens(started.pid, self.ports["tcp"])

    def start(self):
        for side in ("server", "client"):
            command = self.pod(side).command(*self.command(side), user=PROXY_USER)
            started = process.Started(f"{self.name}-{side}", command, self.world.logs, self.environment(side))
            self.sides[side] = started
            process.wait_until(
                lambda: self.ready(side, started), f"{self.name} on the {side}'s side", started
            )
            self.ready_seconds[side] = time.monotonic() - started.started

    def environment(self, side):
        return {}

    def stop(self):
        for started in self.sides.values():
            started.stop()
        self.sides = {}

    def close(self):
        """Its end, with whatever else was started for it."""
        self.stop()

    def dead(self):
        """Which of the two has ended, and what it said; empty while both live."""
        return "; ".join(f"{s.name} has ended: {s.log_tail()}" for s in self.sides.values() if not s.alive())

    def pids(self, side, service):
        """The processes that serve this application port on this side."""
        return self.sides[side].pids() if side in self.sides else []

    def address(self, service):
        """Where the client calls one of the application's ports."""
        return f"{self.server_address}:{PORTS[service]}"

    def rules(self):
        """The nat tables of client's and server's pod."""
        ports = {PORTS[name]: self.ports[name] for name in PORTS}
        return redirect_rules(ports, {}), redirect_rules({}, ports)

    def enter(self):
        client, server = self.rules()
        self.world.network.client.redirect(client)
        self.world.network.server.redirect(server)


class Nothing(Target):
    """No proxy: what the client, the server and the network cost and take by themselves."""

    name = "none"
    can = frozenset({"http", "grpc", "tcp"})
    why_not = {"resume": "there is no handshake without a proxy"}
    application_link = "eth0"

    def start(self):
        pass

    def rules(self):
        return "", ""


class Floor(Target):
    """The cheapest mTLS relay (tests/bench/floor): no parsing, no policy, one connection for one."""

    name = program = "floor"

    def __init__(self, world, index):
        super().__init__(world, index)
        self.resuming = {}

    def _words(self, side, port, *more):
        certificates = self.world.certificates
        return [
            self.binary(),
            "--role",
            side,
            "--listen",
            f"0.0.0.0:{port}",
            "--to-original",
            "--cert",
            certificates / f"{side}.pem",
            "--key",
            certificates / f"{side}.key",
            "--ca",
            certificates / "ca.pem",
            *more,
        ]

    def command(self, side):
        return self._words(side, self.ports["tcp"])

    def start(self):
        super().start()
        # Resumption is a matter of the process, so a second pair does it.
        for side in ("server", "client"):
            words = self._words(side, self.ports["resume"], "--resume")
            started = process.Started(
                f"floor-resume-{side}", self.pod(side).command(*words, user=PROXY_USER), self.world.logs
            )
            self.resuming[side] = started
            process.wait_until(
                lambda: process.listens(started.pid, self.ports["resume"]), "floor with --resume", started
            )

    def stop(self):
        super().stop()
        for started in self.resuming.values():
            started.stop()

    def pids(self, side, service):
        return self.resuming[side].pids() if service == "resume" else super().pids(side, service)

    def rules(self):
        ports = {PORTS[name]: self.ports["resume" if name == "resume" else "tcp"] for name in PORTS}
        return redirect_rules(ports, {}), redirect_rules({}, ports)


class Configured(Target):
    """A peer with a configuration file for each side, from peers/."""

    suffix = ""
    template = ""
    values = {}

    def configuration(self, side):
        text = (TEMPLATES / f"{self.template}-{side}.{self.suffix}").read_text()
        values = {name.upper(): port for name, port in self.ports.items()}
        values |= {
            "CERTIFICATES": self.world.certificates,
            "FOLDER": self.folder(side),
            "SERVER": self.server_address,
            **self.values,
            "CONNECTIONS": self.connections(),
            "DESCRIPTORS": self.world.descriptors,
        }
        path = self.folder(side) / f"{self.template}.{self.suffix}"
        path.write_text(fill(text, values))
        return path

    def connections(self):
        return self.world.most_connections + 500


class Envoy(Configured):
    name = program = template = "envoy"
    suffix = "yaml"
    values = {"HTTP_PROTOCOL": "http_protocol_options", "HTTP_ALPN": "http/1.1"}

    def command(self, side):
        # --concurrency 1: one worker; Envoy's main thread counts as well, for it is there.
        return [
            self.binary(),
            "-c",
            self.configuration(side),
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "-l",
            "error",
        ]


class EnvoyHttp2(Envoy):
    """HTTP/1.1 requests of the client travel as HTTP/2 between the two proxies."""

    name = "envoy-h2"
    can = frozenset({"http"})
    variant_of = Envoy
    values = {"HTTP_PROTOCOL": "http2_protocol_options", "HTTP_ALPN": "h2"}


class Haproxy(Configured):
    name = program = template = "haproxy"
    suffix = "cfg"
    values = {"HTTP_ALPN": "http/1.1"}

    def command(self, side):
        return [self.binary(), "-db", "-f", self.configuration(side)]


class HaproxyHttp2(Haproxy):
    """HTTP/1.1 requests of the client travel as HTTP/2 between the two proxies."""

    name = "haproxy-h2"
    can = frozenset({"http"})
    variant_of = Haproxy
    values = {"HTTP_ALPN": "h2"}


class Nginx(Configured):
    name = program = template = "nginx"
    suffix = "conf"

    def command(self, side):
        return [self.binary(), "-e", "stderr", "-c", self.configuration(side)]

    def connections(self):
        return 2 * self.world.most_connections + 1000  # nginx counts both sides of a connection

    def address(self, service):
        return f"127.0.0.1:{self.ports[service]}"

    def rules(self):
        return "", ""


PEERS = (Envoy, EnvoyHttp2, Haproxy, HaproxyHttp2, Nginx)
# Wanted, and not to be had from any package registry: nothing to start, only to be told.
UNAVAILABLE = {
    "linkerd2-proxy": "crates.io holds an empty placeholder for it; neither PyPI nor npm has its binary",
    "ztunnel": "crates.io does not hold it; neither PyPI nor npm has its binary",
}
