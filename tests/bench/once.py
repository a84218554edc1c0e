"""What is measured once and apart, for the measuring itself costs time: system calls and instructions a
request, binary size.
"""

import functools
import os
import re
import signal
import subprocess
import time

import generators

CONNECTIONS = 32
SECONDS = 2
ATTACH = 0.3  # seconds until an observer has attached
TOP = 12  # system calls that are named


def parse_strace(text):
    """{system call: count} of `strace -c`; the calls column stands before an optional errors column and the
    name.
    """
    counts = {}
    for line in text.splitlines():
        found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", line)
        if found and found.group(2) != "total":
            counts[found.group(2)] = counts.get(found.group(2), 0) + int(found.group(1))
    return counts


def parse_perf(text):
    """{event: count} of `perf stat -x,`; what the machine does not count is left out."""
    counts = {}
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[0].strip().isdigit():
            counts[fields[2].split(":")[0]] = counts.get(fields[2].split(":")[0], 0) + int(fields[0])
    return counts


def observed(world, target, command):
    """Watches a whole run of requests with `command`; what the observer wrote, and how many requests it saw.

    strace slows what it watches, so the requests are counted by the same run.
    """
    wrk = generators.wrk(target.address("http"), CONNECTIONS, SECONDS, world.scripts["get"])
    observer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(ATTACH)
        said = generators.parse_wrk(generators.Run(world.network.client.command(*wrk)).ended(SECONDS + 20))
        if said["requests"] == 0:
            raise RuntimeError(f"no request was served while {command[0]} watched")
        observer.send_signal(signal.SIGINT)
        return observer.communicate(timeout=10)[1], said["requests"]
    finally:
        observer.kill()


def system_calls(world, target, pids):
    text, requests = observed(
        world, target, ["strace", "-c", "-f", *(word for pid in pids for word in ("-p", str(pid)))]
    )
    counts = parse_strace(text)
    if not counts:
        raise RuntimeError(f"strace counted nothing: {text.strip()[-200:]}")
    each = {name: count / 2 / requests for name, count in counts.items()}
    top = sorted(each.items(), key=lambda item: -item[1])[:TOP]
    return {"system_calls": sum(each.values()), "by_name": {name: round(value, 3) for name, value in top}}


@functools.cache
def counts_instructions():
    try:
        done = subprocess.run(
            ["perf", "stat", "-x,", "-e", "instructions:u", "--", "true"], capture_output=True, text=True
        )
    except OSError:
        return False
    return bool(parse_perf(done.stderr))


def instructions(world, target, pids):
    if not counts_instructions():
        raise RuntimeError(
            "this machine does not count instructions (no performance counters, as in most virtual machines)"
        )
    text, requests = observed(
        world,
        target,
        ["perf", "stat", "-x,", "-e", "instructions:u,instructions:k", "-p", ",".join(map(str, pids))],
    )
    return {"instructions": sum(parse_perf(text).values()) / 2 / requests}


def figures(world, target):
    """{figure: value} and, for what could not be had, {reasons: {figure: why}}."""
    out, reasons = {}, {}
    pids = [pid for side in ("client", "server") for pid in target.pids(side, "http")]
    target.enter()
    out["binary_mib"] = os.stat(target.binary()).st_size / 2**20
    for name, take in (("system_calls", system_calls), ("instructions", instructions)):
        try:
            out |= take(world, target, pids)
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            reasons[name] = str(error)
    return {**out, "reasons": reasons}
