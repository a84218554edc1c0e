"""What is asked of every target, and which figures come of it. Each workload says why it is there."""

import dataclasses
import time
from collections.abc import Callable

import generators
import measure
from process import wait_until
from world import OPEN_CONNECTIONS

TAIL = 0.1  # and after it, so that the end of a run is outside as well
IDLE_STEPS = 5  # by which idle connections grow, each with a figure of its own
PATIENCE = 20.0  # seconds that a generator may take longer than it was told


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    service: str  # the application's port (peers.PORTS)
    reason: str
    seconds: float  # of one run, in a full report
    quick_seconds: float  # in a quick one; 0 leaves it out
    measure: Callable  # (world, target, workload, seconds) -> {figure: value}
    argument: int = 0
    lead: float = 0.3  # seconds of a run before its window: connections are made and pools filled
    once: bool = False  # in the first round alone; `measure` returns a list, whose entries count as rounds
    fresh: bool = False  # on proxies just started, for what memory was taken before would hide what it takes


def sample(world, target, service):
    return measure.Sample(
        target.pids("client", service),
        target.pids("server", service),
        (world.origin_pid, target.application_link),
    )


def load(world, target, workload, command, parse, seconds):
    """Runs a generator in the client's pod; what it said, and the window in its middle."""
    service = workload.service
    before = sample(world, target, service)
    run = generators.Run(world.network.client.command(*command))
    try:
        time.sleep(workload.lead)
        first = sample(world, target, service)
        time.sleep(max(seconds - workload.lead - TAIL, 0.1))
        last = sample(world, target, service)
        said = parse(run.ended(seconds + PATIENCE))
    finally:
        run.kill()
    return said, measure.Window(before, first, last, sample(world, target, service))


def without_cpu_of_nobody(target, figures):
    """Where there is no proxy its CPU time is not zero: there is none."""
    return (
        figures
        if target.name != "none"
        else {name: value for name, value in figures.items() if "cpu" not in name}
    )


def request_figures(target, said, window):
    if said["failed"]:
        raise RuntimeError(f"{said['failed']} of {said['requests']} requests failed: {said['why']}")
    latency = {
        name: said[name] for name in ("p50_us", "p90_us", "p99_us", "p999_us") if said.get(name) is not None
    }
    return without_cpu_of_nobody(target, {**window.figures(said["requests"]), **latency})


def requests(world, target, workload, seconds, connections, script):
    command = generators.wrk(target.address("http"), connections, round(seconds), script)
    said, window = load(world, target, workload, command, generators.parse_wrk, round(seconds))
    return request_figures(target, said, window)


def small(world, target, workload, seconds):
    figures = requests(world, target, workload, seconds, workload.argument, world.scripts["get"])
    if workload.fresh and target.name != "none":
        figures["loaded_mib"] = world.resident(target, "http") / 2**20
    return figures


def post(world, target, workload, seconds):
    return requests(world, target, workload, seconds, 8, world.scripts[f"post-{workload.argument}"])


def grpc_unary(world, target, workload, seconds):
    command = generators.fortio_grpc(world.need("fortio"), target.address("grpc"), workload.argument, seconds)
    said, window = load(world, target, workload, command, generators.parse_fortio, seconds)
    return request_figures(target, said, window)


def grpc_stream(world, target, workload, seconds):
    command = [*world.need("grpc_stream"), target.address("stream"), seconds]
    said, window = load(world, target, workload, command, generators.parse_last_json, seconds)
    return request_figures(target, said, window)


def bulk(world, target, workload, seconds):
    command = [
        world.programs["load"],
        "bulk",
        "--to",
        target.address("tcp"),
        "--streams",
        workload.argument,
        "--seconds",
        seconds,
    ]
    said, window = load(world, target, workload, command, generators.parse_last_json, seconds)
    per = window.figures(said["bytes"] / 1e9)
    return without_cpu_of_nobody(
        target,
        {
            "gb_per_s": per["rps"],
            "cpu_s_per_gb": per["cpu_us"] / 1e6,
            "cpu_s_per_gb_client": per["cpu_us_client"] / 1e6,
            "cpu_s_per_gb_server": per["cpu_us_server"] / 1e6,
        },
    )


def connect(world, target, workload, seconds):
    command = [
        world.programs["load"],
        "connect",
        "--to",
        target.address(workload.service),
        "--concurrency",
        workload.argument,
        "--seconds",
        seconds,
    ]
    said, window = load(world, target, workload, command, generators.parse_last_json, seconds)
    if said["errors"]:
        raise RuntimeError(f"{said['errors']} of {said['connections']} connections failed")
    per = window.figures(said["connections"])
    figures = {"connections_per_s": per["rps"], "p50_us": said["p50_us"], "p99_us": said["p99_us"]}
    if target.name != "none":
        figures |= {
            "per_cpu_s": 1e6 / per["cpu_us"],
            "per_cpu_s_client": 1e6 / per["cpu_us_client"],
            "per_cpu_s_server": 1e6 / per["cpu_us_server"],
        }
    return figures


def idle(world, target, workload, seconds):
    """One cell, but a value for each step by which the connections grow, of all that are open by then: to open
    them all takes long, and what each holds hardly differs.
    """
    if target.name == "none":
        return []
    before, descriptors = world.resident(target, "tcp"), world.descriptors_of(target)
    step = world.idle_connections // IDLE_STEPS
    steps, runs = [], []
    try:
        for _ in range(IDLE_STEPS):
            run = generators.Run(
                world.network.client.command(
                    world.programs["load"], "idle", "--to", target.address("tcp"), "--connections", step
                )
            )
            runs.append(run)
            opened = generators.parse_last_json(run.process.stdout.readline())["open"]
            time.sleep(seconds)
            during = world.resident(target, "tcp")
            if opened < step:
                raise RuntimeError(f"{step} more connections wanted, {opened} opened")
            now_open = step * len(runs)
            steps.append({"connections": now_open, "bytes_per_connection": (during - before) / now_open})
        alive = sum(generators.parse_last_json(run.ended(PATIENCE))["alive"] for run in runs)
    finally:
        for run in runs:
            run.kill()
    if alive < step * IDLE_STEPS:
        raise RuntimeError(f"{alive} of {step * IDLE_STEPS} connections were alive at the end")
    # Closing thousands takes a while, which is nobody else's.
    wait_until(
        lambda: world.descriptors_of(target) < descriptors + step * IDLE_STEPS // 100,
        "the idle connections are closed",
        step=0.05,
    )
    return steps


def open_loop(world, target, workload, seconds):
    """At a share of what the slowest proxy can do, so that everybody is asked for the same and can do it."""
    return at_rate(world, target, workload, seconds, world.slowest_rps() * workload.argument / 100)


def thousand(world, target, workload, seconds):
    return at_rate(world, target, workload, seconds, workload.argument)


def at_rate(world, target, workload, seconds, rate):
    command = generators.fortio_http(
        world.need("fortio"), target.address("http"), OPEN_CONNECTIONS, seconds, rate
    )
    said, window = load(world, target, workload, command, generators.parse_fortio, seconds)
    if said["rate"] < 0.9 * rate:
        raise RuntimeError(
            f"only {said['rate']:.0f} of {rate:.0f} requests/s were made: too much for this machine"
        )
    figures = request_figures(target, said, window)
    figures["rate"] = rate
    if target.name != "none":
        figures["cores"] = window.cpu / 2 / window.seconds
    return figures


WORKLOADS = (
    Workload(
        "http1_256",
        "http",
        "many callers: batching, and memory under load",
        2,
        0,
        small,
        256,
        lead=1.0,
        fresh=True,
    ),
    Workload("http1_32", "http", "the usual load of one application: what a request costs", 2, 1, small, 32),
    Workload(
        "http1_1", "http", "one request at a time: wake-ups and latency with nothing to batch", 1, 0, small, 1
    ),
    Workload(
        "post_64k", "http", "bodies larger than a TLS record and a socket buffer", 1, 0, post, 64 * 1024
    ),
    Workload("post_1m", "http", "bodies that must stream: copies and back-pressure", 1, 0, post, 1024 * 1024),
    Workload("grpc_1", "grpc", "one call at a time over HTTP/2", 1, 0, grpc_unary, 1),
    Workload(
        "grpc_100",
        "grpc",
        "a hundred calls at a time on one connection: multiplexing",
        1.5,
        1,
        grpc_unary,
        100,
    ),
    Workload(
        "grpc_stream",
        "grpc",
        "messages on open streams: no heads, only frames",
        1.5,
        0,
        grpc_stream,
        lead=0.6,
    ),
    Workload("bulk_1", "tcp", "one stream of bytes: records, copies, system calls", 1.2, 0.8, bulk, 1),
    Workload("bulk_8", "tcp", "eight streams of bytes: fairness between them", 1, 0, bulk, 8),
    Workload("connect_full", "tcp", "new connections with a full handshake each", 1.2, 0.8, connect, 32),
    Workload(
        "connect_resumed", "resume", "new connections whose handshakes are resumed", 1, 0, connect, 32
    ),
    Workload("open_20", "http", "latency when there is room", 1.1, 0, open_loop, 20),
    Workload("open_50", "http", "latency at half of what the slowest can do", 1.8, 1, open_loop, 50),
    Workload("open_80", "http", "latency near the end of the slowest", 1.1, 0, open_loop, 80),
    Workload(
        "krps",
        "http",
        "1,000 requests a second: what a sidecar costs that is used a little",
        1.3,
        1,
        thousand,
        1000,
    ),
    Workload(
        "idle",
        "tcp",
        "connections that say nothing: what each holds; opened once, in five steps that stand for rounds",
        0.3,
        0.2,
        idle,
        once=True,
        fresh=True,
    ),
)
