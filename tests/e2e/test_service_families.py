"""Which families of addresses a Service has, and in which order, is for its manifest to say."""
import pytest

from mesh import Mesh, deployment, namespace, pod, service, service_account


@pytest.fixture(scope="module")
def mesh():
    def web(name, **spec):
        return service(name, selector={"app": "web"}, **spec)
    objects = [namespace("default"), service_account("client"), pod("client", account="client", annotations={"weft.mesh/access-log": "all"}),
               service_account("web"), deployment("web", "http-echo", env={"TEXT": "web"}),
               web("first", ipFamilies=["IPv6", "IPv4"], ipFamilyPolicy="RequireDualStack"),
               web("prefer", ipFamilies=["IPv6"], ipFamilyPolicy="PreferDualStack"),
               web("headless4", clusterIP="None"), web("headless6", clusterIP="None", ipFamilies=["IPv6"])]
    with Mesh(objects) as up:
        yield up


@pytest.mark.parametrize("name", ["first", "prefer"])
def test_the_first_family_is_that_of_the_endpoints(mesh, name):
    assert mesh.curl("client", "-H", f"x-request-id: {name}", f"http://{name}/") == "web"
    assert mesh.logged("client", lambda line: line.get("request_id") == name)[0]["endpoint"].startswith("[2001:2:")


@pytest.mark.parametrize("name,families", [("headless4", {False}), ("headless6", {True})])
def test_a_headless_service_has_records_of_its_own_families_alone(mesh, name, families):
    found = mesh.exec("client", "getent", "ahosts", name).stdout.splitlines()
    assert {":" in line.split()[0] for line in found} == families
