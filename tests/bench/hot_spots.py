"""Where a proxy's CPU time goes: functions and libraries, from samples of `perf record` while a load runs.

Sampled by the clock and not by cycles, which most virtual machines do not count; user and kernel together. Times differ
from run to run, so a profile says where to look and is no figure to compare.
"""

import re
import subprocess
import time

import generators

SECONDS = 2
RUN = SECONDS + 1  # of the load, which lasts longer than the watching
LEAD = 0.4  # seconds until connections are made and pools filled
FREQUENCY = 2000  # samples a second of each thread
TOP = 10  # functions that are named
LOADS = {  # name of a workload: the application's port, and what a client does
    "http1_32": ("http", lambda world, to: generators.wrk(to, 32, RUN, world.scripts["get"])),
    "grpc_100": ("grpc", lambda world, to: generators.fortio_grpc(world.need("fortio"), to, 100, RUN)),
    "bulk_1": (
        "tcp",
        lambda world, to: [world.programs["load"], "bulk", "--to", to, "--streams", 1, "--seconds", RUN],
    ),
}
# Behind the function some versions of perf print two empty columns.
LINE = re.compile(r"\s*([\d.]+)%\s+(\S+)\s+\[([.k])\]\s+(.+?)(?:\s+-\s+-)?\s*$")


def short(symbol):
    """A C++ name without arguments and qualifiers: what a reader looks for in the source."""
    bare = re.sub(r"\((?:[^()]|\([^()]*\))*\)(?: const)?", "", symbol.replace("(anonymous namespace)::", ""))
    while (shorter := re.sub(r"<[^<>]*>", "", bare)) != bare:
        bare = shorter
    return bare.replace("weft::", "").strip() or symbol


def parse_perf_report(text):
    """{"parts": {program or library: share}, "functions": [[share, part, function], …]}, shares of one, the greatest
    first; the kernel is one part.
    """
    parts, functions = {}, []
    for line in text.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        share, place, where, symbol = float(found.group(1)) / 100, *found.groups()[1:]
        part = "kernel" if where == "k" else place
        parts[part] = parts.get(part, 0.0) + share
        functions.append([share, part, short(symbol)])
    if not functions:
        raise RuntimeError(f"perf report named no function: {text.strip()[-200:]}")
    functions.sort(key=lambda entry: -entry[0])
    ordered = dict(sorted(parts.items(), key=lambda item: -item[1]))
    return {
        "parts": {part: round(share, 4) for part, share in ordered.items() if share >= 0.005},
        "functions": [[round(share, 4), *rest] for share, *rest in functions[:TOP]],
    }


def observed(world, target, service, command):
    file = world.folder / "perf.data"
    pids = ",".join(str(pid) for side in ("client", "server") for pid in target.pids(side, service))
    run = generators.Run(world.network.client.command(*command))
    try:
        time.sleep(LEAD)
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", FREQUENCY, "-o", file, "-p", pids, "--", "sleep", SECONDS]
        generators.Run(record).ended(SECONDS + 20)
        run.ended(SECONDS + 20)
    finally:
        run.kill()
    report = ["perf", "report", "-q", "--stdio", "-i", file, "--sort", "dso,symbol", "-g", "none", "--percent-limit", "0"]
    return generators.Run(report).ended(60)


def profiles(world, target):
    """{workload: profile, or {"reason": why there is none}}"""
    out = {}
    target.enter()
    for name, (service, command) in LOADS.items():
        try:
            text = observed(world, target, service, command(world, target.address(service)))
            out[name] = parse_perf_report(text)
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            out[name] = {"reason": str(error)}
    return out
