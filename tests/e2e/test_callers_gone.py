"""A caller that leaves while nobody reads what it sent is noticed all the same, and holds up nobody."""
import time

import pytest

from mesh import ROOT, Mesh, deployment, namespace, pod, service, service_account

LOGGED = {"weft.mesh/access-log": "all"}


@pytest.fixture(scope="module")
def mesh():
    # The application reads no body: it waits for an hour first.
    objects = [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client", annotations=LOGGED),
               service_account("slow"), deployment("slow", "python", env={"APP": "ordered"}, annotations=LOGGED),
               service("slow", annotations={"weft.mesh/limits": "requests=1"}),
               service("opaque", selector={"app": "slow"}, port_name="tcp")]
    with Mesh(objects) as up:
        yield up


def upload(mesh, host, how):
    sent, unsent = mesh.exec("client", "/usr/bin/python3", f"{ROOT}/tests/e2e/hasty.py", host, how).stdout.split()
    assert int(sent) > 1_000_000 and (how == "reset" or unsent == "0")


@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_upload_that_nobody_reads_gives_its_place_back_when_its_caller_leaves(mesh, how):
    """The place is the only one (`requests=1`); the caller's sidecar tells the application's, which lets it go as well."""
    before = [len(mesh.access_log(name)) for name in ("client", mesh.pod_of("slow"))]
    upload(mesh, "slow", how)
    gone = time.monotonic()
    assert mesh.until(lambda: mesh.code("client", "http://slow/10") == "200", 5), mesh.admin("client", "/endpoints")
    assert time.monotonic() - gone < 5
    for name, seen in zip(("client", mesh.pod_of("slow")), before):
        uploads = lambda: [line for line in mesh.access_log(name)[seen:] if line.get("path") == "/3600"]
        assert mesh.until(uploads, 5), name
        assert [line["reason"] for line in uploads()] == ["downstream-closed"]


def test_opaque_tcp_that_nobody_reads_ends_with_its_caller(mesh):
    upload(mesh, "opaque", "reset")
    ended = lambda name: [line for line in mesh.access_log(name) if line.get("reason") == "downstream-reset"]
    assert mesh.until(lambda: ended("client"), 5)
    assert mesh.until(lambda: ended(mesh.pod_of("slow")), 5)
