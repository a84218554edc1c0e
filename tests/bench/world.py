"""Everything that a run of the bench has: the pods, the application in the server's pod, the targets and the
programs.
"""

import os
import pathlib
import resource
import statistics
import time

import generators
import peers
import pki
import process
from measure import resident_bytes
from pods import Network, run

FOLDER = pathlib.Path("/run/weft-bench")
SETTLE_SECONDS = 0.3  # after its start, before a proxy counts as at rest
OPEN_CONNECTIONS = 16  # of fortio
CALIBRATION_SECONDS = 1


class Unavailable(RuntimeError):
    """What a workload needs is not on this machine; the reason."""


class World:
    """`with World(config) as world:`; config as main.py writes it."""

    def __init__(self, config):
        self.config = config
        self.missing = dict(config["missing"])
        self.out = pathlib.Path(config["out"])
        self.logs = self.out / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.maxima = {}  # target -> requests a second that fortio gets through it at most
        self.starts = []  # {target, ready_ms, rest_mib} of every start
        self.running = {}
        # Every proxy needs two descriptors for a connection, and some for itself.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.descriptors = hard
        self.most_connections = min(10_000, hard * 2 // 5)
        self.idle_connections = 1_000 if config["quick"] else self.most_connections

    def __enter__(self):
        FOLDER.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", FOLDER)
        self.folder = FOLDER
        self._mount_programs()
        self.certificates = FOLDER / "certificates"
        self.certificates.mkdir()
        pki.make_certificates(self.certificates)
        self.network = Network()
        self._write_scripts()
        self._start_application()
        return self

    def __exit__(self, *_):
        for target in self.running.values():
            target.close()
        for started in self.application:
            started.stop()

    def need(self, name):
        """A program, or the reason why there is none."""
        if name not in self.programs:
            raise Unavailable(self.missing.get(name, f"{name} is not there"))
        return self.programs[name]

    def _mount_programs(self):
        """Where the proxies' user may reach them, wherever the checkout lies."""
        self.programs = {}
        for name, path in self.config["programs"].items():
            if isinstance(path, list):
                self.programs[name] = path
                continue
            place = FOLDER / "bin" / name
            place.parent.mkdir(exist_ok=True)
            place.touch()
            run("mount", "--bind", path, place)
            self.programs[name] = place

    def _write_scripts(self):
        self.scripts = {}
        for name, method, size in (
            ("get", "GET", 0),
            ("post-65536", "POST", 65536),
            ("post-1048576", "POST", 1048576),
        ):
            path = self.out / f"wrk-{name}.lua"
            path.write_text(generators.wrk_script(method, size))
            self.scripts[name] = path

    def _start_application(self):
        """The origin twice, for resumed handshakes have a port of their own; gRPC by fortio and the streaming
        server.
        """
        server, ports = self.network.server, peers.PORTS
        load = self.programs["load"]
        wanted = [
            (
                "origin",
                ports["http"],
                [load, "origin", "--http", f"0.0.0.0:{ports['http']}", "--tcp", f"0.0.0.0:{ports['tcp']}"],
            ),
            (
                "origin-resume",
                ports["resume"],
                [load, "origin", "--http", f"0.0.0.0:8081", "--tcp", f"0.0.0.0:{ports['resume']}"],
            ),
        ]
        if "fortio" in self.programs:
            wanted.append(
                (
                    "fortio-server",
                    ports["grpc"],
                    [
                        self.programs["fortio"],
                        "server",
                        "-grpc-port",
                        f"0.0.0.0:{ports['grpc']}",
                        "-http-port",
                        "disabled",
                        "-redirect-port",
                        "disabled",
                        "-tcp-port",
                        "disabled",
                        "-udp-port",
                        "disabled",
                    ],
                )
            )
        if "grpc_stream" in self.programs:
            wanted.append(
                (
                    "stream-server",
                    ports["stream"],
                    [*self.programs["grpc_stream"], "--serve", f"0.0.0.0:{ports['stream']}"],
                )
            )
        self.application = []
        for name, port, command in wanted:
            started = process.Started(name, server.command(*command), self.logs)
            self.application.append(started)
            process.wait_until(lambda: process.listens(started.pid, port), f"{name} on port {port}", started)
        self.origin_pid = self.application[0].pid

    def make_target(self, kind, index):
        """Starts a pair of proxies; what cannot be had or does not start is missing, with the reason."""
        try:
            target = self.running[kind.name] = kind(self, index)
            self.start(target)
        except (OSError, RuntimeError) as error:
            if kind.name in self.running:
                self.running.pop(kind.name).close()
            self.missing[kind.name] = str(error)

    def start(self, target):
        target.start()
        if target.name == "none":
            return
        time.sleep(SETTLE_SECONDS)
        self.starts.append(
            {
                "target": target.name,
                "ready_ms": 1000 * statistics.mean(target.ready_seconds.values()),
                "rest_mib": self.resident(target, "tcp") / 2**20,
            }
        )

    def restart(self, target):
        target.stop()
        self.start(target)

    def resident(self, target, service):
        """Bytes, the mean of both sides."""
        return statistics.mean(resident_bytes(target.pids(side, service)) for side in peers.SIDES)

    def descriptors_of(self, target):
        """How many both sides have open."""
        return sum(
            len(os.listdir(f"/proc/{pid}/fd")) for side in peers.SIDES for pid in target.pids(side, "tcp")
        )

    def calibrate(self):
        """What fortio can get through each target, for the open loops; by fortio itself, for it costs more
        than wrk.
        """
        if "fortio" not in self.programs:
            return
        for name, target in self.running.items():
            target.enter()
            command = generators.fortio_http(
                self.programs["fortio"], target.address("http"), OPEN_CONNECTIONS, CALIBRATION_SECONDS, 0
            )
            try:
                run = generators.Run(self.network.client.command(*command))
                self.maxima[name] = generators.parse_fortio(run.ended(20))["rate"]
            except RuntimeError as error:
                self.missing[f"{name}'s maximum"] = str(error)

    def slowest_rps(self):
        """The least that any proxy could do, so that all are asked for the same in all rounds."""
        maxima = [rate for name, rate in self.maxima.items() if name != "none"]
        if not maxima:
            raise Unavailable(self.missing.get("fortio", "no proxy's maximum could be measured"))
        return min(maxima)
