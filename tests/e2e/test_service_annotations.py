"""What a Service's annotations say of routes, subsets and retries: in force, and changed while requests run."""
import contextlib
import json
import time

import pytest

from mesh import Mesh, deployment, namespace, pod, service, service_account
from test_steering import batch, burst, settled, streaming

TRACKS = {"v1": "stable", "v2": "stable", "v3": "beta"}
AT_ONCE = 60


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"),
               pod("client", account="client", annotations={"weft.mesh/access-log": "all"}),
               service_account("web"), service("web"), service_account("orders"), service_account("slow"),
               deployment("orders", "python", env={"APP": "tell", "STATUS": "503"}),
               service("orders", annotations={"weft.mesh/retry-attempts": "2", "weft.mesh/retry-on": "5xx", "weft.mesh/attempts-header": "true"}),
               deployment("slow", "python", env={"APP": "tell", "STATUS": "503", "LATENCY": "0.5"}),
               service("slow", annotations={"weft.mesh/retry-attempts": "1"})]
    objects += [deployment("web", "http-echo", name=f"web-{version}", labels={"version": version, "track": track}, env={"TEXT": version})
                for version, track in TRACKS.items()]
    with Mesh(objects) as up:
        yield up


@contextlib.contextmanager
def annotated(mesh, target, **values):
    pairs = {f"weft.mesh/{name.replace('_', '-')}": value for name, value in values.items()}
    mesh.annotate(target, *(f"{name}={value}" for name, value in pairs.items()))
    try:
        yield
    finally:
        mesh.annotate(target, *(f"{name}-" for name in pairs))


def answers(mesh, host, *options):
    return set(batch(mesh, host, "--batch", "40", *options)["counts"])


# ---- routes ----

ROUTES = """
path=/never -> v9
path=/beta/* & method=GET -> v2
header(x-version)~v[23](-\\d+)? & header(x-on)=1 -> v3
path=/exact -> v3
method=PUT -> v2; header(host)=shop.example -> v3
"""
CALLS = [
    # A subset that nobody is in is passed over.
    ("v1", "/never"),
    ("v2", "/beta/x"), ("v2", "/beta"), ("v2", "/a/..//beta/x?query=1"), ("v2", "/%62eta/x"), ("v1", "/betamax"), ("v1", "/Beta/x"),
    ("v1", "/beta/x", "-X", "POST"), ("v3", "/exact"), ("v3", "/exact?query=1"), ("v1", "/exact/more"), ("v1", "/other?/exact"),
    ("v3", "/", "-H", "x-version: v3-17", "-H", "x-on: 1"), ("v3", "/", "-H", "x-version: v1", "-H", "x-version: v2", "-H", "x-on: 1"),
    # All conditions have to hold, and a regular expression for the whole value.
    ("v1", "/", "-H", "x-version: v3-17"), ("v1", "/", "-H", "x-version: v3-17x", "-H", "x-on: 1"),
    ("v1", "/", "-H", "x-version: v4", "-H", "x-on: 1"),
    # The first rule that matches wins.
    ("v2", "/beta/x", "-H", "x-version: v3", "-H", "x-on: 1"),
    ("v3", "/beta/x", "-X", "POST", "-H", "x-version: v3", "-H", "x-on: 1"),
    ("v2", "/", "-X", "PUT"), ("v3", "/", "-H", "host: shop.example"), ("v1", "/", "-X", "DELETE"),
]


# Of GET / with x-user: john.
CHANGES = [("header(x-user)~jo.+ -> v2", "v2"), ("method=GET -> v3", "v3"), ("method=POST -> v2; path=/ -> v1", "v1"),
           ("path=/* & header(x-user)=john -> v3", "v3"), ("header(x-user)~jo -> v2", "v1")]


def test_routes_steer_by_path_method_header_and_regular_expression(mesh):
    with annotated(mesh, "service/web", canary="v1=1", routes=ROUTES):
        settled(mesh, lambda: mesh.curl("client", "-X", "PUT", "http://web/") == "v2", "routes")
        wrong = []
        for version, path, *options in CALLS:
            got = mesh.curl("client", "--path-as-is", *options, f"http://web{path}")
            wrong += [] if got == version else [f"{path} {options}: {got}, not {version}"]
        assert not wrong, "\n".join(wrong)
        assert {line["route"] for line in mesh.logged("client", lambda line: line.get("path") == "/exact", count=2)} == {"routes #4"}


def test_a_changed_route_is_in_force_within_a_second_under_load(mesh):
    """One unbroken stream of requests, while the rule changes its kind and its subset."""
    john = ("--batch", "20", "--header", "x-user: john")
    with annotated(mesh, "service/web", canary="v1=1", routes="path=/never -> v1"), streaming(mesh, "web", *john) as batches:
        before = {"v1", "v2", "v3"}  # the canary is not in force yet
        for rule, version in CHANGES:
            mesh.annotate("service/web", f"weft.mesh/routes={rule}")
            promised = time.monotonic() + 1
            for seen in batches:
                assert seen["codes"] == {"200": 20}
                if seen["begin"] > promised:
                    break
                assert set(seen["counts"]) <= before | {version}, rule
            assert set(seen["counts"]) == {version}, rule
            before = {version}


def test_canary_label_names_the_subsets_of_weights_and_routes(mesh):
    with annotated(mesh, "service/web", canary="beta=1", routes="header(x-user)=john -> stable"):
        settled(mesh, lambda: answers(mesh, "web") == {"v1", "v2", "v3"}, "a subset that no label version names")
        with annotated(mesh, "service/web", canary_label="track"):
            settled(mesh, lambda: answers(mesh, "web") == {"v3"}, "canary-label")
            assert answers(mesh, "web", "--header", "x-user: john") == {"v1", "v2"}
            assert mesh.logged("client", lambda line: line.get("subset") == "beta")
            mesh.annotate("service/web", "weft.mesh/canary=stable=1")
            settled(mesh, lambda: answers(mesh, "web") == {"v1", "v2"}, "canary by track")
        mesh.annotate("service/web", "weft.mesh/canary=v2=1")
        settled(mesh, lambda: answers(mesh, "web") == {"v2"}, "canary by version again")


# ---- retries ----


def seen(mesh, deployment_name):
    """What its application was asked, as it says itself within its pod."""
    return json.loads(mesh.curl(mesh.pod_of(deployment_name), "http://127.0.0.1:8080/seen"))


def test_a_post_is_tried_again_only_while_retry_methods_names_it(mesh):
    def tries(method, path="/"):
        _, headers = mesh.headers("client", "-X", method, "-d", "an order", f"http://orders{path}")
        return int(headers["x-weft-attempts"])
    for number, (methods, post, patch) in enumerate((("PATCH", 1, 3), ("PATCH,POST", 3, 3), ("PATCH", 1, 3), ("*", 3, 3), (None, 1, 1))):
        mesh.annotate("service/orders", f"weft.mesh/retry-methods={methods}" if methods else "weft.mesh/retry-methods-")
        settled(mesh, lambda: (tries("POST"), tries("PATCH")) == (post, patch), f"retry-methods={methods}")
        assert (tries("POST", f"/post-{number}"), tries("PUT", f"/put-{number}")) == (post, 3), methods
        for path, count in ((f"/post-{number}", post), (f"/put-{number}", 3)):
            assert [request["body"] for request in seen(mesh, "orders") if request["path"] == path] == ["an order"] * count
    lines = mesh.logged("client", lambda line: line.get("path") == "/post-1")
    assert [attempt.get("class") for attempt in lines[0]["tries"]] == ["opted-in", "opted-in", None]


def test_the_retry_budget_bounds_the_tries_at_a_backend_that_always_fails(mesh):
    """Sixty requests fail at the same moment, each of which might be tried once more: with 100 % as many may as are left, which
    is half of them, with 50 % a third, with 0 % three at a time."""
    def further_tries():
        before = len(seen(mesh, "slow"))
        assert [each["code"] for each in burst(mesh, AT_ONCE)] == [503] * AT_ONCE
        further.append(len(seen(mesh, "slow")) - before - AT_ONCE)
        return further[-1]
    further = []
    for share, least, most in (("100%", 24, 36), ("0%", 3, 6), ("50%", 15, 24)):
        mesh.annotate("service/slow", f"weft.mesh/retry-budget={share}")
        settled(mesh, lambda: least <= further_tries() <= most, f"retry-budget={share}")
    print(f"further tries of {AT_ONCE}: {further}")
