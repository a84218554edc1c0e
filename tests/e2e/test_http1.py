"""HTTP/1.0 and 1.1 in full, through two real sidecars."""
import json
import re

import pytest

from mesh import ROOT, Mesh, deployment, namespace, pod, service, service_account

END = "\r\n\r\n"


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client",
                                                                                    annotations={"weft.mesh/access-log": "all"})]
    for app, image, env in (("app", "http1", {}), ("stale", "http1", {"IDLE": "0.3"}), ("socket", "websocket", {})):
        objects += [service_account(app), deployment(app, image, env=env, annotations={"weft.mesh/access-log": "all"}), service(app)]
    # The same application, for those to whom the case of names matters.
    objects.append(service("cased", selector={"app": "app"}, annotations={"weft.mesh/preserve-case": "true"}))
    objects += [service_account("socket2"), deployment("socket2", "websocket_http2"), service("socket2", port_name="http2")]
    images = {name: f"/usr/bin/python3 {ROOT}/tests/e2e/{name}_app.py" for name in ("http1", "websocket", "websocket_http2")}
    with Mesh(objects, images=images) as up:
        yield up


def python(mesh, script, *arguments, timeout=120):
    return mesh.exec("client", "/usr/bin/python3", "-c", script, *arguments, timeout=timeout).stdout


def talk(mesh, *steps, host="app"):
    steps = [[step] if step == "close" else step for step in steps]
    out = mesh.exec("client", "/usr/bin/python3", f"{ROOT}/tests/e2e/dialogue.py", host, 80, json.dumps(steps)).stdout
    return json.loads(out)


def ask(mesh, request, until="}"):
    """What the application saw of one request."""
    received = talk(mesh, ["send", request], ["until", until])["received"]
    return json.loads(received[received.index("{"):])


def get(target, *fields, method="GET", version="1.1"):
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: app", *fields]) + END


def test_pipelined_requests_are_answered_in_their_order_on_one_connection(mesh):
    waits = [200, 0, 100, 0, 50]
    requests = "".join(get(f"/echo?{wait}", f"X-Number: {number}") for number, wait in enumerate(waits))
    done = talk(mesh, ["send", requests + get("/204", "Connection: close")], "close")
    assert re.findall(r"x-number: (\d)", done["received"].lower()) == ["0", "1", "2", "3", "4"]
    assert done["received"].count("HTTP/1.1 200 ") == 5 and "HTTP/1.1 204" in done["received"]


@pytest.mark.parametrize("host,as_written", [("app", str.lower), ("cased", str)])
def test_the_order_of_fields_is_kept_both_ways_and_their_case_where_it_matters(mesh, host, as_written):
    sent = ["X-Zebra: 1", "aCCept: */*", "X-Apple: 2", "x-zebra: 3"]
    received = talk(mesh, ["send", get("/echo", *sent)], ["until", "}"], host=host)["received"]
    fields = json.loads(received[received.index("{"):])["fields"]
    assert [line for line in fields if not line.lower().startswith(("x-forwarded", "x-request-id"))] == \
        ["Host: app", *map(as_written, sent)]
    assert as_written("X-First: 1\r\nx-Second: 2\r\nContent-Length: ") in received
    # A reason phrase is of HTTP/1 alone.
    assert received.startswith("HTTP/1.1 200 Fine" if host == "cased" else "HTTP/1.1 200 OK")


def test_chunks_with_extensions_and_trailers_pass_both_ways(mesh):
    body = "4;a=\"b;c\"\r\nabcd\r\n2\r\nef\r\n0;end\r\nX-Sum: 6\r\n\r\n"
    seen = ask(mesh, get("/echo", "Transfer-Encoding: chunked", "Trailer: X-Sum", method="POST") + body)
    assert seen["body"] == "abcdef" and seen["trailers"] == ["X-Sum: 6"]
    received = talk(mesh, ["send", get("/chunked")], ["until", "\r\n0\r\nx-sum: 7\r\n\r\n"])["received"]
    assert "Transfer-Encoding: chunked\r\n" in received and "".join(re.findall(r"\r\n\d\r\n([a-g]+)", received)) == "abcdefg"


def test_a_body_waits_for_100_continue_which_the_application_says(mesh):
    head = get("/echo", "Content-Length: 4", "Expect: 100-continue", method="PUT")
    done = talk(mesh, ["send", head], ["until", "HTTP/1.1 100 Continue" + END], ["send", "abcd"], ["until", "}"])
    assert '"body": "abcd"' in done["received"]
    # And where it says no, the body never leaves.
    done = talk(mesh, ["send", get("/refuse", "Content-Length: 4", "Expect: 100-continue", method="PUT")], ["until", END], "close")
    assert done["received"].startswith("HTTP/1.1 417 ") and "100 Continue" not in done["received"]


def test_interim_responses_pass_but_not_to_http10(mesh):
    received = talk(mesh, ["send", get("/interim")], ["until", "late"])["received"]
    assert received.startswith("HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\nHTTP/1.1 200 OK\r\n")
    received = talk(mesh, ["send", get("/interim", version="1.0")], "close")["received"]
    assert received.startswith("HTTP/1.1 200 OK\r\n") and received.endswith("late")


def test_no_body_where_there_is_none_and_the_connection_goes_on(mesh):
    done = talk(mesh, ["send", get("/x", method="HEAD") + get("/204") + get("/304") + get("/echo", "Connection: close")], "close")
    heads = re.findall(r"HTTP/1\.1 (\d+).*?\r\n\r\n", done["received"], re.S)
    assert heads == ["200", "204", "304", "200"]
    assert "content-length: 1000" in done["received"] and "etag: \"e\"" in done["received"]


def test_http10_is_served_with_and_without_keep_alive(mesh):
    """istio#15250: never 426."""
    done = talk(mesh, ["send", "GET /echo HTTP/1.0\r\n\r\n"], "close")
    assert done["received"].startswith("HTTP/1.1 200 ") and "\r\nConnection: close\r\n" in done["received"]
    two = get("/echo", "Connection: keep-alive", version="1.0") + get("/echo", version="1.0")
    done = talk(mesh, ["send", two], "close")
    assert done["received"].count("HTTP/1.1 200 ") == 2 and done["received"].count("\r\nConnection: keep-alive\r\n") == 1
    # What has no length for HTTP/1.0 ends with the connection, and has no chunks.
    done = talk(mesh, ["send", get("/chunked", "Connection: keep-alive", version="1.0")], "close")
    assert done["ended"] and done["received"].endswith(END + "abcdefg")


def test_an_upgrade_that_is_not_understood_is_ignored(mesh):
    """RFC 9110 § 7.8, istio#53239: never 403."""
    request = get("/echo", "Connection: upgrade", "Upgrade: nobody-knows/1") + get("/204", "Connection: close")
    done = talk(mesh, ["send", request], "close")
    assert done["received"].startswith("HTTP/1.1 200 Fine") and "HTTP/1.1 204" in done["received"]
    assert mesh.curl("client", "--http2", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", "http://app/echo") == "200 1.1"


def test_an_upgrade_and_connect_become_tunnels(mesh):
    upgrade = get("/echo", "Connection: upgrade", "Upgrade: echo")
    done = talk(mesh, ["send", upgrade], ["until", END], ["send", "\0\r\nraw\xff"], ["until", "raw\xff"])
    assert done["received"].startswith("HTTP/1.1 101 ") and "Upgrade: echo\r\n" in done["received"]
    connect = "CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n"
    done = talk(mesh, ["send", connect], ["until", END], ["send", "\x16\x03raw"], ["until", "\x16\x03raw"])
    assert done["received"].startswith("HTTP/1.1 200 ")


def websocket(mesh, host, opening=""):
    """python3-websockets as client: `opening` comes, then text, a megabyte of bytes and a ping go there and back."""
    out = python(mesh, """
import asyncio, sys, websockets
async def main(host, opening):
    # hypercorn answers a close and then leaves the stream open.
    async with websockets.connect(f"ws://{host}/chat", max_size=None, close_timeout=1) as peer:
        assert not opening or await peer.recv() == opening
        for message in ("hello", bytes(range(256)) * 4096):
            await peer.send(message)
            assert await peer.recv() == message
        await (await peer.ping())
    print(peer.close_code)
asyncio.run(main(*sys.argv[1:]))
""", host, opening)
    assert out.strip() == "1000", "an orderly close"


def test_websockets_carry_messages_both_ways(mesh):
    websocket(mesh, "socket")


def test_a_websocket_of_http1_reaches_an_application_of_http2(mesh):
    """RFC 8441 § 5: as an extended CONNECT."""
    websocket(mesh, "socket2", opening="HTTP/2 /chat")


def test_an_absolute_target_is_forwarded_in_origin_form_with_its_own_host(mesh):
    """RFC 9112 § 3.2.2: the target's authority goes before Host."""
    seen = ask(mesh, "GET http://other.example/echo?x HTTP/1.1\r\nHost: app\r\n\r\n")
    assert seen["line"] == "GET /echo?x HTTP/1.1"
    assert [line for line in seen["fields"] if line.lower().startswith("host:")] == ["Host: other.example"]


def test_hop_by_hop_fields_go_and_the_others_stay(mesh):
    """RFC 9110 § 7.6.1, also those that Connection names."""
    seen = ask(mesh, get("/echo", "Connection: keep-alive, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Connection: x", "TE: gzip, trailers",
                         "X-End: 2", "Proxy-Authorization: Basic eA==", "Max-Forwards: 3"))
    names = [line.partition(":")[0].lower() for line in seen["fields"]]
    assert not {"x-hop", "keep-alive", "proxy-connection"} & set(names)
    assert {"x-end", "proxy-authorization", "max-forwards"} <= set(names)
    assert "TE: trailers" in [line.replace("te:", "TE:") for line in seen["fields"]]


def value(seen, name):
    values = [line.partition(":")[2].strip() for line in seen["fields"] if line.lower().startswith(name + ":")]
    assert len(values) == 1, (name, seen)
    return values[0]


def test_requests_get_an_id_and_their_scheme_and_keep_what_they_have(mesh):
    """docs/configuration.md, Headers: x-request-id and x-forwarded-proto where they are missing; nothing else is touched."""
    seen = ask(mesh, get("/echo"))
    made = value(seen, "x-request-id")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made)
    assert value(ask(mesh, get("/echo")), "x-request-id") != made
    assert value(seen, "x-forwarded-proto") == "http"
    assert not [line for line in seen["fields"] if re.match(r"(x-forwarded-for|x-forwarded-host|via|forwarded|server):", line, re.I)]
    # The same id in the access logs of both sides.
    for name in ("client", mesh.pod_of("app")):
        assert mesh.until(lambda: made in [line.get("request_id") for line in mesh.access_log(name)]), name
    own = {"x-request-id": "mine-1", "x-forwarded-proto": "https", "x-forwarded-for": "198.18.9.9", "x-forwarded-host": "shop.example:8443",
           "forwarded": "for=198.18.9.9;host=shop.example;proto=https", "via": "1.1 gate",
           "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b", "b3": "0"}
    seen = ask(mesh, get("/echo", *(f"{name}: {text}" for name, text in own.items())))
    assert {name: value(seen, name) for name in own} == own


# A key and a certificate of the CA, had with the pod's own token: what a gateway that is none of weft's would do.
CERTIFICATE = """
import grpc, json, pathlib, subprocess
given = pathlib.Path("/var/run/secrets/weft")
made = subprocess.run("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout - -subj /".split(),
                      check=True, capture_output=True, text=True).stdout
key, begin, csr = made.partition("-----BEGIN CERTIFICATE REQUEST")
csr = (begin + csr).encode()
assert 127 < len(csr) < 16384  # a length of two bytes
roots = grpc.ssl_channel_credentials((given / "bundle/root-cert.pem").read_bytes())
with grpc.secure_channel("weft-ca.weft-system.svc:15012", roots) as channel:
    create = channel.unary_unary("/istio.v1.auth.IstioCertificateService/CreateCertificate")
    answer = create(bytes([10, len(csr) & 127 | 128, len(csr) >> 7]) + csr, timeout=30,
                    metadata=[("authorization", "Bearer " + (given / "token/token").read_text().strip())])
leaf = answer[answer.index(b"-----BEGIN"):]
print(json.dumps({"key": key, "certificate": leaf[:leaf.index(b"-----END CERTIFICATE-----") + 26].decode()}))
"""


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_where_tls_ends_at_the_receiver_and_no_sidecar_called_the_scheme_is_https(mesh, version):
    """docs/configuration.md, Headers: x-forwarded-proto."""
    made = json.loads(mesh.exec("client", "/usr/bin/python3", "-c", CERTIFICATE, container="weft-sidecar").stdout)
    for name, text in made.items():
        (mesh.folder / name).write_text(text)
    call = ["curl", "-sS", "-m", "10", "-k", version, "--cert", mesh.folder / "certificate", "--key", mesh.folder / "key",
            f"https://{mesh.pods('app')[0]['address']}:8080/echo"]
    seen = json.loads(mesh.node(*call).stdout)
    assert value(seen, "x-forwarded-proto") == "https"
    assert value(seen, "x-forwarded-client-cert").endswith(";URI=spiffe://cluster.local/ns/default/sa/client")
    # A gateway before it may know better.
    seen = json.loads(mesh.node(*call, "-H", "x-forwarded-proto: http").stdout)
    assert value(seen, "x-forwarded-proto") == "http"


STEADY = """
import http.client, random, sys
method, random, codes = sys.argv[1], random.Random(7), []
for number in range(120):
    connection = http.client.HTTPConnection("stale", timeout=30)
    connection.request(method, "/echo", body=b"x" if method == "POST" else None)
    reply = connection.getresponse()
    reply.read()
    codes.append((reply.status, reply.getheader("x-weft-error")))
    connection.close()
    __import__("time").sleep(random.uniform(0.27, 0.32))
print(sum(code == 200 for code, _ in codes), sorted({str(code) for code in codes if code[0] != 200}), sep=";")
"""


def test_a_server_that_closes_idle_connections_early_is_never_seen_by_idempotent_requests(mesh):
    """istio#55138: the server closes after 0.3 s, the requests come every 0.27 to 0.32 s."""
    assert python(mesh, STEADY, "GET").strip() == "120;[]"


def test_and_other_requests_see_one_honest_503_at_most_and_are_never_sent_twice(mesh):
    """istio#50506: counted at the application."""
    before = int(mesh.curl("client", "http://stale/count"))
    good, others = python(mesh, STEADY, "POST").strip().split(";")
    posts = int(mesh.curl("client", "http://stale/count")) - before
    assert others in ("[]", "[\"(503, 'upstream-reset')\"]")
    assert int(good) >= 118 and int(good) <= posts <= 120
