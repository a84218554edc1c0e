"""A mesh on this machine for end-to-end tests: real binaries, real iptables, real TLS, in network namespaces.

`Mesh` runs `weft local up` with manifests made here and tears it down, also after a failure. WEFT_BUILD names another
build folder than build/.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", ROOT / "build"))
WEFT = BUILD / "cli" / "weft"
HTTP_ECHO = BUILD / "examples" / "helloworld" / "http-echo"
IMAGES = {
    "http-echo": str(HTTP_ECHO),
    "shell": "/usr/bin/sleep infinity",
    "python": f"/usr/bin/python3 {ROOT}/tests/e2e/apps.py",
}


def namespace(name, inject=True, **annotations):
    meta = {"name": name}
    if inject:
        meta["labels"] = {"weft.mesh/inject": "enabled"}
    if annotations:
        meta["annotations"] = {f"weft.mesh/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def service_account(name, ns="default"):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": ns}}


def service(name, port=80, target=8080, ns="default", port_name="http", selector=None, annotations=None, **spec):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": ns, "annotations": annotations or {}},
            "spec": {"selector": selector or {"app": name},
                     "ports": [{"name": port_name, "port": port, "targetPort": target}], **spec}}


def template(app, image, env=None, ports=(8080,), annotations=None, labels=None, account=None, probe=True, command=None, **spec):
    container = {"name": "app", "image": image, "env": [{"name": k, "value": str(v)} for k, v in (env or {}).items()],
                 "ports": [{"containerPort": port} for port in ports]}
    if command:
        container["args"] = command
    if probe and ports:
        container["readinessProbe"] = {"tcpSocket": {"port": ports[0]}, "periodSeconds": 1}
    return {"metadata": {"labels": {"app": app, **(labels or {})}, "annotations": annotations or {}},
            "spec": {"serviceAccountName": account or app, "containers": [container], **spec}}


def deployment(app, image, replicas=1, name=None, ns="default", labels=None, **options):
    made = template(app, image, labels=labels, **options)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name or app, "namespace": ns},
            "spec": {"replicas": replicas, "selector": {"matchLabels": made["metadata"]["labels"]}, "template": made}}


def pod(name, image="shell", ns="default", account="default", ports=(), **options):
    made = template(name, image, account=account, ports=ports, **options)
    made["metadata"].update(name=name, namespace=ns)
    return {"apiVersion": "v1", "kind": "Pod", **made}


class Mesh:
    """`with Mesh(objects) as mesh:`; ready when every pod is."""

    def __init__(self, objects, name=None, ready=True, images=None, before=()):
        """`before`: a command in front of `weft local up`, for a machine of another kind."""
        self.name = name or f"test-{os.getpid()}-{time.monotonic_ns() % 100000}"
        self.objects = objects
        self.wait = ready
        self.before = list(before)
        self.images = {**IMAGES, **(images or {})}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-e2e-"))
        self.process = None

    def __enter__(self):
        self.manifest = self.folder / "objects.json"
        self.manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": self.objects}))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        # A test run that is killed takes its meshes along.
        command = ["setpriv", "--pdeathsig", "TERM", *self.before, str(WEFT), "local", "up", "--name", self.name, "-f", str(self.manifest)]
        for image, run in self.images.items():
            command += ["--image", f"{image}={run}"]
        self.log_path = self.folder / "up.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        if self.wait:
            self.wait_ready()

    def __exit__(self, *_):
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def down(self):
        if self.process and self.process.poll() is None:
            self.weft("down", check=False, timeout=30)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def weft(self, verb, *arguments, check=True, timeout=60):
        done = subprocess.run([str(WEFT), "local", verb, "--name", self.name, *arguments], capture_output=True, text=True,
                              errors="replace", timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"weft local {verb} {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def status(self):
        done = self.weft("status", "-o", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else []

    def pods(self, deployment=None):
        return [p for p in self.status() if deployment is None or p.get("deployment") == deployment]

    def pod_of(self, deployment):
        return self.pods(deployment)[0]["name"]

    def wait_ready(self, limit=40):
        def all_ready():
            listed = self.status()
            return listed and all(p["ready"] for p in listed)
        if not self.until(all_ready, limit):
            raise AssertionError("not ready:\n" + self.weft("status", check=False).stdout + self.log())

    @staticmethod
    def until(condition, limit=10, step=0.05):
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(step)
        return bool(condition())

    def exec(self, pod_name, *command, ns="default", container=None, check=True, timeout=120, node=False):
        where = ["--node"] if node else ["-n", ns, pod_name] + (["-c", container] if container else [])
        return self.weft("exec", *where, "--", *map(str, command), check=check, timeout=timeout)

    def node(self, *command, **options):
        return self.exec(None, *command, node=True, **options)

    def curl(self, pod_name, *arguments, ns="default", check=True, timeout=120):
        return self.exec(pod_name, "curl", "-s", "-m", "60", *arguments, ns=ns, check=check, timeout=timeout).stdout

    def code(self, pod_name, *arguments, ns="default"):
        """The status code, or what curl had to say instead."""
        done = self.exec(pod_name, "curl", "-sS", "-m", "60", "-o", "/dev/null", "-w", "%{http_code}", *arguments, ns=ns, check=False)
        return done.stdout if done.returncode == 0 else f"{done.stdout} {done.stderr}".strip()

    def headers(self, pod_name, *arguments, ns="default"):
        """Status line and headers, lower-case names."""
        text = self.curl(pod_name, "-D", "-", "-o", "/dev/null", *arguments, ns=ns, check=False)
        lines = text.replace("\r", "").splitlines()
        return (lines[0] if lines else ""), {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:]) if k}

    def sidecar_log(self, pod_name, ns="default"):
        return self.weft("logs", "-n", ns, pod_name, "-c", "weft-sidecar").stdout

    def access_log(self, pod_name, ns="default"):
        lines = [line for line in self.sidecar_log(pod_name, ns).splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines]

    def logged(self, pod_name, condition, count=1, ns="default"):
        """The access log's lines that `condition` holds for, once there are `count`: they come a moment after the answer."""
        found = []

        def written():
            found[:] = [line for line in self.access_log(pod_name, ns) if condition(line)]
            return len(found) >= count
        assert self.until(written), found
        return found

    def admin(self, pod_name, path, ns="default"):
        return self.curl(pod_name, f"http://127.0.0.1:15000{path}", ns=ns)

    def annotate(self, target, *pairs, ns="default"):
        self.weft("annotate", "-n", ns, target, *pairs)
