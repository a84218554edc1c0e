"""What the kernel says about running processes: CPU time, memory, bytes on a link. Reading only; parsing is
apart and pure.
"""

import pathlib
import re
import time

MICROSECONDS = 1e6


def parse_link(text, link):
    """Received bytes of a link, from /proc/PID/net/dev."""
    for line in text.splitlines():
        name, found, counts = line.partition(":")
        if found and name.strip() == link:
            return int(counts.split()[0])
    raise ValueError(f"no link {link}")


def parse_memory(text):
    """Bytes resident, and bytes of them that no other process shares, from /proc/PID/smaps_rollup."""
    values = {key: int(value) * 1024 for key, value in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
    return values["Rss"], values["Private_Clean"] + values["Private_Dirty"]


def cpu_seconds(pids):
    """User and system time together, exact to the nanosecond.

    schedstat and not stat: stat counts in ticks of 10 ms, 1 % of a second's work. Time of network interrupts
    that the kernel handles on top of a process counts for that process, in both.
    """
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_bytes(pids):
    """A proxy's memory. Of its further processes (nginx' master) only what they share with nobody, for a fork
    shares pages.
    """
    first, *others = [parse_memory(pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in pids]
    return first[0] + sum(private for _, private in others)


class Sample:
    """One moment of a pair of proxies and of the link by which the application gets its requests."""

    def __init__(self, client_pids, server_pids, application_link):
        pid, link = application_link
        self.at = time.monotonic()
        self.client_cpu = cpu_seconds(client_pids)
        self.server_cpu = cpu_seconds(server_pids)
        self.link_bytes = parse_link(pathlib.Path(f"/proc/{pid}/net/dev").read_text(), link)


class Window:
    """What happened between two samples, given a third one from before the load began and a fourth from after
    its end.

    Load generators count over their whole run, with its connecting and its end. The bytes that reached the
    application tell which part of the requests fell into the window, for all requests of a workload are
    alike.
    """

    def __init__(self, before, first, last, after):
        whole = after.link_bytes - before.link_bytes
        self.share = (last.link_bytes - first.link_bytes) / whole if whole else 0.0
        self.seconds = last.at - first.at
        self.client_cpu = last.client_cpu - first.client_cpu
        self.server_cpu = last.server_cpu - first.server_cpu
        self.cpu = self.client_cpu + self.server_cpu

    def figures(self, requests):
        """CPU microseconds a request (or whatever else the generator counted), as the mean of both proxies
        and of each; requests a second.
        """
        inside = requests * self.share
        if inside <= 0:
            raise RuntimeError("nothing reached the application within the window")
        return {
            "cpu_us": self.cpu / 2 / inside * MICROSECONDS,
            "cpu_us_client": self.client_cpu / inside * MICROSECONDS,
            "cpu_us_server": self.server_cpu / inside * MICROSECONDS,
            "rps": inside / self.seconds,
        }
