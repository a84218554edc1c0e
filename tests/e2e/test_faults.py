"""Bad input and dead neighbours: a clear message, nothing broken, nothing left behind."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from mesh import WEFT, Mesh, deployment, namespace, pod, service, service_account
from test_traffic import sidecar_pid


def objects():
    return [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client"),
            service_account("app"), deployment("app", "http-echo", replicas=2, env={"TEXT": "app"}), service("app")]


@pytest.fixture(scope="module")
def mesh():
    with Mesh(objects()) as up:
        yield up


def test_garbage_on_both_ports_breaks_nothing(mesh):
    address = mesh.pods("app")[0]["address"]
    for target in (f"{address} 15006", f"{address} 8080", f"{address} 15001"):
        mesh.exec("client", "sh", "-c", f"head -c 100000 /dev/urandom | timeout 5 nc -N {target} >/dev/null", check=False)
        mesh.node("sh", "-c", f"head -c 100000 /dev/urandom | timeout 5 nc -N {target} >/dev/null", check=False)
    mesh.exec("client", "sh", "-c", "head -c 100000 /dev/urandom | timeout 5 nc -N 127.0.0.1 15001 >/dev/null", check=False)
    assert mesh.curl("client", "http://app/") == "app"


def test_status_lists_what_a_script_needs(mesh):
    for entry in (p for p in mesh.status() if p["namespace"] == "default"):
        assert entry["ready"] is True
        assert entry["spiffe_id"] == f"spiffe://cluster.local/ns/default/sa/{entry['service_account']}"
        assert entry["certificate_expires"] and entry["address"] and entry["name"]


def test_a_second_up_of_the_same_name_is_refused(mesh):
    done = subprocess.run([str(WEFT), "local", "up", "--name", mesh.name, "-f", str(mesh.manifest)], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode != 0
    assert mesh.name in done.stderr
    assert mesh.curl("client", "http://app/") == "app"


def test_a_killed_discovery_leaves_what_is_known_working(mesh):
    assert mesh.curl("client", "http://app/") == "app"
    mesh.node("pkill", "-9", "-x", "weft-discovery")
    for _ in range(20):
        assert mesh.curl("client", "http://app/") == "app"
    # It comes back by itself, and changes arrive again.
    def denied():
        mesh.annotate("service/app", "weft.mesh/deny=from=default/client")
        return mesh.code("client", "http://app/") == "403"
    assert mesh.until(denied, 20)
    mesh.annotate("service/app", "weft.mesh/deny-")
    assert mesh.until(lambda: mesh.code("client", "http://app/") == "200", 10)


def test_a_killed_ca_leaves_certificates_working_and_renewal_catches_up(mesh):
    mesh.node("pkill", "-9", "-x", "weft-ca")
    assert mesh.curl("client", "http://app/") == "app"
    serial = lambda: json.loads(mesh.admin("client", "/certificates"))[0]["serial"]
    before = serial()
    assert mesh.until(lambda: mesh.exec("client", "weft-sidecar", "renew", container="weft-sidecar", check=False).returncode == 0
                      and (time.sleep(1) or serial() != before), 30)
    assert mesh.curl("client", "http://app/") == "app"


def test_a_killed_sidecar_comes_back_and_nothing_passes_it_meanwhile(mesh):
    victim = mesh.pods("app")[0]
    pid = sidecar_pid(mesh, victim["name"])
    os.kill(pid, signal.SIGKILL)
    # The other replica answers; not one request goes past a sidecar in plaintext (strict would not answer it).
    for _ in range(20):
        assert mesh.code("client", "http://app/") == "200", mesh.sidecar_log("client") + mesh.log()
    assert mesh.until(lambda: all(p["ready"] for p in mesh.pods("app")), 20)
    assert mesh.curl("client", f"http://{victim['address']}:8080/") == "app"


def test_delete_pod_loses_no_request(mesh):
    """preStop hooks, then the application, then the sidecar; callers go to the other replica."""
    load = subprocess.Popen([str(WEFT), "local", "exec", "--name", mesh.name, "client", "--", "curl", "-s", "-m", "30", "--rate",
                             "200/s", "-o", "/dev/null", "-w", "%{http_code}\n", "http://app/?[1-800]"],
                            stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    mesh.weft("delete-pod", mesh.pods("app")[0]["name"])
    codes = [code for code in load.communicate(timeout=60)[0].split() if len(code) == 3]
    assert codes == ["200"] * 800


def test_a_yaml_error_names_file_line_and_column(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec:\n  ports: [ { port: eighty } ]\n")
    done = subprocess.run([str(WEFT), "local", "up", "--name", f"yaml-{os.getpid()}", "-f", str(broken)], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode != 0
    assert "broken.yaml:5:" in done.stderr and "port" in done.stderr


def left_over(name):
    """What a mesh must not leave: processes, mounts, runtime state, iptables rules on the machine itself."""
    left = [p.name for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() and (p / "cmdline").exists()
            and name in read(p / "cmdline")]
    mounts = [line for line in read("/proc/mounts").splitlines() if name in line]
    return left + mounts


def read(path):
    try:
        return pathlib.Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.parametrize("how", ["down", "SIGINT", "SIGKILL"])
def test_nothing_is_left_behind_and_the_next_up_works(how):
    rules = subprocess.run("iptables-save; ip6tables-save; ip netns list; ip -o link", shell=True, capture_output=True, text=True).stdout
    strip = lambda text: [line for line in text.splitlines() if not line.startswith(("#", ":"))]
    with Mesh(objects()) as mesh:
        assert mesh.curl("client", "http://app/") == "app"
        if how == "down":
            mesh.weft("down", timeout=30)
        else:
            mesh.process.send_signal(getattr(signal, how))
        mesh.process.wait(20)
        assert mesh.until(lambda: not left_over(mesh.name), 10), left_over(mesh.name)
        after = subprocess.run("iptables-save; ip6tables-save; ip netns list; ip -o link", shell=True, capture_output=True, text=True).stdout
        assert strip(after) == strip(rules)
        mesh.start()
        assert mesh.curl("client", "http://app/") == "app"
