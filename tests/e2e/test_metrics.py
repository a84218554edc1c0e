"""Metrics as Prometheus would get them: through 15090, in plaintext, from a pod of a strict namespace."""
import re
import time

import pytest

from mesh import Mesh, deployment, namespace, pod, service
from test_traffic import resident

SCRAPE = {"prometheus.io/scrape": "true", "prometheus.io/port": "9100", "prometheus.io/path": "/own"}
OWN_PAGE = '# TYPE shop_orders_total counter\nshop_orders_total{kind="\u00e4"} 7\n'
# One line of the text format as Prometheus reads it, values as this mesh has them.
LINE = re.compile(r'(# (HELP|TYPE) [a-zA-Z_:][\w:]* .*|# weft: .*|'
                  r'[a-zA-Z_:][\w:]*(\{([a-zA-Z_]\w*="([^"\\\n]|\\[\\n"])*",?)*\})? [-+0-9.eE]+)$')


@pytest.fixture(scope="module")
def mesh():
    metered = deployment("shop", "python", env={"APP": "metered"}, annotations=SCRAPE)
    objects = [
        namespace("default", mtls="strict"), namespace("monitoring", inject=False), pod("prometheus", ns="monitoring"),
        metered, service("shop"),
        deployment("hello", "shell", account="caller", ports=()),
    ]
    with Mesh(objects) as running:
        yield running


def scrape(mesh, deployment_name, *arguments):
    address = mesh.pods(deployment_name)[0]["address"]
    text = mesh.curl("prometheus", *arguments, f"http://{address}:15090/metrics", ns="monitoring")
    lines = text.splitlines()
    wrong = [line for line in lines if not LINE.match(line)]
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert text.endswith("\n") and not wrong, wrong
    assert len(types) == len(set(types)), types
    return text


def value(text, name):
    return int(re.search(rf"^{name} (\d+)$", text, re.M).group(1))


def answers(mesh, page):
    mesh.exec(mesh.pod_of("shop"), "sh", "-c", f"printf '%s' '{page}' >/tmp/weft-metrics-page" if page else "rm -f /tmp/weft-metrics-page")


# Prometheus is sent to the sidecar, by the annotations that it finds; the application's part is behind the sidecar's
# own, though the application's port is strict.
def test_the_applications_own_metrics_come_with_the_sidecars(mesh):
    text = scrape(mesh, "shop")
    assert "\nweft_ready 1\n" in text
    assert text.endswith("\n" + OWN_PAGE), text[-300:]
    assert value(text, "weft_application_scrapes_failed_total") == 0
    assert mesh.code("prometheus", f"http://{mesh.pods('shop')[0]['address']}:9100/own", ns="monitoring") == "403"
    assert "shop_orders_total" in mesh.curl(mesh.pod_of("shop"), "http://127.0.0.1:15000/metrics")
    assert value(scrape(mesh, "hello"), "weft_application_scrapes_total") == 0


# Both sidecars name both workloads and the Service; the receiver learns the caller's from discovery, so not of the
# first request.
def test_both_reporters_name_both_workloads_and_the_service(mesh):
    hello = mesh.pod_of("hello")

    def line(deployment_name, reporter):
        assert mesh.code(hello, "http://shop/1") == "200"
        for found in scrape(mesh, deployment_name).splitlines():
            wanted = (f'reporter="{reporter}"', 'source_workload="hello"', 'destination_workload="shop"',
                      'destination_service="shop.default.svc.cluster.local"', 'response_code="200"', "/sa/caller")
            if found.startswith("istio_requests_total{") and all(part in found for part in wanted):
                return found
        return None
    for deployment_name, reporter in (("hello", "source"), ("shop", "destination")):
        assert mesh.until(lambda: line(deployment_name, reporter)), scrape(mesh, deployment_name)


# Both sidecars keep the connection that they used.
def test_the_pools_connections_are_counted(mesh):
    assert mesh.code(mesh.pod_of("hello"), "http://shop/1") == "200"
    for deployment_name in ("hello", "shop"):
        text = scrape(mesh, deployment_name)
        assert value(text, "weft_pool_connections") >= value(text, "weft_pool_idle_connections") >= 1


# Whatever the application says, the sidecar's own metrics can be read, and the page says what became of the rest.
@pytest.mark.parametrize("page,why", [("404", "HTTP status 404"), ("<html>", "line 1: expected a sample")])
def test_a_page_that_cannot_be_had_is_counted_and_the_rest_comes(mesh, page, why):
    before = value(scrape(mesh, "shop"), "weft_application_scrapes_failed_total")
    answers(mesh, page)
    text = scrape(mesh, "shop")
    answers(mesh, None)
    assert value(text, "weft_application_scrapes_failed_total") == before + 1
    assert f"# weft: without the application's metrics: {why}" in text
    assert "shop_orders_total" not in text and "weft_ready 1" in text
    assert mesh.until(lambda: "the application's metrics cannot be had" in mesh.sidecar_log(mesh.pod_of("shop")))
    assert "shop_orders_total" in scrape(mesh, "shop")


def test_openmetrics_and_families_of_the_sidecars_names_do_no_harm(mesh):
    answers(mesh, "# TYPE weft_ready gauge\nweft_ready 0\n# TYPE foo counter\nfoo_total 3.0 1.5 # {trace_id=\"x\"} 1\n# EOF\n")
    text = scrape(mesh, "shop")
    answers(mesh, None)
    assert "\nweft_ready 1\n" in text and "\nweft_ready 0\n" not in text
    assert "\n# TYPE foo counter\nfoo_total 3.0\n# weft: 2 lines of the application's are left out" in text


def test_a_large_page_leaves_no_memory_behind(mesh):
    shop = mesh.pod_of("shop")
    before = resident(mesh, shop)[1]
    lines = 'BEGIN { for (i = 0; i < 60000; i++) printf "shop_orders_of_everybody_total{customer=\\"%d\\"} 7\\n", i }'
    mesh.exec(shop, "sh", "-c", f"awk '{lines}' >/tmp/weft-metrics-page")
    for _ in range(3):
        assert len(scrape(mesh, "shop")) > 2_500_000
    answers(mesh, None)
    mesh.until(lambda: resident(mesh, shop)[1] <= before + 2048)
    after = resident(mesh, shop)[1]
    assert after <= before + 2048, f"{before} KiB before, {after} KiB after"


# Prometheus waits as long as it says; a silent application must not cost it the sidecar's part.
def test_a_silent_application_is_waited_for_less_long_than_prometheus_waits(mesh):
    answers(mesh, "mute")
    began = time.monotonic()
    text = scrape(mesh, "shop", "-H", "X-Prometheus-Scrape-Timeout-Seconds: 1")
    took = time.monotonic() - began
    answers(mesh, None)
    assert "weft_ready 1" in text and "# weft: without the application's metrics: " in text
    assert took < 1, took
