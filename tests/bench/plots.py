"""Plots of a report, as SVG and PNG: `plots.py OUT`. Needs matplotlib, so it runs with the bench's own
Python.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
# Text as text and no random names: small files that change only where a figure did.
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "weft"})
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of what draws)
from matplotlib.patches import Patch  # noqa: E402

COLOURS = {
    "weft": "#0072b2",
    "envoy": "#d55e00",
    "envoy-h2": "#e69f00",
    "haproxy": "#009e73",
    "haproxy-h2": "#7fceb9",
    "nginx": "#cc79a7",
    "floor": "#999999",
}
PLOTS = (  # file, title, unit, [(label, workload, figure)], better
    (
        "cpu",
        "CPU of a request",
        "µs / request / proxy",
        [
            ("1 connection", "http1_1", "cpu_us"),
            ("32", "http1_32", "cpu_us"),
            ("256", "http1_256", "cpu_us"),
            ("1,000 req/s", "krps", "cpu_us"),
        ],
    ),
    (
        "bodies",
        "CPU of a request with a body",
        "µs / request / proxy",
        [("POST 64 KB", "post_64k", "cpu_us"), ("POST 1 MB", "post_1m", "cpu_us")],
    ),
    (
        "grpc",
        "CPU of a gRPC call or message",
        "µs / proxy",
        [
            ("unary, 1 stream", "grpc_1", "cpu_us"),
            ("100 streams", "grpc_100", "cpu_us"),
            ("streaming", "grpc_stream", "cpu_us"),
        ],
    ),
    (
        "latency",
        "p99 added over no proxy, open loop",
        "µs",
        [
            ("20 % of the slowest's maximum", "open_20", "added_p99_us"),
            ("50 %", "open_50", "added_p99_us"),
            ("80 %", "open_80", "added_p99_us"),
        ],
    ),
    (
        "bulk",
        "CPU of a gigabyte",
        "CPU s / GB / proxy",
        [("1 stream", "bulk_1", "cpu_s_per_gb"), ("8 streams", "bulk_8", "cpu_s_per_gb")],
    ),
    (
        "handshakes",
        "New connections",
        "per CPU second and proxy (more is better)",
        [("full handshake", "connect_full", "per_cpu_s"), ("resumed", "connect_resumed", "per_cpu_s")],
    ),
    (
        "memory",
        "Resident memory",
        "MiB / proxy",
        [("at rest", "start", "rest_mib"), ("256 connections", "http1_256", "loaded_mib")],
    ),
    ("idle", "An idle connection", "bytes / proxy", [("idle", "idle", "bytes_per_connection")]),
)


def shown(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def draw(report, title, unit, groups):
    """Bars in groups, with the extremes of the rounds; None if there is nothing to show."""
    found = {}  # (group, target) -> summary
    for at, (_, workload, figure) in enumerate(groups):
        for target, row in report["table"].get(workload, {}).items():
            if target in COLOURS and figure in row:
                found[at, target] = row[figure]
    targets = [target for target in COLOURS if any(target == name for _, name in found)]
    shown_groups = sorted({at for at, _ in found})
    if not targets:
        return None
    picture, axes = plt.subplots(figsize=(8, 4.2))
    width = 0.8 / len(targets)
    for (at, target), value in found.items():
        x = shown_groups.index(at) + (targets.index(target) - (len(targets) - 1) / 2) * width
        extremes = [[value["median"] - value["min"]], [value["max"] - value["median"]]]
        axes.bar(
            x,
            value["median"],
            width * 0.92,
            color=COLOURS[target],
            yerr=extremes,
            error_kw={"elinewidth": 0.8},
        )
        axes.annotate(shown(value["median"]), (x, value["max"]), ha="center", va="bottom", fontsize=6.5)
    axes.set_xticks(range(len(shown_groups)), [groups[at][0] for at in shown_groups])
    axes.set_title(title, loc="left")
    axes.set_ylabel(unit)
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    keys = [Patch(color=COLOURS[target], label=target) for target in targets]
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1), "ncols": len(keys)}
    axes.legend(handles=keys, frameon=False, fontsize=8, **place)
    picture.tight_layout()
    return picture


def main(out):
    report = json.loads((out / "report.json").read_text())
    for name, title, unit, groups in PLOTS:
        picture = draw(report, title, unit, groups)
        if picture is None:
            continue
        for kind in ("svg", "png"):
            picture.savefig(out / f"{name}.{kind}", dpi=150, metadata={"Date": None} if kind == "svg" else None)
        plt.close(picture)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
