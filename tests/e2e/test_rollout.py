"""Endpoints come and go, subsets appear and vanish, under load: no caller notices."""
import json
import subprocess
import time

import pytest

from mesh import ROOT, WEFT, Mesh, deployment, namespace, pod, service, service_account


def versions(name, replicas, version, **options):
    return deployment("shop", "http-echo", name=name, replicas=replicas, labels={"version": version}, env={"TEXT": version}, **options)


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client"),
               service_account("shop"), versions("shop", 3, "v1"), service("shop", ipFamilyPolicy="RequireDualStack")]
    with Mesh(objects) as up:
        yield up


class Load:
    """`with Load(mesh, host, rate) as load:` from beginning to end; its report is there afterwards. The rate was held: it
    lasts so long that a moment in which the machine does other things is not a tenth of it."""

    SECONDS_MIN = 5

    def __init__(self, mesh, host, rate):
        self.rate = rate
        self.command = [str(WEFT), "local", "exec", "--name", mesh.name, "client", "--", "/usr/bin/python3", f"{ROOT}/tests/e2e/load.py",
                        "steady", host, str(rate)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.until = time.monotonic() + self.SECONDS_MIN
        return self

    def __exit__(self, kind, *_):
        if kind:
            return self.process.kill()
        time.sleep(max(0.0, self.until - time.monotonic()))
        out, errors = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, errors
        self.report = json.loads(out)
        achieved = self.report["requests"] / self.report["seconds"]
        print(f"{achieved:.0f} requests a second: {self.report}")
        assert achieved >= 0.9 * self.rate, "fewer requests than were asked for prove nothing"
        assert self.report["slowest"] < 5, "no caller waits until something times out"


def restart_all(mesh):
    """Every pod of the Deployment replaced, one after the other, as a roll-out does it."""
    for old in mesh.pods("shop"):
        mesh.weft("delete-pod", old["name"])
        assert mesh.until(lambda: len(mesh.pods("shop")) == 3 and all(p["ready"] for p in mesh.pods("shop")), 40)


def test_a_rolling_restart_of_all_pods_under_500_requests_a_second_loses_none(mesh):
    """Twice, and POST as well as GET: what is never sent twice must not fail either."""
    before = {p["name"] for p in mesh.pods("shop")}
    with Load(mesh, "shop", 500) as load:
        for _ in range(2):
            restart_all(mesh)
    assert not before & {p["name"] for p in mesh.pods("shop")}
    assert load.report["failed"] == {}, [line for line in mesh.access_log("client") if line.get("status") == 503]
    assert set(load.report["answers"]) == {"v1"}


def test_a_canary_whose_subset_does_not_exist_yet_costs_nobody_an_answer(mesh):
    """The route first, then its pods, then the pods go and the route stays."""
    with Load(mesh, "shop", 100) as load:
        mesh.annotate("service/shop", "weft.mesh/canary=v1=50,v2=50")
        (mesh.folder / "v2.json").write_text(json.dumps(versions("shop-v2", 2, "v2")))
        mesh.weft("apply", "-f", str(mesh.folder / "v2.json"))
        assert mesh.until(lambda: len(mesh.pods("shop-v2")) == 2 and all(p["ready"] for p in mesh.pods("shop-v2")), 40)
        assert mesh.until(lambda: mesh.curl("client", "http://shop/") == "v2", 10)
        mesh.weft("scale", "deployment/shop-v2", "0")
        assert mesh.until(lambda: not mesh.pods("shop-v2"), 40)
    assert load.report["failed"] == {}
    assert load.report["answers"]["v2"] > 0
    assert mesh.curl("client", "-w", "\n", "http://shop/?[1-20]").split() == ["v1"] * 20
    mesh.annotate("service/shop", "weft.mesh/canary-")


def test_endpoints_that_come_and_go_are_not_noticed(mesh):
    with Load(mesh, "shop", 200) as load:
        for replicas in (5, 1, 3):
            mesh.weft("scale", "deployment/shop", str(replicas))
            assert mesh.until(lambda: len(mesh.pods("shop")) == replicas and all(p["ready"] for p in mesh.pods("shop")), 40)
    assert load.report["failed"] == {}
