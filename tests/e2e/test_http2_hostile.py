"""HTTP/2 peers that send what costs us more than them, or read nothing: over raw sockets, against the real sidecar.

One worker thread each, so that who floods and who does not are served by the same loop.
"""
import json

import pytest

from mesh import ROOT, Mesh, deployment, namespace, pod, service, service_account
from test_streams import start
from test_traffic import resident

ENHANCE_YOUR_CALM = 11
FLOODS = ["rapid-reset", "continuation", "settings", "ping", "empty-data", "priority"]


@pytest.fixture(scope="module")
def mesh():
    one_worker = {"weft.mesh/concurrency": "1"}
    objects = [namespace("default"), service_account("client"), pod("client", account="client", annotations=one_worker),
               service_account("app"), deployment("app", "python", env={"APP": "big"}, annotations=one_worker), service("app")]
    with Mesh(objects) as up:
        yield up


def raw(mesh, job, host, port, **where):
    done = mesh.exec("client", "/usr/bin/python3", f"{ROOT}/tests/e2e/raw_http2.py", job, host, port, **where)
    return json.loads(done.stdout)


# By the caller's own sidecar, and from the node, which has none, by the receiver's.
@pytest.mark.parametrize("direction", ["outbound", "inbound"])
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_ends_its_own_connection_and_no_other(mesh, flood, direction):
    if direction == "outbound":
        got = raw(mesh, flood, "app", 80)
    else:
        got = raw(mesh, flood, mesh.pods("app")[0]["address"], 8080, node=True)
    assert got == {"goaway": ENHANCE_YOUR_CALM, "before": 0, "after": 0, "pong": True}


def test_streams_that_nobody_reads_hold_up_no_other_on_their_connection(mesh):
    assert raw(mesh, "stall", "app", 80) == {"stalled": [65535] * 4, "quick": [50000] * 10}


def test_a_hundred_streams_that_nobody_reads_hold_what_is_documented_each_time(mesh):
    """docs/configuration.md, "Memory": of each stream what was received, and what is to be sent. What another such
    connection left behind holds up no stream: each gets what its window has room for."""
    sidecars = ("client", mesh.pod_of("app"))

    def settled():
        sizes = []
        assert mesh.until(lambda: sizes.append([resident(mesh, name)[1] for name in sidecars]) or len(sizes) > 4 and sizes[-1] == sizes[-4], 20, step=0.3)
        return sizes[-1]

    for _ in range(6):
        peer = start(mesh, "/usr/bin/python3", f"{ROOT}/tests/e2e/raw_http2.py", "hoard", "app", "80")
        assert json.loads(peer.stdout.readline()) == [65535] * 100
        stalled = settled()
        peer.communicate("\n", timeout=30)
        print(f"{sidecars}, KiB: {stalled} while 100 streams are stalled, {settled()} behind them")
        # The allocator's gaps come on top of it.
        assert max(stalled) < 100 * (256 + 256 + 64) * 1.25 + 4096
    # It is given back within a minute.
    assert mesh.until(lambda: max(settled()) < 8192, 75, step=1)
