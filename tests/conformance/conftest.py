"""A mesh for the tools: applications of HTTP/1, HTTP/2 and gRPC behind strict and permissive ports, and callers; and one
for bytes.

The programs that judge are built from the Go modules pinned in go.mod, into build/conformance-tools
(weft_build_conformance_tools in tests/support/setup.sh).
"""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "conformance-tools" / "bin"
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import raw_mesh as raw  # noqa: E402
from mesh import Mesh, deployment, namespace, pod, service, service_account  # noqa: E402

# h2specd gives each of its test cases a port of its own, from this one on.
H2SPECD_PORT = 30000
H2SPECD_CASES = 60


def pytest_collection_modifyitems(items):
    """Without root there are no namespaces: skip by hand, fail in CI (tests/support/summary.py)."""
    if os.geteuid() == 0:
        return
    for item in items:
        item.add_marker(pytest.mark.skip(reason="needs root for network namespaces"))


def h2specd_service():
    made = service("h2specd", port_name="http2")
    ports = range(H2SPECD_PORT, H2SPECD_PORT + H2SPECD_CASES)
    made["spec"]["ports"] = [{"name": f"http2-{port}", "port": port, "targetPort": port} for port in ports]
    return made


@pytest.fixture(scope="session")
def mesh():
    objects = [
        namespace("default", mtls="permissive"),
        service_account("client"), pod("client", account="client"),
        service_account("one"), deployment("one", "http-echo", env={"TEXT": "one " * 30}), service("one"),
        service_account("two"), deployment("two", "nghttpd"), service("two", port_name="http2"),
        service_account("interop"), deployment("interop", "interop", annotations={"weft.mesh/mtls": "strict"}),
        service("interop", port_name="grpc"),
        service_account("h2specd"), deployment("h2specd", "shell", ports=(), labels={"weft.mesh/inject": "false"}),
        h2specd_service(),
    ]
    images = {
        "nghttpd": "/usr/sbin/nghttpd --no-tls -d /usr/share/common-licenses 8080",
        "interop": f"{TOOLS}/server --port=8080",
    }
    with Mesh(objects, images=images) as up:
        yield up


@pytest.fixture(scope="session")
def raw_mesh():
    """Another one, where the smuggling tests see each byte that an application gets."""
    with raw.raw_mesh() as up:
        yield up
