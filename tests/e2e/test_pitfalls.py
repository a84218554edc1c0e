"""Where other meshes hurt their users: each test names the thread it was seen in. Those of HTTP/1 alone (the keep-alive
race, HTTP/1.0, unknown Upgrades) are in test_http1.py.
"""
import json

import pytest

from mesh import ROOT, Mesh, deployment, namespace, pod, service, service_account


@pytest.fixture(scope="module")
def mesh():
    logged = {"weft.mesh/access-log": "all"}
    retries = {"weft.mesh/retry-attempts": "2"}
    objects = [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client", annotations=logged),
               service_account("web"), deployment("web", "http1", annotations=logged),
               service("web", port=80, annotations=retries), service("headless", selector={"app": "web"}, port=8080,
                                                                   annotations=retries, clusterIP="None"),
               service_account("raw"), deployment("raw", "python", env={"APP": "echo"}), service("raw", port=80, port_name="tcp")]
    with Mesh(objects, images={"http1": f"/usr/bin/python3 {ROOT}/tests/e2e/http1_app.py"}) as up:
        yield up


def last_request(mesh, path):
    """What the caller's sidecar wrote of it."""
    return mesh.logged("client", lambda line: line.get("path") == path)[-1]


def test_two_services_with_one_port_number_and_different_protocols(mesh):
    """istio#10456, #35242, #48228: what is no HTTP is refused on one port 80 and untouched on the other."""
    no_http = "GET / HTTP/1.1\nnot: http\x00\r\n\r\n"
    say = lambda host: json.loads(mesh.exec("client", "/usr/bin/python3", f"{ROOT}/tests/e2e/dialogue.py", host, 80,
                                            json.dumps([["send", no_http], ["until", "\r\n\r\n"]])).stdout)["received"]
    for _ in range(3):
        assert say("raw") == no_http
        assert say("web").startswith("HTTP/1.1 400 ")
        assert mesh.code("client", "http://web/echo") == "200"


@pytest.mark.parametrize("how", ["headless", "pod address"])
def test_headless_services_and_pod_addresses_keep_identity_and_retries(mesh, how):
    """istio#7495, #27831, #23494: mutual TLS with the pod's own identity, and the Service's retries."""
    host = "headless" if how == "headless" else mesh.pods("web")[0]["address"]
    # Fails every other time: a caller without retries would see it.
    assert [mesh.code("client", f"http://{host}:8080/flaky") for _ in range(4)] == ["200"] * 4
    line = last_request(mesh, "/flaky")
    assert line["mutual_tls"] is True
    assert line["destination_identity"] == "spiffe://cluster.local/ns/default/sa/web"
    assert [entry["reason"] for entry in line["tries"]] == ["503", "200"]
    assert line["tries"][0]["class"] == "idempotent"


def test_a_headless_service_is_balanced_over_its_pods_by_its_addresses(mesh):
    mesh.weft("scale", "deployment/web", "3", timeout=60)
    assert mesh.until(lambda: len([entry for entry in mesh.pods("web") if entry["ready"]]) == 3, 30)
    addresses = {entry["address"] for entry in mesh.pods("web")}
    named = lambda: set(mesh.exec("client", "getent", "ahostsv4", "headless").stdout.split()) & addresses
    assert mesh.until(lambda: named() == addresses, 10)
    for address in addresses:
        assert mesh.code("client", f"http://{address}:8080/echo") == "200"
    assert mesh.until(lambda: addresses <= {line.get("endpoint", "").partition(":")[0] for line in mesh.access_log("client")})


def test_a_post_that_an_application_may_have_read_is_never_repeated_by_default(mesh):
    """istio#50506, #13851: not even though retry-attempts asks for retries of what is idempotent."""
    mesh.weft("scale", "deployment/web", "1", timeout=60)
    assert mesh.until(lambda: len(mesh.pods("web")) == 1, 30)
    count = lambda: int(mesh.curl("client", "http://web/count"))
    assert mesh.until(lambda: mesh.code("client", "http://web/count") == "200", 10)
    before = count()
    status, headers = mesh.headers("client", "-d", "payout", "http://web/reset")
    assert status.startswith("HTTP/1.1 503") and headers["x-weft-error"] == "upstream-reset"
    assert count() == before + 1
    assert len(last_request(mesh, "/reset")["tries"]) == 1
