"""Plots of a report, as SVG and PNG: `plots.py OUT`. Needs matplotlib, so it runs with the bench's own Python."""
import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of what draws)

COLOURS = {"weft": "#0072b2", "envoy": "#d55e00", "envoy-h2": "#e69f00", "haproxy": "#009e73", "haproxy-h2": "#7fceb9", "nginx": "#cc79a7", "floor": "#999999"}
PLOTS = (  # file, title, unit, [(label, workload, figure)], better
    ("cpu", "CPU of a request", "µs / request / proxy", [("1 connection", "http1_1", "cpu_us"), ("32", "http1_32", "cpu_us"), ("256", "http1_256", "cpu_us"),
                                                         ("1,000 req/s", "krps", "cpu_us")]),
    ("bodies", "CPU of a request with a body", "µs / request / proxy", [("POST 64 KB", "post_64k", "cpu_us"), ("POST 1 MB", "post_1m", "cpu_us")]),
    ("grpc", "CPU of a gRPC call or message", "µs / proxy", [("unary, 1 stream", "grpc_1", "cpu_us"), ("100 streams", "grpc_100", "cpu_us"), ("streaming", "grpc_stream", "cpu_us")]),
    ("latency", "p99 added over no proxy, open loop", "µs", [("20 % of the slowest's maximum", "open_20", "added_p99_us"), ("50 %", "open_50", "added_p99_us"),
                                                             ("80 %", "open_80", "added_p99_us")]),
    ("bulk", "CPU of a gigabyte", "CPU s / GB / proxy", [("1 stream", "bulk_1", "cpu_s_per_gb"), ("8 streams", "bulk_8", "cpu_s_per_gb")]),
    ("handshakes", "New connections", "per CPU second and proxy (more is better)", [("full handshake", "connect_full", "per_cpu_s"), ("resumed", "connect_resumed", "per_cpu_s")]),
    ("memory", "Resident memory", "MiB / proxy", [("at rest", "start", "rest_mib"), ("256 connections", "http1_256", "loaded_mib")]),
    ("idle", "An idle connection", "bytes / proxy", [("idle", "idle", "bytes_per_connection")]),
)


def draw(report, title, unit, groups):
    """Bars in groups, with the extremes of the rounds; None if there is nothing to show."""
    table = report["table"]
    targets = [name for name in COLOURS if any(figure in table.get(workload, {}).get(name, {}) for _, workload, figure in groups)]
    if not targets:
        return None
    picture, axes = plt.subplots(figsize=(8, 4))
    width = 0.8 / len(targets)
    for at, target in enumerate(targets):
        for group, (_, workload, figure) in enumerate(groups):
            value = table.get(workload, {}).get(target, {}).get(figure)
            if value is None:
                continue
            x = group + (at - (len(targets) - 1) / 2) * width
            axes.bar(x, value["median"], width * 0.92, color=COLOURS[target], label=target,
                     yerr=[[value["median"] - value["min"]], [value["max"] - value["median"]]], error_kw={"elinewidth": 0.8, "ecolor": "#333333"})
            axes.annotate(f"{value['median']:.3g}", (x, value["median"]), ha="center", va="bottom", fontsize=6.5)
    axes.set_xticks(range(len(groups)), [label for label, _, _ in groups])
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels())))
    axes.legend(handles.values(), handles.keys(), frameon=False, fontsize=8, ncols=2)
    picture.tight_layout()
    return picture


def main(out):
    report = json.loads((out / "report.json").read_text())
    for name, title, unit, groups in PLOTS:
        picture = draw(report, title, unit, groups)
        if picture is None:
            continue
        for kind in ("svg", "png"):
            picture.savefig(out / f"{name}.{kind}", dpi=150)
        plt.close(picture)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
