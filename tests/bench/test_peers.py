"""The peers do what the bench compares them by: the bytes that arrive are right, the wire between the proxies
carries TLS 1.3 and nothing readable, and a client without a certificate is refused. As root; the programs
must be built (tests/run bench).
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from prepare import OWN, Preparation

BENCH = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", BENCH.parents[1] / "build"))
PROXIES = ("weft", "envoy", "envoy-h2", "haproxy", "haproxy-h2", "nginx", "floor")
ISOLATED = "import sys; from isolate import isolated; sys.exit(isolated(sys.argv[1:]))"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for network namespaces")


def start_isolated(*command, **options):
    return subprocess.Popen(
        [sys.executable, "-c", ISOLATED, *map(str, command)],
        cwd=BENCH,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.fixture(scope="module")
def inspected(tmp_path_factory):
    absent = [path for path in OWN.values() if not (BUILD / path).exists()]
    if absent:
        pytest.skip(f"not built: {', '.join(absent)}")
    preparation = Preparation(BUILD).everything()
    out = tmp_path_factory.mktemp("bench")
    config = {
        "out": str(out),
        "quick": True,
        "programs": preparation.programs,
        "missing": preparation.missing,
    }
    (out / "config.json").write_text(json.dumps(config))
    process = start_isolated(sys.executable, BENCH / "check_wire.py", out / "config.json")
    text = process.communicate(timeout=120)[0]
    assert process.returncode == 0, text
    return json.loads(text.splitlines()[-1])


@pytest.fixture(params=PROXIES)
def proxy(request, inspected):
    if request.param in inspected["missing"]:
        pytest.skip(f"{request.param}: {inspected['missing'][request.param]}")
    return inspected["seen"][request.param]


def test_the_capture_sees_what_is_not_encrypted(inspected):
    """The control: without a proxy the marker is readable and the same bytes are on the wire."""
    bare = inspected["seen"]["none"]
    assert bare["echo"] and bare["marker_on_wire"] and not bare["tls_1_3"]


def test_bytes_arrive_as_they_were_sent(proxy, inspected):
    assert proxy.get("echo", True), "what came back is not what was sent"
    assert proxy["body"] == inspected["seen"]["none"]["body"]


def test_grpc_messages_come_back_as_they_were_sent(proxy):
    if "grpc" not in proxy:
        pytest.skip("not asked for gRPC")
    assert proxy["grpc"]["requests"] > 0 and proxy["grpc"]["failed"] == 0


def test_the_wire_between_the_proxies_is_encrypted(proxy):
    """A capture on a busy machine may lose packets, so half of the body is enough."""
    assert proxy["bytes_on_wire"] > 1_500_000, "the body did not come over the captured wire"
    assert proxy["tls_1_3"] and not proxy["marker_on_wire"]


def test_all_encrypt_with_the_same_suite(proxy):
    """TLS_AES_128_GCM_SHA256: OpenSSL would take a longer key, BoringSSL this one, and the work is not the same."""
    assert proxy["ciphers"] == ["1301"]


def test_a_client_without_a_certificate_is_refused(proxy):
    answer, said = proxy["without_certificate"]
    assert "HTTP/1.1 200" not in answer, answer
    # nginx alone says so in HTTP.
    assert "alert" in said or "No required SSL certificate was sent" in answer, (answer, said)


def test_a_client_with_a_certificate_is_answered(proxy, request):
    """The control of the refusal. weft's own CA did not sign this certificate, so weft refuses it as well."""
    answer, said = proxy["with_certificate"]
    strict = request.node.callspec.params["proxy"] == "weft"
    assert ("200" in answer.split("\r\n")[0]) != strict, (answer, said)


def processes_in(namespace):
    found = []
    for process in pathlib.Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.readlink(process / "ns/pid") == namespace:
                found.append(int(process.name))
        except OSError:
            pass
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_bench(number):
    """However the bench is ended, the kernel ends what it started."""
    outer = start_isolated("sh", "-c", "readlink /proc/self/ns/pid; setsid sleep 1000 & exec sleep 1000")
    namespace = outer.stdout.readline().strip()
    assert len(processes_in(namespace)) >= 1
    outer.send_signal(number)
    outer.wait(10)
    deadline = time.monotonic() + 5
    while processes_in(namespace) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes_in(namespace) == []
