"""h2spec, the conformance tests of RFC 9113 and RFC 7541, against weft's HTTP/2: as a server and as a client.

docs/conformance.md says what each run exercises.
"""
import concurrent.futures
import re
import socketserver
import threading

import pytest

from conftest import H2SPECD_PORT, ROOT, TOOLS

SUMMARY = re.compile(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed")
FAILED = re.compile(r"^ *× (?:\d+: )?(.*)$", re.M)
# h2spec wants a connection that does not begin like HTTP/2 to be closed without a word. The ports of a sidecar speak
# HTTP/1.1 as well, where RFC 9112 § 3 has it answered with 400, and then it is closed.
PREFACE = "Sends invalid connection preface"


def judge(output, tests, exceptions=()):
    """Every test ran and passed, but for the exceptions, which did not."""
    assert (found := SUMMARY.search(output)), output
    total, passed, skipped, failed = map(int, found.groups())
    failures = output[output.find("Failures:"):]
    assert sorted(FAILED.findall(failures)) == sorted(exceptions), failures
    assert (total, passed, skipped, failed) == (tests, tests - len(exceptions), 0, len(exceptions)), output


# (who calls, which application, a path of it with a body). `one` speaks HTTP/1.1, so its sidecar bridges; `two` is nghttpd.
RUNS = [("outbound", "one", "/"), ("outbound", "two", "/BSD"), ("inbound", "one", "/"), ("inbound", "two", "/BSD")]


def h2spec(mesh, direction, application, path):
    """outbound: the caller's own sidecar serves it. inbound: a caller without one, on a permissive port."""
    command = [TOOLS / "h2spec", "--strict", "-P", path]
    if direction == "outbound":
        done = mesh.exec("client", *command, "-h", f"{application}.default.svc.cluster.local", "-p", "80", check=False)
    else:
        done = mesh.node(*command, "-h", mesh.pods(application)[0]["address"], "-p", "8080", check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(mesh):
    """All at once: they mostly wait to see that nothing happens."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        started = {run: pool.submit(h2spec, mesh, *run) for run in RUNS}
        yield started


@pytest.mark.parametrize("run", RUNS, ids="-".join)
def test_the_sidecar_is_a_conforming_server(runs, run):
    judge(runs[run].result(), 147, [PREFACE])


# What the exception is: it is answered in HTTP/1.1, and then the connection ends.
def test_a_preface_of_nothing_known_is_answered_with_400_and_a_close(mesh):
    send = "printf 'INVALID CONNECTION PREFACE\\r\\n\\r\\n' | nc -w 5 two.default.svc.cluster.local 80"
    answer = mesh.exec("client", "sh", "-c", send).stdout
    assert answer.startswith("HTTP/1.1 400 ") and "connection: close" in answer.lower(), answer


class Caller(socketserver.ThreadingUnixStreamServer):
    """Calls a URL from the pod with the sidecar, for h2specd, whose own pod has none. One line each: the URL."""

    daemon_threads = True

    def __init__(self, path, mesh):
        super().__init__(path, CallHandler)
        self.mesh = mesh
        threading.Thread(target=self.serve_forever, daemon=True).start()


class CallHandler(socketserver.StreamRequestHandler):
    def handle(self):
        url = self.rfile.readline().decode().strip()
        self.server.mesh.exec("client", "curl", "-s", "-m", "3", "-o", "/dev/null", "--http2-prior-knowledge", url, check=False)


# h2specd is the application's server; for each of its cases the caller's sidecar is made to call it once.
def test_the_sidecar_is_a_conforming_client(mesh):
    server = mesh.pods("h2specd")[0]
    path = f"{mesh.folder}/caller"
    with Caller(path, mesh):
        done = mesh.exec(server["name"], TOOLS / "h2specd", "--strict", "-h", server["address"], "-f", H2SPECD_PORT,
                         "-e", f"/bin/sh {ROOT}/tests/conformance/call.sh {path}", check=False)
    judge(done.stdout, 57)
