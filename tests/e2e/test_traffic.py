"""What the mesh carries: bodies of any size, many requests, opaque TCP, and how little it holds meanwhile."""
import contextlib
import os
import pathlib
import re

import pytest

from mesh import Mesh, deployment, namespace, pod, service, service_account

GIGABYTE = 1_000_000_000


@pytest.fixture(scope="module")
def mesh():
    objects = [namespace("default", mtls="strict"), service_account("client"),
               pod("client", account="client")]
    for app, kind in {"big": "big", "echo": "echo", "mysql": "mysql"}.items():
        objects += [service_account(app), deployment(app, "python", env={"APP": kind})]
    objects += [service_account("crowd"), deployment("crowd", "python", env={"APP": "crowd"}), service("crowd")]
    objects += [service("big"), service("echo", port_name="tcp"), service("mysql", port_name="db")]
    objects += [service_account("fast"), deployment("fast", "http-echo", replicas=3, env={"TEXT": "fast"}),
                service("fast", ipFamilyPolicy="RequireDualStack")]
    with Mesh(objects) as up:
        yield up


def resident(mesh, pod_name):
    """Resident and anonymous KiB of a pod's sidecar, from the node's /proc."""
    pid = sidecar_pid(mesh, pod_name)
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    value = lambda key: int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M).group(1))
    return value("Rss"), value("Anonymous")


def sidecar_pid(mesh, pod_name):
    """Its process as this machine sees it: the weft-sidecar in the pod's network namespace."""
    network = mesh.exec(pod_name, "readlink", "/proc/self/ns/net").stdout.strip()
    for process in pathlib.Path("/proc").iterdir():
        try:
            if (process.name.isdigit() and (process / "comm").read_text().strip() == "weft-sidecar"
                    and os.readlink(process / "ns/net") == network):
                return int(process.name)
        except OSError:
            pass
    raise AssertionError(f"no sidecar of {pod_name} runs")


@contextlib.contextmanager
def memory_stays_flat(mesh, *pods):
    """From here to the end of the block no sidecar of these pods is ever larger than 20 MiB, by the kernel's own high-water mark."""
    processes = {name: pathlib.Path(f"/proc/{sidecar_pid(mesh, name)}") for name in pods}
    for process in processes.values():
        (process / "clear_refs").write_text("5")  # proc(5): the mark begins anew
    yield
    peaks = {name: int(re.search(r"^VmHWM:\s+(\d+) kB", (process / "status").read_text(), re.M).group(1))
             for name, process in processes.items()}
    print(f"sidecars, KiB resident at the most: {peaks}")
    assert max(peaks.values()) < 20 * 1024, peaks


def test_a_sidecar_at_rest_is_small(mesh):
    """Under 10 MiB resident, under 3 MiB of it anonymous."""
    rss, anonymous = resident(mesh, mesh.pod_of("mysql"))
    print(f"sidecar at rest: {rss} KiB resident, {anonymous} KiB anonymous")
    assert rss < 10 * 1024
    assert anonymous < 3 * 1024


def test_ten_thousand_requests_one_after_the_other(mesh):
    answers = mesh.curl("client", "-m", "300", "-w", "\n", "http://fast/?[1-10000]", timeout=330).splitlines()
    assert answers == ["fast"] * 10000


def test_a_thousand_requests_at_once(mesh):
    """Truly at once: the application answers none of them before it has them all. Connection by connection the crowd
    grows, for a busy machine is not to be measured by how many handshakes it makes in a second."""
    for crowd in range(100, 1001, 100):
        # One curl makes 300 at a time, at most.
        one = ("curl -s -m 90 -Z --parallel-max 250 --parallel-immediate -o /dev/null -w '%{http_code}\\n' "
               f"'http://crowd/{crowd}?[1-{crowd // 4}]'")
        out = mesh.exec("client", "sh", "-c", f"for i in 1 2 3 4; do {one} & done; wait").stdout
        assert re.findall(r"\d{3}", out) == ["200"] * crowd


def test_a_thousand_requests_from_three_hundred_callers(mesh):
    out = mesh.curl("client", "-Z", "--parallel-max", "300", "--parallel-immediate", "-o", "/dev/null",
                    "-w", "%{http_code}\n", "http://fast/?[1-1000]")
    assert re.findall(r"^\d{3}$", out, re.M) == ["200"] * 1000


def test_a_gigabyte_down_with_flat_memory(mesh):
    out = mesh.curl("client", "-m", "200", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", f"http://big/{GIGABYTE}",
                    timeout=220)
    assert out == f"200 {GIGABYTE}"
    for name in ("client", mesh.pod_of("big")):
        rss, _ = resident(mesh, name)
        print(f"after a gigabyte down: {name}: {rss} KiB")
        assert rss < 30 * 1024


def test_a_gigabyte_up_with_flat_memory(mesh):
    command = f"head -c {GIGABYTE} /dev/zero | curl -s -m 200 -T - -X POST -H 'Content-Length: {GIGABYTE}' -H 'Transfer-Encoding:' http://big/"
    assert mesh.exec("client", "sh", "-c", command, timeout=220).stdout == str(GIGABYTE)
    for name in ("client", mesh.pod_of("big")):
        rss, _ = resident(mesh, name)
        print(f"after a gigabyte up: {name}: {rss} KiB")
        assert rss < 30 * 1024


def test_opaque_tcp_with_half_close(mesh):
    """The client ends its side first; everything sent still comes back."""
    out = mesh.exec("client", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' 'y' | nc -N -w 20 echo 80 | wc -c").stdout
    assert out.strip() == "3000000"


def test_a_server_that_speaks_first_on_an_undeclared_port(mesh):
    """Nothing waits for the client: the greeting is there well within a second, and traffic goes both ways."""
    out = mesh.exec("client", "sh", "-c", "(sleep 1; printf 'ping\\n') | timeout 5 nc -N -w 3 mysql 80").stdout
    assert out == "5.7.0-greeting\nping\n"
    out = mesh.exec("client", "sh", "-c", "timeout 0.6 nc mysql 80 </dev/null", check=False).stdout
    assert out == "5.7.0-greeting\n"


def test_ipv6_works_wherever_ipv4_does(mesh):
    address = next(a for p in mesh.pods("fast") for a in p["addresses"] if ":" in a)
    assert mesh.curl("client", f"http://[{address}]:8080/") == "fast"
    assert mesh.curl("client", "-6", "http://fast/") == "fast"


def test_a_pod_called_by_its_address_is_met_with_mutual_tls_too(mesh):
    target = mesh.pods("fast")[0]
    assert mesh.curl("client", f"http://{target['address']}:8080/") == "fast"
    status, headers = mesh.headers("client", f"http://{target['address']}:8080/")
    assert status.startswith("HTTP/1.1 200")


def test_a_pod_that_calls_its_own_service_reaches_itself(mesh):
    name = mesh.pod_of("big")
    assert mesh.curl(name, "http://big/5") == "xxxxx"
