"""What `weft explain` and `weft config` say is what then happens: each answer is compared with real requests."""
import json
import subprocess

import pytest

from mesh import Mesh, WEFT, deployment, namespace, pod, service

RULES = "from=default/hello methods=GET paths=/api/*,/slow; from=default/hello methods=DELETE"
ROUTES = "header(end-user)=john -> v2; header(end-user)=jane -> v3"


@pytest.fixture(scope="module")
def mesh():
    annotations = {"weft.mesh/allow": RULES, "weft.mesh/deny": "paths=/api/secret/*", "weft.mesh/routes": ROUTES,
                   "weft.mesh/canary": "v1=100,v2=0", "weft.mesh/retry-attempts": "2"}
    objects = [
        namespace("default", mtls="strict"),
        namespace("legacy", inject=False),
        service("world", annotations=annotations),
        service("slow", annotations={"weft.mesh/timeout": "300ms"}),
        service("nothing", selector={"app": "nobody"}),
        service("kept", selector={"app": "world"},
                annotations={"weft.mesh/canary": "v1=50,v2=50", "weft.mesh/canary-sticky": "header(x-user)",
                             "weft.mesh/load-balancer": "hash(header:x-user)"}),
        deployment("world", "http-echo", name="world-v1", labels={"version": "v1"}, env={"TEXT": "one"}),
        deployment("world", "http-echo", name="world-v2", labels={"version": "v2"}, env={"TEXT": "two"}),
        deployment("slow", "http-echo", env={"TEXT": "late", "LATENCY": "5"}),
        pod("hello", account="hello"),
        pod("other", account="other"),
        pod("old", ns="legacy", account="old"),
    ]
    with Mesh(objects) as running:
        yield running


def weft(*arguments):
    return subprocess.run([str(WEFT), *arguments], capture_output=True, text=True, timeout=60)


def explain(mesh, source, to, *arguments):
    done = weft("explain", "--name", mesh.name, "--from", source, "--to", to, "-o", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CALLS = [
    ("hello", "default", "GET", "/api/x"),
    ("hello", "default", "POST", "/api/x"),
    ("hello", "default", "DELETE", "/anything"),
    ("hello", "default", "GET", "/api/secret/key"),
    ("hello", "default", "GET", "/api/x/..%2fsecret"),
    ("hello", "default", "GET", "/other"),
    ("other", "default", "GET", "/api/x"),
    ("old", "legacy", "GET", "/api/x"),
]


# Status, reason and rule of every answer are those of the real reply; an allowed request reaches the application.
@pytest.mark.parametrize("account,ns,method,path", CALLS)
def test_what_is_refused_is_refused_by_the_rule_that_explain_names(mesh, account, ns, method, path):
    said = explain(mesh, f"{ns}/{account}", "world.default:80", "--method", method, "--path", path)["outcome"]
    first, headers = mesh.headers(account, "--path-as-is", "-X", method, f"http://world.default{path}", ns=ns)
    assert said["allowed"] == (" 200" in first), (said, first)
    if said["allowed"]:
        return
    assert str(said["status"]) in first, (said, first)
    assert headers["x-weft-error"] == said["reason"]
    assert headers.get("x-weft-rule", "") == said["rule"]


def test_an_allowed_request_is_logged_with_the_rule_that_explain_names(mesh):
    said = explain(mesh, "default/hello", "world:80", "--path", "/api/logged")["outcome"]
    mesh.annotate("pod/" + mesh.pod_of("world-v1"), "weft.mesh/access-log=all")

    def logged():
        mesh.curl("hello", "http://world/api/logged")
        return [line for line in mesh.access_log(mesh.pod_of("world-v1")) if line.get("path") == "/api/logged"]
    assert mesh.until(lambda: bool(logged()))
    assert {line["rule"] for line in logged()} == {said["rule"]}


@pytest.mark.parametrize("user,subset,text", [("john", "v2", "two"), ("jane", "", "one"), ("jim", "", "one")])
def test_the_subset_that_explain_names_is_the_one_that_answers(mesh, user, subset, text):
    said = explain(mesh, "default/hello", "world:80", "--path", "/api/x", "--header", f"end-user={user}")["outbound"]
    assert said["subset"] == subset
    candidates = [one["workload"] for one in said["endpoints"] if one["candidate"]]
    answers = {mesh.curl("hello", "-H", f"end-user: {user}", "http://world/api/x").strip() for _ in range(5)}
    assert answers == {text}
    assert candidates and all(name.startswith(f"default/world-{'v2' if text == 'two' else 'v1'}") for name in candidates)


# Which subset a caller sticks to, and which endpoint a hash sends it to, is computed as the sidecar does.
def test_a_sticky_callers_subset_and_endpoint_are_those_that_explain_names(mesh):
    mesh.annotate("pod/hello", "weft.mesh/access-log=all")

    def endpoints(path):
        return [line["endpoint"] for line in mesh.access_log("hello") if line.get("path") == path]
    assert mesh.until(lambda: mesh.curl("hello", "http://kept/api/warm") and endpoints("/api/warm"))
    subsets = set()
    for i in range(8):
        said = explain(mesh, "default/hello", "kept:80", "--path", "/api/x", "--header", f"x-user=u{i}")["outbound"]
        answer = mesh.curl("hello", "-H", f"x-user: u{i}", f"http://kept/api/u{i}").strip()
        assert said["sticky"] == {"key": "header(x-user)", "caller": f"u{i}", "subset": {"one": "v1", "two": "v2"}[answer]}
        subsets.add(answer)
        assert mesh.until(lambda: endpoints(f"/api/u{i}") == [said["load_balancer"]["endpoint"]])
    assert subsets == {"one", "two"}


# The rule for jane matches, but nobody is in v3: it is said to be passed over.
def test_a_rule_whose_subset_has_no_endpoint_is_said_to_be_passed_over(mesh):
    routes = explain(mesh, "default/hello", "world:80", "--header", "end-user=jane")["outbound"]["routes"]
    assert [(rule["matches"], rule["taken"]) for rule in routes] == [(False, False), (True, False)]


def test_time_out_and_missing_endpoints_are_what_explain_says(mesh):
    assert explain(mesh, "default/hello", "slow:80")["outbound"]["timeout_ms"] == 300
    first, headers = mesh.headers("hello", "http://slow/")
    assert "504" in first and headers["x-weft-error"] == "upstream-timeout"
    said = explain(mesh, "default/hello", "nothing:80")["outcome"]
    first, headers = mesh.headers("hello", "http://nothing/")
    assert (said["status"], said["reason"]) == (503, "no-healthy-upstream")
    assert "503" in first and headers["x-weft-error"] == said["reason"]


# The value before is the one in force, for requests and in the answer.
def test_a_wrong_annotation_is_said_with_the_last_good_value(mesh):
    mesh.annotate("service/slow", "weft.mesh/timeout=400ms")
    assert mesh.until(lambda: explain(mesh, "default/hello", "slow:80")["outbound"].get("timeout_ms") == 400)
    mesh.curl("hello", "http://slow/")
    # Discovery has to have seen it, too, before the next value comes.
    assert mesh.until(lambda: "400ms" in weft("config", "--name", mesh.name, "hello").stdout)
    mesh.annotate("service/slow", "weft.mesh/timeout=10x")

    def wrong():
        said = explain(mesh, "default/hello", "slow:80")
        return said if said["wrong"] and said["wrong"][0]["in_force"] else None
    assert mesh.until(lambda: wrong() is not None)
    said = wrong()
    assert said["wrong"][0]["object"] == "Service default/slow"
    assert "column 3" in said["wrong"][0]["error"]
    assert said["wrong"][0]["in_force"] == "400ms"
    assert said["outbound"]["timeout_ms"] == 400
    assert "504" in mesh.headers("hello", "http://slow/")[0]
    mesh.annotate("service/slow", "weft.mesh/timeout=300ms")


def test_errors_teach(mesh):
    done = weft("explain", "--name", mesh.name, "--from", "default/hello", "--to", "wrold:80")
    assert done.returncode == 1 and "world (did you mean it?)" in done.stderr
    done = weft("explain", "--name", f"{mesh.name}-no", "--from", "default/hello", "--to", "world:80")
    assert done.returncode == 1 and "no local mesh" in done.stderr.lower(), done.stderr
    assert any("no ServiceAccount" in note for note in explain(mesh, "default/nobody", "world:80")["notes"])
    done = weft("config", "--name", mesh.name, "-n", "legacy", "old")
    assert done.returncode == 1 and "has no sidecar" in done.stderr


def test_config_shows_what_the_sidecar_holds(mesh):
    mesh.curl("hello", "http://world/api/x")
    mesh.curl("hello", "http://kept/api/x")
    page = weft("config", "--name", mesh.name, "hello").stdout
    assert "SERVICE  default/world:80" in page
    assert "header(end-user)=john -> v2" in page
    assert "v1=100,v2=0" in page
    held = json.loads(weft("config", "--name", mesh.name, "hello", "-o", "json").stdout)
    services = {one["name"]: one for one in held["services"]}
    assert len(services) == len(held["services"]) and services["default/world:80"]["load_balancer"] == "least-request"
    kept = services["default/kept:80"]
    assert kept["canary_sticky"] == "header(x-user)" and kept["load_balancer"] == "hash(header:x-user)"
    assert kept["limits"] == "connections=1024 pending=1024 requests=1024" and kept["outlier"].startswith("consecutive=5 ")
    page = weft("config", "--name", mesh.name, "deployment/world-v1").stdout
    assert "service default/world allow #1" in page and "from=default/hello methods=GET paths=/api/*,/slow" in page


# The same manifests without a mesh give the same verdicts.
@pytest.mark.parametrize("account,ns,method,path", CALLS)
def test_manifests_alone_give_the_same_verdict(mesh, account, ns, method, path):
    arguments = ("--method", method, "--path", path)
    running = explain(mesh, f"{ns}/{account}", "world.default:80", *arguments)
    done = weft("explain", "-f", str(mesh.manifest), "--from", f"{ns}/{account}", "--to", "world.default:80", "-o", "json", *arguments)
    assert done.returncode == 0, done.stderr
    alone = json.loads(done.stdout)
    assert alone["outcome"] == running["outcome"]
    assert [rule["name"] for one in alone["receivers"] for rule in one["rules"]] == \
        [rule["name"] for one in running["receivers"] for rule in one["rules"]]


def test_check_says_what_is_wrong(tmp_path):
    good = tmp_path / "good.json"
    good.write_text(json.dumps(service("world", annotations={"weft.mesh/timeout": "10s"})))
    assert weft("check", "-f", str(good)).returncode == 0
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(service("world", annotations={"weft.mesh/timeout": "10x"})))
    done = weft("check", "-f", str(bad))
    assert done.returncode == 1
    assert "bad.json" in done.stderr and "Service default/world: weft.mesh/timeout: column 3" in done.stderr
