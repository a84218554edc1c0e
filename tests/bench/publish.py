"""tests/bench/run --publish: a report becomes docs/performance/, and the figures in docs/performance.md are written anew.

Between `<!-- made: NAME -->` and `<!-- end -->` of that page stands what is made here; no figure there is written by hand,
and a test compares the page with the committed report.
"""

import json
import pathlib
import re
import shutil

import figures
import ratios
import report_text

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"
BLOCK = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.S)
COLUMNS = (  # heading, workload, figure, digits
    ("32 connections, µs", "http1_32", "cpu_us", 1),
    ("1 connection", "http1_1", "cpu_us", 1),
    ("256", "http1_256", "cpu_us", 1),
    ("1,000 req/s", "krps", "cpu_us", 1),
    ("gRPC 100 streams", "grpc_100", "cpu_us", 1),
    ("gRPC 1", "grpc_1", "cpu_us", 1),
    ("bulk, CPU s / GB", "bulk_1", "cpu_s_per_gb", 2),
    ("handshakes / CPU s", "connect_full", "per_cpu_s", 0),
    ("+p99 at 50 %, µs", "open_50", "added_p99_us", 0),
    ("idle connection, bytes", "idle", "bytes_per_connection", 0),
    ("MiB at rest", "start", "rest_mib", 1),
)


def found(report, workload, target, figure):
    """The median, or None."""
    cell = report["table"].get(workload, {}).get(target, {}).get(figure)
    return cell["median"] if cell else None


def summary_lines(report):
    """One row a target: what a reader looks for first. A column that nobody has, as in a quick report, is left out."""
    targets = list(report["table"].get("start", {}))
    columns = [c for c in COLUMNS if any(found(report, c[1], target, c[2]) is not None for target in targets)]
    rows = []
    for target in targets:
        values = [(found(report, workload, target, figure), digits) for _, workload, figure, digits in columns]
        values.append((report["once"].get(target, {}).get("system_calls"), 2))
        rows.append([target, *("" if value is None else report_text.number(value, digits) for value, digits in values)])
    return report_text.markdown_table(["target", *(c[0] for c in columns), "system calls / request"], rows)


def before_lines(report):
    """What was measured or published before, and the same figure here."""

    def here(*wanted):
        texts = []
        for target, workload, figure, digits, unit in wanted:
            value = found(report, workload, target, figure)
            said = "not measured in this run" if value is None else f"{report_text.number(value, digits)} {unit}"
            texts.append(f"{target} {said}")
        return "; ".join(texts)

    def cpu(target, workload="http1_32"):
        return target, workload, "cpu_us", 1, "µs"

    def rest(target):
        return target, "start", "rest_mib", 1, "MiB"

    def cores(target):
        return target, "krps", "cores", 3, "cores"

    rows = [
        ["nginx pair, wrk with 32 connections", "25 µs", here(cpu("nginx"))],
        ["HAProxy, HTTP/1.1 between", "28 µs", here(cpu("haproxy"))],
        ["HAProxy, HTTP/2 between", "17 µs", here(cpu("haproxy-h2"))],
        ["epoll relay at 32 connections (before: without TLS)", "12 µs", here(cpu("floor"))],
        ["the same at 1 connection", "40 µs", here(cpu("floor", "http1_1"))],
        ["the same at 1,000 requests/s", "23 µs", here(cpu("floor", "krps"))],
        ["the given libraries, merely initialised", "7.4 MiB, 5.9 with protobuf-lite", here(rest("weft"), rest("floor"))],
        ["peers of the pair, resident", "11 to 21 MiB", here(rest("nginx"), rest("haproxy"))],
        ["Istio 1.24's sidecar (Envoy), 1,000 requests/s", "0.20 vCPU", here(cores("envoy"), cores("weft"))],
        ["the same, memory", "60 MB", here(rest("envoy"), rest("weft"))],
        ["Linkerd's proxy, 1,000 requests/s", "0.36 vCPU", here(cores("weft"))],
        ["the same at rest", "4 MiB", here(rest("weft"))],
        [
            "bulk: ztunnel reads 256 KB and writes 4 × 16 KB, Envoy single records",
            "no figure",
            here(*((target, "bulk_1", "cpu_s_per_gb", 2, "CPU s / GB") for target in ("weft", "envoy", "floor"))),
        ],
    ]
    return report_text.markdown_table(["what", "before", "here"], rows)


def repeat_lines(report, repeat):
    """The same ratios of two runs, and which of those about CPU time did not repeat."""
    rows = []
    for name, now in report["ratios"].items():
        was = repeat["ratios"].get(name)
        if now is None or was is None:
            continue
        rows.append([f"`{name}`", f"{was:,.2f}", f"{now:,.2f}", f"{100 * (now / was - 1):+.0f} %"])
    moved = [name for name, *_ in figures.moved(repeat["ratios"], report["ratios"]) if name in ratios.of_cpu()]
    names = ", ".join(f"`{name}`" for name in moved) or "none"
    table = report_text.markdown_table(["ratio", "the other run", "this report", "differs by"], rows)
    limit = f"{100 * figures.UNSTEADY:.0f} %"
    return [*table, "", f"CPU ratios that differ by more than {limit}: {names}.", "", *report_text.steadiness_lines(report)]


def about_lines(report):
    about = report["about"]
    facts = ", ".join(f"{key} {value}" for key, value in about["machine"].items())
    kind = "a quick run: " if about["quick"] else ""
    return [f"{about['when']}, commit {about['commit']}, {kind}{report['rounds']} rounds; {facts}."]


def filled(page, report, repeat):
    """The page with every block written anew."""
    blocks = {
        "about": about_lines(report),
        "summary": summary_lines(report),
        "ratios": report_text.ratio_lines(report),
        "repeat": repeat_lines(report, repeat),
        "calls": report_text.once_lines(report),
        "before": before_lines(report),
        "profile": report_text.profile_lines(report),
    }
    return BLOCK.sub(lambda found: found.group(1) + "\n".join(blocks[found.group(2)]) + "\n" + found.group(3), page)


def committed():
    """(report, repeat) as they lie in docs/performance/."""
    return tuple(json.loads((FOLDER / name).read_text()) for name in ("report.json", "repeat.json"))


def publish(out, older):
    """The report in `out`, and the ratios of the run before it, whose report.json is `older`."""
    FOLDER.mkdir(exist_ok=True)
    before = json.loads(pathlib.Path(older).read_text())
    report = json.loads((out / "report.json").read_text())
    (FOLDER / "report.json").write_text(json.dumps(report, separators=(",", ":")) + "\n")
    repeat = {"when": before["about"]["when"], **{name: before[name] for name in ("ratios", "unsteady")}}
    (FOLDER / "repeat.json").write_text(json.dumps(repeat, indent=1) + "\n")
    shutil.copy(out / "report.md", FOLDER / "report.md")
    for plot in out.glob("*.svg"):
        shutil.copy(plot, FOLDER / plot.name)
    PAGE.write_text(filled(PAGE.read_text(), *committed()))
