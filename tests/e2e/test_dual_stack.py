"""IPv6 wherever IPv4 works: HTTP/2, canary and authorisation, by Service address and by pod address."""
import pytest

from mesh import Mesh, deployment, namespace, pod, service, service_account


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client"),
               service_account("other"), pod("other", account="other"),
               service_account("shop"), service("shop", ipFamilyPolicy="RequireDualStack"),
               service_account("files"), deployment("files", "nghttpd"),
               service("files", port_name="http2", ipFamilyPolicy="RequireDualStack")]
    for version in ("v1", "v2"):
        objects.append(deployment("shop", "http-echo", name=f"shop-{version}", labels={"version": version}, env={"TEXT": version}))
    images = {"nghttpd": "/usr/sbin/nghttpd --no-tls -d /usr/share/common-licenses 8080"}
    with Mesh(objects, images=images) as up:
        yield up


def test_http2_over_ipv6(mesh):
    licence = open("/usr/share/common-licenses/GPL-3").read()
    assert mesh.curl("client", "-6", "--http2-prior-knowledge", "http://files/GPL-3") == licence
    assert mesh.curl("client", "-6", "--http1.1", "http://files/GPL-3") == licence, "and bridged from HTTP/1"
    pod_address = next(a for a in mesh.pods("files")[0]["addresses"] if ":" in a)
    assert mesh.curl("client", "--http2-prior-knowledge", f"http://[{pod_address}]:8080/GPL-3") == licence


def test_a_canary_over_ipv6(mesh):
    mesh.annotate("service/shop", "weft.mesh/canary=v2=100")
    both = lambda text: {mesh.curl("client", family, "http://shop/") for family in ("-4", "-6")} == {text}
    assert mesh.until(lambda: both("v2"), 10)
    assert set(mesh.curl("client", "-6", "-w", "\n", "http://shop/?[1-50]").split()) == {"v2"}
    mesh.annotate("service/shop", "weft.mesh/canary=v1=50,v2=50")
    assert mesh.until(lambda: set(mesh.curl("client", "-6", "-w", "\n", "http://shop/?[1-50]").split()) == {"v1", "v2"}, 10)


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_rules_hold_over_both(mesh, family):
    mesh.annotate("service/shop", "weft.mesh/allow=from=default/client methods=GET")
    def reached(wanted, *call):
        return mesh.until(lambda: mesh.code(*call) == wanted, 10)
    assert reached("403", "other", family, "http://shop/")
    assert mesh.code("client", family, "http://shop/") == "200"
    assert mesh.code("client", family, "-X", "POST", "http://shop/") == "403"
    address = next(a for a in mesh.pods("shop-v1")[0]["addresses"] if (":" in a) == (family == "-6"))
    assert mesh.code("other", f"http://{f'[{address}]' if ':' in address else address}:8080/") == "403"
    mesh.annotate("service/shop", "weft.mesh/allow-")
    assert reached("200", "other", family, "http://shop/")
