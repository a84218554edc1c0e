"""weft as a target: the real CA, discovery and two sidecars, wired as `weft local` wires them.

Discovery reads the objects of the two pods from a folder; the sidecars get tokens, trust bundle and
environment as the injector would give them, with one worker each and the access log off. Metrics are always
on.
"""

import json
import shutil

import process
from peers import PORTS, SIDES, Target
from pki import TokenIssuer
from pods import CONTROL_ADDRESS, PROXY_USER, SERVER_ADDRESS, SERVICE_RANGE, run

CLUSTER_ADDRESS = "198.18.128.20"  # the Service's; nobody has it, only weft knows where it leads
SYSTEM = "weft-system"
HEALTH_PORT = 15021
METRICS_PORT = 15090
RESUMPTION = False  # whether sidecars resume handshakes with one another
MESH_RANGES = f"198.18.0.0/17,{SERVICE_RANGE}"
NO_RESUMPTION = "weft does not resume handshakes yet"


def pod_object(name, address):
    """As discovery finds it in a cluster, after injection."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": {"app": name},
            "annotations": {
                "weft.mesh/status": "{}",
                "weft.mesh/access-log": "off",
                "weft.mesh/concurrency": "1",
            },
        },
        "spec": {"serviceAccountName": name, "containers": [{"name": "app", "image": "app"}]},
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def objects(client_address):
    ports = [
        {"name": name, "port": PORTS[service], "targetPort": PORTS[service]}
        for name, service in (
            ("http-web", "http"),
            ("grpc-ping", "grpc"),
            ("grpc-stream", "stream"),
            ("tcp-raw", "tcp"),
            ("tcp-resume", "resume"),
        )
    ]
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "default", "annotations": {"weft.mesh/mtls": "strict"}},
        },
        *(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}}
            for name in SIDES
        ),
        pod_object("client", client_address),
        pod_object("server", SERVER_ADDRESS),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "server",
                "namespace": "default",
                # As the peers are told: what is measured is what they carry, and not where they stop.
                "annotations": {"weft.mesh/limits": "connections=100000 pending=100000 requests=100000"},
            },
            "spec": {
                "clusterIP": CLUSTER_ADDRESS,
                "clusterIPs": [CLUSTER_ADDRESS],
                "selector": {"app": "server"},
                "ports": ports,
            },
        },
    ]


def mutual_tls_requests(metrics):
    """How many HTTP requests came in by mTLS, from a server's sidecar's metrics."""
    lines = [
        line
        for line in metrics.splitlines()
        if line.startswith("istio_requests_total{")
        and 'reporter="destination"' in line
        and 'connection_security_policy="mutual_tls"' in line
    ]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


class ControlPlane:
    """weft-ca and weft-discovery, in the control namespace."""

    def __init__(self, world):
        self.world = world
        self.folder = world.folder / "control"
        (self.folder / "cluster").mkdir(parents=True)
        self.issuer = TokenIssuer(self.folder)
        (self.folder / "jwks.json").write_text(self.issuer.jwks())
        manifest = {"apiVersion": "v1", "kind": "List", "items": objects(world.network.client.address)}
        (self.folder / "cluster" / "objects.json").write_text(json.dumps(manifest))
        self.bundle = self.folder / "root-cert.pem"
        hosts = self.folder / "hosts"
        hosts.write_text(
            f"127.0.0.1 localhost\n{CONTROL_ADDRESS} weft-ca.{SYSTEM}.svc weft-discovery.{SYSTEM}.svc\n"
        )
        run("mount", "--bind", hosts, "/etc/hosts")
        self.processes = []

    def start(self):
        ca = process.Started(
            "weft-ca",
            [
                self.world.programs["weft-ca"],
                f"--listen={CONTROL_ADDRESS}:15012",
                f"--metrics={CONTROL_ADDRESS}:15013",
                f"--key-file={self.folder}/ca.pem",
                f"--bundle-out={self.bundle}",
                f"--jwks={self.folder}/jwks.json",
                f"--dns-name=weft-ca.{SYSTEM}.svc",
                f"--control-plane={SYSTEM}/weft-discovery=weft-discovery.{SYSTEM}.svc",
                "--log-level=warning",
            ],
            self.world.logs,
        )
        self.processes.append(ca)
        self._wait(ca, 15013)
        token = self.folder / "discovery-token"
        token.write_text(self.issuer.token(SYSTEM, "weft-discovery", "weft-discovery", "uid-discovery"))
        discovery = process.Started(
            "weft-discovery",
            [
                self.world.programs["weft-discovery"],
                f"--folder={self.folder}/cluster",
                f"--listen={CONTROL_ADDRESS}:15011",
                f"--metrics={CONTROL_ADDRESS}:15014",
                f"--token-file={token}",
                f"--bundle-file={self.bundle}",
                f"--mesh-cidr={MESH_RANGES}",
                "--log-level=warning",
            ],
            self.world.logs,
        )
        self.processes.append(discovery)
        self._wait(discovery, 15014)

    @staticmethod
    def _wait(started, port):
        process.wait_until(
            lambda: process.http_get(CONTROL_ADDRESS, port, "/ready")[0] == 200,
            started.name,
            started,
            step=0.02,
        )

    def stop(self):
        for started in self.processes:
            started.stop()


class Weft(Target):
    name = "weft"
    program = "weft-sidecar"
    can = frozenset({"http", "grpc", "tcp"} | ({"resume"} if RESUMPTION else set()))
    why_not = {"resume": NO_RESUMPTION}

    def __init__(self, world, index):
        super().__init__(world, index)
        self.control = ControlPlane(world)
        self.control.start()
        self.tables = None

    def command(self, side):
        return [self.binary(), "run"]

    def environment(self, side):
        folder = self.folder(side)
        state = folder / "state"
        shutil.rmtree(state, ignore_errors=True)  # as a pod that starts for the first time
        state.mkdir()
        (folder / "token").write_text(self.control.issuer.token("default", side, side, f"uid-{side}"))
        for path in (state, folder / "token"):
            shutil.chown(path, PROXY_USER, PROXY_USER)
        return {
            "POD_NAME": side,
            "POD_NAMESPACE": "default",
            "POD_UID": f"uid-{side}",
            "SERVICE_ACCOUNT": side,
            "POD_IPS": self.pod(side).address,
            "WEFT_MESH_CIDRS": MESH_RANGES,
            "WEFT_CONCURRENCY": "1",
            "WEFT_LOG_LEVEL": "warning",
            "WEFT_TOKEN_FILE": str(folder / "token"),
            "WEFT_BUNDLE_FILE": str(self.control.bundle),
            "WEFT_STATE_FOLDER": str(state),
        }

    def ready(self, side, started):
        """By its own word: certificate, configuration and listeners are there."""
        return process.http_get(self.pod(side).address, HEALTH_PORT, "/ready")[0] == 200

    def close(self):
        super().close()
        self.control.stop()

    def address(self, service):
        return f"{CLUSTER_ADDRESS}:{PORTS[service]}"

    def rules(self):
        """What `weft-sidecar init` programs."""
        if self.tables is None:
            self.tables = []
            for side in SIDES:
                pod = self.pod(side)
                pod.redirect("")
                pod.run(self.binary(), "init")
                self.tables.append(pod.rules())
        return self.tables

    def metrics(self, side):
        return process.http_get(self.pod(side).address, METRICS_PORT, "/metrics")[1].decode()

    def start(self):
        super().start()
        self.check_path()

    def check_path(self):
        """A request of the client to each HTTP port, over HTTP/2 where gRPC is called; each must come in as HTTP
        and by mTLS: else the figures would be of something else.
        """
        self.enter()
        for service, *options in (("http", "-f"), ("grpc", "--http2-prior-knowledge")):
            before = mutual_tls_requests(self.metrics("server"))
            self.pod("client").run(
                "curl", "-sS", "-m", "5", "-o", "/dev/null", *options, f"http://{self.address(service)}/"
            )
            process.wait_until(
                lambda: mutual_tls_requests(self.metrics("server")) == before + 1,
                f"a request to weft's {service} port was to come in as HTTP by mTLS",
                step=0.05,
                limit=3,
            )
