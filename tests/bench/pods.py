"""Two pods and a control namespace, wired for the bench; everything vanishes with the process that made it.

    client pod 198.18.0.2 ──── veth ──── 198.18.0.3 server pod
            └──── control plane 198.18.1.1 ────┘

The caller already lives in network, mount and process namespaces of its own (isolate.py); that network
namespace is the control plane's. No packet can leave: none of the three has a way out.
"""

import os
import pathlib
import subprocess

CLIENT_ADDRESS = "198.18.0.2"
SERVER_ADDRESS = "198.18.0.3"
CONTROL_ADDRESS = "198.18.1.1"
SERVICE_RANGE = "198.18.128.0/17"  # ClusterIPs, which nobody has
PROXY_USER = 1337  # whose traffic no rule redirects, as in weft's own rules

_FILTER = """*filter
:WEFT_INVALID - [0:0]
-A OUTPUT -p tcp -m conntrack --ctstate INVALID -j WEFT_INVALID
COMMIT
"""

_SYSCTL = {
    # The connection workloads open tens of thousands of connections to one address.
    "net/ipv4/ip_local_port_range": "20000 65000",
    "net/ipv4/tcp_tw_reuse": "1",
    "net/netfilter/nf_conntrack_tcp_timeout_time_wait": "5",
    # Else the kernel takes large bursts for packets of nobody, and ends redirected connections of every proxy.
    "net/netfilter/nf_conntrack_tcp_be_liberal": "1",
    # Source and destination are on different links where a pod speaks with the control plane.
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
}


def run(*command, given=None):
    """A set-up command; what it had to say is in the error."""
    done = subprocess.run([str(word) for word in command], input=given, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Pod:
    """A network namespace."""

    def __init__(self, name, address):
        self.name = name
        self.address = address
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")

    def command(self, *words, user=None):
        """The words as a command that runs in this pod and dies with the bench."""
        switch = ["--reuid", str(user), "--regid", str(user), "--clear-groups"] if user else []
        return [
            "nsenter",
            f"--net=/run/netns/{self.name}",
            "--",
            "setpriv",
            *switch,
            "--pdeathsig",
            "KILL",
            "--",
            *map(str, words),
        ]

    def run(self, *words, given=None, user=None):
        return run(*self.command(*words, user=user), given=given)

    def set(self, values):
        for key, value in values.items():
            self.run("sh", "-c", f"[ ! -e /proc/sys/{key} ] || echo '{value}' > /proc/sys/{key}")

    def add_address(self, address):
        run("ip", "-n", self.name, "address", "add", f"{address}/24", "dev", "eth0")

    def redirect(self, rules):
        """Exactly these rules in the nat table (iptables-restore's text), none if empty."""
        self.run("iptables-restore", "--wait", given=rules or "*nat\nCOMMIT\n")

    def rules(self):
        return self.run("iptables-save", "-t", "nat")


class Network:
    """The two pods, each linked with the other and with the control plane."""

    def __init__(self):
        pathlib.Path("/run/netns").mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
        run("ip", "link", "set", "lo", "up")
        self.client = Pod("client", CLIENT_ADDRESS)
        self.server = Pod("server", SERVER_ADDRESS)
        run(
            "ip",
            "-n",
            "client",
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            "server",
        )
        for pod in (self.client, self.server):
            pod.add_address(pod.address)
            run("ip", "-n", pod.name, "link", "set", "eth0", "up")
            # A way to Services' addresses, or the kernel refuses before the redirection has seen the packet.
            run("ip", "-n", pod.name, "route", "add", SERVICE_RANGE, "dev", "eth0")
            self._link_control(pod)
            # What weft-sidecar init adds to the filter table costs every packet a look: everybody's, in all runs.
            pod.run("iptables-restore", "--wait", given=_FILTER)
            # Loads the connection tracking whose settings follow.
            pod.redirect("*nat\n-A OUTPUT -p tcp -m owner --uid-owner 1337 -j RETURN\nCOMMIT\n")
            pod.set(_SYSCTL)

    @staticmethod
    def _link_control(pod):
        """The pod's own address serves here as well, for discovery checks that a sidecar calls from its pod's
        address.
        """
        link = f"to-{pod.name}"
        run(
            "ip",
            "-n",
            pod.name,
            "link",
            "add",
            "control",
            "type",
            "veth",
            "peer",
            "name",
            link,
            "netns",
            str(os.getpid()),
        )
        run("ip", "link", "set", link, "up")
        run("ip", "-n", pod.name, "link", "set", "control", "up")
        if CONTROL_ADDRESS not in run("ip", "address", "show", "dev", "lo"):
            run("ip", "address", "add", f"{CONTROL_ADDRESS}/32", "dev", "lo")
        run("ip", "route", "add", f"{pod.address}/32", "dev", link, "src", CONTROL_ADDRESS)
        run(
            "ip",
            "-n",
            pod.name,
            "route",
            "add",
            f"{CONTROL_ADDRESS}/32",
            "dev",
            "control",
            "src",
            pod.address,
        )


def redirect_rules(outbound, inbound):
    """iptables-restore's text that sends destination ports to a proxy's ports; `{8080: 15101}` each way.

    The chains and the ways past them are those of weft-sidecar init, so that every proxy pays for the same
    rules.
    """
    lines = [
        "*nat",
        ":BENCH_INBOUND - [0:0]",
        ":BENCH_OUTPUT - [0:0]",
        "-A PREROUTING -p tcp -j BENCH_INBOUND",
        "-A OUTPUT -p tcp -j BENCH_OUTPUT",
        "-A BENCH_INBOUND -i lo -j RETURN",
        f"-A BENCH_OUTPUT -m owner --uid-owner {PROXY_USER} -j RETURN",
        "-A BENCH_OUTPUT -o lo -j RETURN",
        "-A BENCH_OUTPUT -d 127.0.0.0/8 -j RETURN",
    ]
    for chain, ports in (("BENCH_INBOUND", inbound), ("BENCH_OUTPUT", outbound)):
        lines += [
            f"-A {chain} -p tcp --dport {port} -j REDIRECT --to-ports {to}" for port, to in ports.items()
        ]
    return "\n".join(lines + ["COMMIT", ""])
