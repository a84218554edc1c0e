"""Trouble on purpose, copies of requests, retries and their budget: real applications, annotations changed while running."""
import bisect
import json
import re
import time

import pytest

from mesh import Mesh, deployment, namespace, pod, service, service_account
from test_http2 import grpc_client

BROKEN_SECONDS = 0.4


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"),
               pod("client", account="client", annotations={"weft.mesh/access-log": "all"}),
               service_account("shop"), service("shop", annotations={"weft.mesh/canary": "v1=1"}),
               deployment("shop", "python", name="shop-v1", labels={"version": "v1"}, env={"APP": "tell", "TEXT": "v1"}),
               deployment("shop", "python", name="shop-v2", labels={"version": "v2"},
                          env={"APP": "tell", "TEXT": "v2", "STATUS": "503", "LATENCY": "1"}),
               service_account("broken"), service("broken", annotations={"weft.mesh/retry-attempts": "2"}),
               deployment("broken", "python", env={"APP": "tell", "STATUS": "503", "LATENCY": BROKEN_SECONDS}),
               service_account("echo"), deployment("echo", "python", env={"APP": "grpc"}),
               service("echo", port_name="grpc")]
    with Mesh(objects) as up:
        yield up


def annotate(mesh, target, *pairs, until):
    """Changes annotations and waits for what they do; the seconds it took are printed."""
    mesh.annotate(target, *pairs)
    begin = time.monotonic()
    assert mesh.until(until, 5), pairs
    print(f"{' '.join(pairs)}: in force after {time.monotonic() - begin:.2f} s")


def inside(mesh, deployment_name, path):
    """What the application itself says, within its pod."""
    return mesh.curl(mesh.pod_of(deployment_name), f"http://127.0.0.1:8080{path}")


def metric(mesh, pod_name, name):
    text = mesh.curl(pod_name, "http://127.0.0.1:15090/metrics")
    return {labels: int(value) for labels, value in re.findall(rf"^{name}(?:{{(.*)}})? (\d+)$", text, re.M)}


def test_an_abort_is_in_force_at_once_and_goes_at_once(mesh):
    annotate(mesh, "service/shop", "weft.mesh/fault=abort=418@100%", until=lambda: mesh.code("client", "http://shop/") == "418")
    status, headers = mesh.headers("client", "http://shop/")
    assert headers["x-weft-error"] == "fault-injected"
    mesh.logged("client", lambda line: line.get("reason") == "fault-injected")
    # A value that is wrong leaves the one before in force.
    mesh.weft("annotate", "service/shop", "weft.mesh/fault=abort=200@100%", check=False)
    assert mesh.code("client", "http://shop/") == "418"
    annotate(mesh, "service/shop", "weft.mesh/fault-", until=lambda: mesh.code("client", "http://shop/") == "200")


def test_a_delay_is_waited_for_within_the_timeout(mesh):
    def seconds():
        return float(mesh.curl("client", "-o", "/dev/null", "-w", "%{time_total}", "http://shop/"))
    annotate(mesh, "service/shop", "weft.mesh/fault=delay=700ms@100%", until=lambda: seconds() >= 0.7)
    assert mesh.curl("client", "http://shop/") == "v1"
    mesh.logged("client", lambda line: line.get("injected_delay_ms") == 700)
    annotate(mesh, "service/shop", "weft.mesh/timeout=200ms", until=lambda: mesh.code("client", "http://shop/") == "504")
    annotate(mesh, "service/shop", "weft.mesh/fault-", "weft.mesh/timeout-",
             until=lambda: mesh.code("client", "http://shop/") == "200" and seconds() < 0.7)


def test_the_number_of_tries_is_told_on_demand(mesh):
    def attempts(*arguments):
        return mesh.headers("client", *arguments)[1].get("x-weft-attempts")
    assert attempts("http://shop/") is None
    assert attempts("-H", "x-weft-attempts: 1", "http://shop/") == "1"
    assert not any("x-weft" in name.lower() for request in json.loads(inside(mesh, "shop-v1", "/seen"))
                   for name, _ in request["headers"])
    annotate(mesh, "service/broken", "weft.mesh/attempts-header=true", "weft.mesh/retry-attempts=1",
             until=lambda: attempts("http://broken/") == "2")
    annotate(mesh, "service/broken", "weft.mesh/retry-attempts=2", until=lambda: attempts("http://broken/") == "3")


def test_copies_go_to_the_mirror_and_callers_do_not_notice(mesh):
    """The mirror answers 503, a second late."""
    annotate(mesh, "service/shop", "weft.mesh/mirror=v2=100%",
             until=lambda: mesh.curl("client", "http://shop/probe") == "v1" and int(inside(mesh, "shop-v2", "/count")) > 0)
    out = mesh.curl("client", "-d", "an order", "-w", " %{http_code} %{time_total}\\n", "http://shop/order?[1-10]")
    answers = [line.split() for line in out.splitlines()]
    assert [(text, code) for text, code, _ in answers] == [("v1", "200")] * 10
    assert max(float(seconds) for _, _, seconds in answers) < 1
    def copies():
        return [r for r in json.loads(inside(mesh, "shop-v2", "/seen")) if r["path"].startswith("/order")]
    assert mesh.until(lambda: len(copies()) == 10, 10)
    assert {(r["method"], r["host"], r["body"]) for r in copies()} == {("POST", "shop-shadow", "an order")}
    assert mesh.until(lambda: metric(mesh, "client", "weft_mirrored_requests_total").get('outcome="answered"', 0) >= 10, 10)
    assert mesh.code("client", "-T", "/usr/bin/curl", "http://shop/large") == "200"
    assert metric(mesh, "client", "weft_mirrored_requests_total")['outcome="too-large"'] == 1
    mesh.annotate("service/shop", "weft.mesh/mirror-")


# Of 95 requests in flight so many may be retries: 20 % of 80, 50 % of 64, and three where that is more.
@pytest.mark.parametrize("percent, most", [(20, 16), (50, 32), (0, 3)])
def test_the_load_on_a_backend_that_always_fails_rises_by_no_more_than_the_budget(mesh, percent, most):
    """95 clients, all of whose requests fail. A retry carries the id of its first try, so the application tells them
    apart, and as a try takes it BROKEN_SECONDS at the least, how many were there at once."""
    if percent != 20:  # the default
        mesh.annotate("service/broken", f"weft.mesh/retry-budget={percent}%")

    def budget():
        mesh.curl("client", "-d", "never tried again", "http://broken/")
        return {each["host"]: each["retry"]["budget_percent"] for each in json.loads(mesh.admin("client", "/config"))["services"]}
    assert mesh.until(lambda: percent in [value for host, value in budget().items() if host.startswith("broken.")], 5), budget()
    clients, requests = 95, 760
    before = int(inside(mesh, "broken", "/count"))
    out = mesh.exec("client", "h2load", "--h1", "-c", str(clients), "-n", str(requests), "http://broken/").stdout
    assert f"{requests} done" in out and f"{requests} 5xx" in out, out
    known, first_tries, retries = set(), [], []
    for request in json.loads(inside(mesh, "broken", "/seen"))[before:]:
        number = dict(request["headers"])["x-request-id"]
        (retries if number in known else first_tries).append(request["at"])
        known.add(number)
    assert len(first_tries) == requests
    first_tries.sort()
    retries.sort()
    at_once = [bisect.bisect(retries, at) - bisect.bisect(retries, at - BROKEN_SECONDS) for at in retries]
    # Not while connections are made, nor at the end, when few first tries are left.
    begin, end = first_tries[clients], first_tries[-clients]
    rise = sum(begin <= at < end for at in retries) / (requests - 2 * clients)
    slower = max(1.0, (end - begin) * (clients - most) / (requests - 2 * clients) / BROKEN_SECONDS)
    print(f"budget {percent} %: up to {max(at_once)} retries at once, the load rose by {rise:.1%}, in all {len(retries)} retries; "
          f"a first try took {slower:.2f} times as long as the application")
    assert most * 0.75 <= max(at_once) <= most
    assert most / clients / 4 < rise <= 1.25 * most / (clients - most) * slower
    mesh.annotate("service/broken", "weft.mesh/retry-budget-")


def test_an_unavailable_grpc_answer_is_tried_again_where_it_is_named(mesh):
    call = '''
def flaky(message):
    try:
        return channel.unary_unary("/test.Echo/Flaky")(message, timeout=30).decode()
    except grpc.RpcError as error:
        return error.code().name
print(json.dumps([flaky(sys.argv[1].encode() + str(i).encode()) for i in range(10)]))
'''
    assert grpc_client(mesh, call) == ["UNAVAILABLE"] * 10
    got = []
    def retried():
        round_call = call.replace("str(i)", f"('{len(got)}-' + str(i))").replace("range(10)", "range(3)")
        got.append(grpc_client(mesh, round_call))
        return "UNAVAILABLE" not in got[-1]
    annotate(mesh, "service/echo", "weft.mesh/retry-attempts=2", "weft.mesh/retry-on=unavailable", until=retried)
    answered = mesh.logged("client", lambda line: line.get("grpc_status") == "0")
    assert [t.get("class") for t in answered[-1]["tries"]] == ["opted-in", None]


@pytest.mark.parametrize("target,account", [("service/shop", "shop"), ("pod/client", "client")])
def test_the_case_of_header_names_is_kept_as_preserve_case_wants_it(mesh, target, account):
    sent = ["X-CamelCase", "x-lower", "X-ZULU", "a-FIRST"]

    def names():
        mesh.curl("client", *(argument for name in sent for argument in ("-H", f"{name}: 1")), f"http://shop/case/{account}")
        seen = [r for r in json.loads(inside(mesh, "shop-v1", "/seen")) if r["path"] == f"/case/{account}"][-1]
        return [name for name, _ in seen["headers"] if name.lower() in map(str.lower, sent)]
    assert names() == [name.lower() for name in sent]
    annotate(mesh, target, "weft.mesh/preserve-case=true", until=lambda: names() == sent)
    annotate(mesh, target, "weft.mesh/preserve-case-", until=lambda: names() != sent)
