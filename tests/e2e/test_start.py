"""Machines and manifests on which `weft local up` has something to say, and what it says."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from mesh import ROOT, WEFT, Mesh, deployment, namespace, pod, service, service_account

NOBODY = 65534


def up(*arguments, before=(), **options):
    """`weft local up` that is expected to refuse."""
    command = [*before, str(WEFT), "local", "up", "--name", f"start-{os.getpid()}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, **options)


@pytest.fixture
def for_everybody():
    """A folder that every user can read, wherever the checkout and its build are."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-e2e-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("program", ["weft local up", "the demo", "weft-sidecar init"])
def test_without_root_the_message_says_so(for_everybody, program):
    if program == "the demo":
        (for_everybody / "examples/helloworld").mkdir(parents=True)
        (for_everybody / "tests/support").mkdir(parents=True)
        for file in ("examples/helloworld/run", "tests/support/setup.sh"):
            shutil.copy(ROOT / file, for_everybody / file)
        command = [for_everybody / "examples/helloworld/run"]
    elif program == "weft local up":
        command = [shutil.copy(WEFT, for_everybody), "local", "up"]
    else:
        command = [shutil.copy(WEFT.parents[1] / "sidecar/weft-sidecar", for_everybody), "init"]
    done = subprocess.run(command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, timeout=30,
                          cwd=for_everybody)
    assert done.returncode == 1
    assert "root" in done.stderr, done.stderr


def test_without_iptables_the_message_names_the_package():
    hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /usr/sbin && exec "$@"', "sh"]
    done = up(before=hide)
    assert done.returncode == 1
    assert "apt-get install iptables" in done.stderr, done.stderr


def test_a_name_that_is_no_name_is_refused():
    done = subprocess.run([str(WEFT), "local", "up", "--name", "../x"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "letters, digits and dashes" in done.stderr, done.stderr


def test_an_image_without_a_command_is_named_before_anything_starts(tmp_path):
    manifest = tmp_path / "pod.yaml"
    manifest.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: c, image: shop/cart:1}]}\n")
    done = up("-f", manifest)
    assert done.returncode == 1
    assert "--image shop/cart:1=COMMAND" in done.stderr, done.stderr


def objects(**annotations):
    return [namespace("default", mtls="strict"), service_account("client"), pod("client", account="client"), service_account("app"),
            deployment("app", "http-echo", env={"TEXT": "app"}), service("app", ipFamilyPolicy="PreferDualStack", **annotations)]


def test_a_wrong_annotation_is_said_by_up_annotate_and_apply_and_breaks_nothing():
    wrong = "Service default/app: not in force: weft.mesh/timeout: column 3: expected a duration"
    with Mesh(objects(annotations={"weft.mesh/timeout": "10x", "weft.mesh/timout": "10s"})) as mesh:
        assert wrong in mesh.log()
        assert "weft.mesh/timout: unknown annotation, did you mean weft.mesh/timeout?" in mesh.log()
        done = mesh.weft("annotate", "service/app", "weft.mesh/timeout=5x", "weft.mesh/timout-")
        assert "Service default/app: not in force: weft.mesh/timeout: column 2: expected a duration" in done.stderr
        assert "timout" not in done.stderr
        assert mesh.weft("annotate", "service/app", "weft.mesh/timeout=5s").stderr == ""
        done = mesh.weft("apply", "-f", str(mesh.manifest))
        assert "service/app configured" in done.stdout and wrong in done.stderr
        assert mesh.curl("client", "http://app/") == "app"


def test_a_wrong_annotation_of_a_pod_keeps_it_from_starting_and_says_why():
    wrong = deployment("broken", "http-echo", account="app", annotations={"weft.mesh/access-log": "loud"})
    with Mesh(objects() + [wrong], ready=False) as mesh:
        def reason():
            return next((p.get("waiting_for", "") for p in mesh.pods("broken")), "")
        assert mesh.until(lambda: "weft.mesh/access-log: column 1: expected" in reason(), 40), reason()
        # The others come up all the same.
        assert mesh.until(lambda: mesh.code("client", "http://app/") == "200", 20)


def test_apply_of_a_broken_manifest_changes_nothing(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: app, annotations: {weft.mesh/deny: 'from=*'}}\n"
                      "spec: {selector: {app: app}, ports: [{port: 80, targetPort: 8080}]}\n---\nkind: [\n")
    with Mesh(objects()) as mesh:
        done = mesh.weft("apply", "-f", str(broken), check=False)
        assert done.returncode == 1
        assert "broken.yaml:7:" in done.stderr, done.stderr
        assert mesh.curl("client", "http://app/") == "app"


# ---- without IPv6 ----

# A network namespace where it is switched off, as on a machine with net.ipv6.conf.all.disable_ipv6=1.
SWITCHED_OFF = ["unshare", "--net", "sh", "-c", 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$@"', "sh"]
# ip6tables that fail, as on a kernel without their modules: found before the real ones.
BROKEN_IP6TABLES = ["unshare", "--mount", "sh", "-c", """mount -t tmpfs none /usr/local/sbin
for program in save restore; do
  printf '#!/bin/sh\\necho "Table does not exist" >&2\\nexit 3\\n' >/usr/local/sbin/ip6tables-$program
  chmod 755 /usr/local/sbin/ip6tables-$program
done
exec "$@\"""", "sh"]


@pytest.mark.parametrize("machine", [SWITCHED_OFF, BROKEN_IP6TABLES], ids=["sysctl", "ip6tables"])
def test_a_machine_without_ipv6_runs_a_mesh_without_it(machine):
    with Mesh(objects(), before=machine) as mesh:
        assert mesh.until(lambda: mesh.curl("client", "http://app/") == "app")
        app = mesh.pods("app")[0]
        assert app["addresses"] == [app["address"]] and ":" not in app["address"]
        # Nothing that could pass the sidecar by: no address but IPv4's, and nobody is told of another one.
        assert ":" not in mesh.exec("client", "ip", "-brief", "address").stdout
        assert mesh.exec("client", "getent", "ahostsv6", "app", check=False).stdout.count("2001:2:") == 0
        said = "IPv6 is left out of this mesh: ip6tables does not work here" in mesh.log()
        assert said == (machine is BROKEN_IP6TABLES), mesh.log()


def test_a_service_of_ipv6_alone_is_refused_where_there_is_none(tmp_path):
    only = service("only", ipFamilies=["IPv6"], ipFamilyPolicy="SingleStack")
    with Mesh(objects(), before=SWITCHED_OFF) as mesh:
        manifest = tmp_path / "only.json"
        manifest.write_text(json.dumps(only))
        done = mesh.weft("apply", "-f", str(manifest), check=False)
        assert done.returncode == 1
        assert "of IPv6 alone, which is switched off on this machine" in done.stderr, done.stderr
