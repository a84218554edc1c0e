"""Who may call whom, in every mode, and that a change of an annotation is in force within a second or so."""
import pytest

from mesh import Mesh, deployment, namespace, pod, service, service_account


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default"), namespace("legacy", inject=False), pod("old", ns="legacy"),
               service_account("client"), service_account("other"),
               pod("client", account="client"), pod("other", account="other")]
    for app, annotations in {"open": {}, "strict": {"weft.mesh/mtls": "strict"}}.items():
        objects += [service_account(app), deployment(app, "http-echo", env={"TEXT": app}, annotations=annotations), service(app)]
    with Mesh(objects) as up:
        yield up


def eventually(mesh, wanted, *call, **options):
    got = []

    def reached():
        got.append(mesh.code(*call, **options))
        return got[-1] == wanted
    assert mesh.until(reached, 5), f"expected {wanted}, got {got[-1]}"


def test_permissive_lets_callers_without_a_sidecar_in(mesh):
    assert mesh.curl("old", "http://open.default/", ns="legacy") == "open"


def test_strict_tells_a_plaintext_caller_what_is_missing(mesh):
    status, headers = mesh.headers("old", "http://strict.default/", ns="legacy")
    assert status == "HTTP/1.1 403 Forbidden"
    assert headers["x-weft-error"] == "mtls-required"
    address = mesh.pods("strict")[0]["address"]
    out = mesh.exec("old", "sh", "-c", f"printf 'not http\\n' | timeout 5 nc -N {address} 8080 | wc -c", ns="legacy").stdout
    assert out.strip() == "0"
    # Both are logged, with reason and caller.
    caller = next(p["address"] for p in mesh.status() if p["name"] == "old")

    def logged():
        lines = [line for line in mesh.sidecar_log(mesh.pod_of("strict")).splitlines() if "plaintext caller on a strict port" in line]
        return len([line for line in lines if caller in line and "mtls-required" in line]) >= 2
    assert mesh.until(logged), mesh.sidecar_log(mesh.pod_of("strict"))


def test_a_plaintext_caller_in_the_midst_of_its_body_sees_why_it_is_refused(mesh):
    # Without `Expect` curl does not wait for leave to send.
    for upload in ("-T /tmp/body", "-T - < /tmp/body"):
        out = mesh.exec("old", "sh", "-c", "head -c 8000000 /dev/zero > /tmp/body; "
                        f"curl -sS -m 20 -D - -o /dev/null -H 'Expect:' http://strict.default/ {upload}",
                        ns="legacy").stdout
        assert out.startswith("HTTP/1.1 403 Forbidden") and "x-weft-error: mtls-required" in out, (upload, out)


def test_the_mesh_may_call_both(mesh):
    assert mesh.curl("client", "http://open/") == "open"
    assert mesh.curl("client", "http://strict/") == "strict"


def test_allow_by_method_and_path_is_live(mesh):
    mesh.annotate("service/strict", "weft.mesh/allow=from=default/client methods=GET paths=/api/*")
    eventually(mesh, "403", "client", "http://strict/")
    assert mesh.code("client", "http://strict/api/x") == "200"
    assert mesh.code("client", "-X", "POST", "http://strict/api/x") == "403"
    assert mesh.code("other", "http://strict/api/x") == "403"
    # Tricks with the path do not open it.
    assert mesh.code("client", "--path-as-is", "http://strict/api/../secret") == "403"
    assert mesh.code("client", "--path-as-is", "http://strict/api/%2e%2e/secret") == "403"
    assert mesh.code("client", "--path-as-is", "http://strict/api%2fx") == "400"
    mesh.annotate("service/strict", "weft.mesh/allow-")
    eventually(mesh, "200", "other", "http://strict/")


def test_a_refusal_names_the_rule_to_members_of_the_mesh(mesh):
    mesh.annotate("service/strict", "weft.mesh/deny=from=default/other")
    eventually(mesh, "403", "other", "http://strict/")
    _, headers = mesh.headers("other", "http://strict/")
    assert headers["x-weft-error"] == "rbac-denied"
    assert headers["x-weft-rule"] == "service default/strict deny #1"
    assert mesh.until(lambda: any(line.get("reason") == "rbac-denied" and line.get("rule") == "service default/strict deny #1" and
                                  line["source_identity"] == "spiffe://cluster.local/ns/default/sa/other" and
                                  line["direction"] == "inbound" for line in mesh.access_log(mesh.pod_of("strict"))))
    assert mesh.code("client", "http://strict/") == "200"
    mesh.annotate("service/strict", "weft.mesh/deny-")
    eventually(mesh, "200", "other", "http://strict/")


def test_a_refusal_names_no_rule_to_strangers(mesh):
    mesh.annotate("service/open", "weft.mesh/deny=from=anonymous")
    eventually(mesh, "403", "old", "http://open.default/", ns="legacy")
    _, headers = mesh.headers("old", "http://open.default/", ns="legacy")
    assert headers["x-weft-error"] == "rbac-denied" and "x-weft-rule" not in headers
    assert mesh.until(lambda: any(line.get("rule") == "service default/open deny #1" for line in mesh.access_log(mesh.pod_of("open"))))
    mesh.annotate("service/open", "weft.mesh/deny-")
    eventually(mesh, "200", "old", "http://open.default/", ns="legacy")


def test_a_broken_annotation_keeps_the_last_good_value(mesh):
    mesh.annotate("service/strict", "weft.mesh/allow=from=default/client")
    eventually(mesh, "403", "other", "http://strict/")
    mesh.annotate("service/strict", "weft.mesh/allow=form=default/client")
    assert not mesh.until(lambda: mesh.code("other", "http://strict/") != "403" or
                          mesh.code("client", "http://strict/") != "200", 2)
    mesh.annotate("service/strict", "weft.mesh/allow-")
    eventually(mesh, "200", "other", "http://strict/")


def test_a_rule_that_was_never_good_denies(mesh):
    mesh.annotate("service/open", "weft.mesh/allow=nonsense")
    eventually(mesh, "403", "client", "http://open/")
    mesh.annotate("service/open", "weft.mesh/allow-")
    eventually(mesh, "200", "client", "http://open/")


def test_the_namespace_mode_is_live(mesh):
    mesh.annotate("namespace/default", "weft.mesh/mtls=strict")
    eventually(mesh, "403", "old", "http://open.default/", ns="legacy")
    mesh.annotate("namespace/default", "weft.mesh/mtls-")
    eventually(mesh, "200", "old", "http://open.default/", ns="legacy")


def test_default_policy_deny_needs_an_allow_rule(mesh):
    mesh.annotate("namespace/default", "weft.mesh/default-policy=deny")
    eventually(mesh, "403", "client", "http://open/")
    mesh.annotate("namespace/default", "weft.mesh/default-policy-")
    eventually(mesh, "200", "client", "http://open/")
