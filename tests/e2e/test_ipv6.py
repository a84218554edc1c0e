"""IPv6 from end to end: Services of IPv6 alone, so that the sidecars speak it to each other and to their applications. IPv4
between the pods is cut, and both sides' access logs say which addresses there were."""
import ipaddress
import json
import math

import pytest

from mesh import ROOT, Mesh, deployment, namespace, pod, service, service_account
from test_http1 import talk, websocket
from test_http2 import grpc_client
from test_steering import batch

LOGGED = {"weft.mesh/access-log": "all"}
GREETING = "5.7.0-greeting\n"
CURL_TIMED_OUT = 28
GPL = "/usr/share/common-licenses/GPL-3"


def only(name, **options):
    return service(name, ipFamilies=["IPv6"], ipFamilyPolicy="SingleStack", **options)


def app(name, image, account=None, **options):
    return deployment(account or name, image, name=name, annotations=LOGGED, **options)


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default"), namespace("legacy", inject=False), pod("old", ns="legacy")]
    objects += [service_account(name) for name in ("client", "other", "web", "files", "grpc", "greeter", "secure", "socket", "broken")]
    objects += [pod(name, account=name, annotations=LOGGED) for name in ("client", "other")]
    objects += [app("web-v1", "http-echo", "web", labels={"version": "v1", "half": "yes"}, env={"TEXT": "v1"}),
                app("web-v2", "http-echo", "web", labels={"version": "v2"}, env={"TEXT": "v2"}),
                only("web"), service("pods", selector={"app": "web"}, clusterIP="None", ipFamilyPolicy="RequireDualStack"),
                only("canary", selector={"app": "web"}, annotations={"weft.mesh/canary": "v1=75,v2=25"}),
                only("hashed", selector={"app": "web"}, annotations={"weft.mesh/load-balancer": "hash(header:x-user)"}),
                # Of three endpoints one answers 503, and behind one nobody listens.
                app("broken", "python", labels={"half": "yes"}, env={"APP": "broken"}),
                pod("dead", account="broken", labels={"half": "yes"}, annotations=LOGGED),
                only("half", selector={"half": "yes"},
                     annotations={"weft.mesh/retry-attempts": "2", "weft.mesh/retry-on": "503", "weft.mesh/load-balancer": "round-robin",
                                  "weft.mesh/outlier": "consecutive=1000"}),
                app("files", "nghttpd"), only("files", port_name="http2", annotations={"weft.mesh/allow": "from=default/client methods=GET"}),
                app("grpc", "python", env={"APP": "grpc"}), only("grpc", port_name="grpc"),
                app("greeter", "python", env={"APP": "mysql"}), only("undeclared", port_name="main", selector={"app": "greeter"}),
                only("greeter", port_name="tcp", annotations={"weft.mesh/allow": "from=default/client"}),
                app("secure", "python", env={"APP": "https"}), only("secure", port_name="tls"),
                app("socket", "websocket"), only("socket")]
    images = {"nghttpd": "/usr/sbin/nghttpd --no-tls -d /usr/share/common-licenses 8080",
              "websocket": f"/usr/bin/python3 {ROOT}/tests/e2e/websocket_app.py"}
    with Mesh(objects, images=images) as up:
        up.node("iptables", "-t", "mangle", "-I", "FORWARD", "-p", "tcp", "--dport", "8080", "-j", "DROP")
        yield up


def address(mesh, name, version=6):
    """Of a Deployment's pod."""
    return next(a for a in mesh.pods(name)[0]["addresses"] if ipaddress.ip_address(a).version == version)


def is_ipv6(text):
    return text.startswith("[") and ipaddress.ip_address(text[1:text.index("]")]).version == 6


def over_ipv6(mesh, target, **wanted):
    """The access logs' lines with these fields, of caller and receiver: mutual TLS, and nowhere an address but of IPv6."""
    def fits(line):
        return line.get("destination_workload") == target and all(line.get(field) == value for field, value in wanted.items())
    lines = mesh.logged("client", fits) + mesh.logged(mesh.pod_of(target), fits)
    assert {line["direction"] for line in lines} == {"outbound", "inbound"}
    for line in lines:
        assert line["mutual_tls"] is True, line
        assert all(is_ipv6(line[field]) for field in ("source_address", "destination_address", "endpoint")), line
    return lines


def test_ipv4_between_the_pods_is_cut(mesh):
    """So that what passes in the tests below has passed over IPv6."""
    for host, status in ((address(mesh, "web-v1", version=4), CURL_TIMED_OUT), (f"[{address(mesh, 'web-v1')}]", 0)):
        assert mesh.exec("old", "curl", "-s", "-m", "1", f"http://{host}:8080/", ns="legacy", check=False).returncode == status, host


@pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize("host,target,path", [("web", "web-v1", "/"), ("files", "files", "/GPL-3")])
def test_http_of_both_versions_reaches_applications_of_both(mesh, version, host, target, path):
    for url in (f"http://{host}{path}", f"http://[{address(mesh, target)}]:8080{path}"):
        mark = f"{url}{version}"
        got = mesh.curl("client", version, "-H", f"x-request-id: {mark}", url)
        assert got in ("v1", "v2") if host == "web" else got == open(GPL).read()
        receiver = f"web-{got}" if host == "web" else target
        lines = over_ipv6(mesh, receiver, request_id=mark, status=200)
        assert {line["endpoint"] for line in lines} == {f"[{address(mesh, receiver)}]:8080"}


def test_the_four_shapes_of_a_grpc_call(mesh):
    got = grpc_client(mesh, '''
stub = lambda kind, name: getattr(channel, kind)("/test.Echo/" + name)
print(json.dumps({
    "peer": unary(b"hello")["trailers"]["x-peer"], "failed": unary(b"fail")["code"],
    "download": [len(m) for m in stub("unary_stream", "Download")(b"5 100000", timeout=30)],
    "upload": stub("stream_unary", "Upload")(each(7, 100000), timeout=30).decode(),
    "chat": [m.decode() for m in stub("stream_stream", "Chat")(iter([b"a", b"b", b"c"]), timeout=30)]}))
''', target="grpc:80")
    assert got.pop("peer").startswith("ipv6:"), "as the application sees it"
    assert got == {"failed": "FAILED_PRECONDITION", "download": [100000] * 5, "upload": "700000", "chat": ["a", "b", "c"]}
    over_ipv6(mesh, "grpc", path="/test.Echo/Chat", grpc_status="0")


@pytest.mark.parametrize("host", ["greeter", "undeclared"])
def test_a_server_that_speaks_first_is_heard_and_then_hears(mesh, host):
    done = talk(mesh, ["until", GREETING], ["send", f"to {host}"], ["until", f"to {host}"], host=host)
    assert done["received"] == f"{GREETING}to {host}"
    over_ipv6(mesh, "greeter", kind="connection", sent_bytes=len(f"to {host}"))


def test_a_half_closed_connection_goes_on_the_other_way(mesh):
    out = mesh.exec("client", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' 'y' | timeout 60 nc -N undeclared 80 | wc -c").stdout
    assert int(out) == 3_000_000 + len(GREETING)
    over_ipv6(mesh, "greeter", kind="connection", sent_bytes=3_000_000, received_bytes=3_000_000 + len(GREETING))


def test_the_applications_own_tls_passes_through(mesh):
    out = mesh.curl("client", "-k", "-w", "%{certs}", "--connect-to", "::secure:80", "https://secure/5")
    assert out.startswith("xxxxx") and "Subject:CN = elsewhere.example" in out
    over_ipv6(mesh, "secure", kind="connection")


def test_websockets_carry_messages_both_ways(mesh):
    websocket(mesh, "socket")
    over_ipv6(mesh, "socket", path="/chat", status=101)


def test_what_fails_at_one_endpoint_is_tried_at_another(mesh):
    seen = batch(mesh, "half", "--batch", "30")
    assert (seen["codes"], seen["counts"]) == ({"200": 30}, {"v1": 30})
    lines = mesh.logged("client", lambda line: line.get("service") == "default/half:80", count=30)
    tries = [attempt for line in lines for attempt in line["tries"]]
    dead = next(a for p in mesh.status() if p["name"] == "dead" for a in p["addresses"] if ":" in a)
    assert {attempt["endpoint"] for attempt in tries} == {f"[{a}]:8080" for a in (dead, address(mesh, "broken"), address(mesh, "web-v1"))}
    assert {attempt.get("class") for attempt in tries} == {"proved", "idempotent", None}


def test_canary_weights_hold(mesh):
    seen = batch(mesh, "canary", "--batch", "400")
    assert seen["codes"] == {"200": 400}
    assert abs(seen["counts"]["v2"] - 100) < 5 * math.sqrt(400 * 0.25 * 0.75), seen["counts"]


def test_a_hash_sends_one_user_to_one_pod(mesh):
    seen = batch(mesh, "hashed", "--batch", "200", "--users", "40", "--header", "x-user: user-{i}")
    assert all(len(got) == 1 for got in seen["users"].values()), seen["users"]
    assert set(seen["counts"]) == {"v1", "v2"}


def test_a_rule_refuses_whom_it_does_not_allow(mesh):
    """By the Service's name and by the pod's address, HTTP and opaque TCP, members of the mesh and strangers."""
    by_address = f"http://[{address(mesh, 'files')}]:8080/GPL-3"
    for url in ("http://files/GPL-3", by_address):
        assert mesh.code("client", url) == "200"
        status, headers = mesh.headers("other", url)
        assert status.split()[1] == "403" and headers["x-weft-error"] == "rbac-denied"
        assert mesh.code("client", "-X", "POST", url) == "403"
    assert mesh.code("old", by_address, ns="legacy") == "403"
    refused = mesh.logged(mesh.pod_of("files"), lambda line: line.get("reason") == "rbac-denied" and
                          line.get("source_identity") == "spiffe://cluster.local/ns/default/sa/other", count=2)
    assert all(is_ipv6(line["source_address"]) for line in refused)
    assert mesh.exec("other", "sh", "-c", "sleep 1 | timeout 5 nc -N greeter 80 | wc -c").stdout.strip() == "0"


def test_a_headless_service_is_its_pods(mesh):
    found = {line.split()[0] for line in mesh.exec("client", "getent", "ahostsv6", "pods").stdout.splitlines()}
    assert found == {address(mesh, "web-v1"), address(mesh, "web-v2")}
    answer = mesh.curl("client", "-6", "-H", "x-request-id: headless", "http://pods:8080/")
    over_ipv6(mesh, f"web-{answer}", request_id="headless", status=200)


def test_a_caller_without_a_sidecar_and_the_pod_itself_are_served_too(mesh):
    assert mesh.curl("old", "http://web.default/", ns="legacy") in ("v1", "v2")
    mine = mesh.pod_of("web-v1")
    assert mesh.until(lambda: mesh.curl(mine, "http://web/") == "v1"), "it reaches itself by its Service"
    assert mesh.curl(mine, f"http://[{address(mesh, 'web-v1')}]:8080/") == "v1"


@pytest.mark.parametrize("caller,ns", [("client", "default"), ("old", "legacy")])
def test_what_could_be_read_in_two_ways_is_refused(mesh, caller, ns):
    """By the caller's own sidecar; by the receiver's, where the caller has none."""
    smuggled = ("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                "GET /smuggled HTTP/1.1\r\nHost: web\r\n\r\n")
    target = [address(mesh, "web-v1"), 8080]
    out = mesh.exec(caller, "/usr/bin/python3", f"{ROOT}/tests/e2e/dialogue.py", *target, json.dumps([["send", smuggled], ["close"]]), ns=ns).stdout
    received = json.loads(out)["received"]
    assert received.startswith("HTTP/1.1 400 ") and received.count("HTTP/1.") == 1 and "x-weft-error: bad-request" in received
    assert not [line for line in mesh.access_log(mesh.pod_of("web-v1")) if line.get("path") == "/smuggled"]
