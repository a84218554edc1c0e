"""tests/bench/run, after its packages are installed and its programs built: prepares, measures, reports."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import figures
import ratios
import report
import report_text
from isolate import isolated
from peers import UNAVAILABLE
from prepare import ENVOY, FORTIO, Preparation
from publish import publish

ROOT = pathlib.Path(__file__).resolve().parents[2]
FULL_ROUNDS, QUICK_ROUNDS = 5, 2
# A full report is finished within these, all that it prepares and builds included; a quick one, once things are built.
FULL_SECONDS, QUICK_SECONDS = 1200, 180


def said(*command):
    """The first line that a command prints, or nothing."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=ROOT)
    except OSError:
        return ""
    return ((done.stdout.strip() or done.stderr.strip()).splitlines() or [""])[0]


def machine():
    processor = re.search(r"^model name\s*:\s*(.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)
    return {
        "processor": processor.group(1) if processor else "unknown",
        "cores": os.cpu_count(),
        "memory": f"{int(memory.group(1)) // 1024:,} MiB",
        "kernel": " ".join(os.uname()[i] for i in (0, 2, 4)),
        "load before the run": "%.2f %.2f %.2f" % os.getloadavg(),
    }


def versions(programs):
    commands = {
        "envoy": ("--version",),
        "haproxy": ("-v",),
        "nginx": ("-v",),
        "fortio": ("version",),
        "weft-sidecar": ("--version",),
    }
    out = {
        name: said(programs[name], *words).removeprefix(programs[name]).strip()
        for name, words in commands.items()
        if name in programs
    }
    return {
        **out,
        "wrk": said("wrk", "-v"),
        "openssl": said("openssl", "version"),
        "compiler": said("g++", "--version"),
    }


def measure(arguments, preparation, prepared, out):
    config = {
        "out": str(out),
        "quick": arguments.quick,
        "seconds": QUICK_SECONDS if arguments.quick else FULL_SECONDS - sum(took for _, took in prepared),
        "rounds": arguments.rounds or (QUICK_ROUNDS if arguments.quick else FULL_ROUNDS),
        "programs": preparation.programs,
        "missing": {**preparation.missing, **UNAVAILABLE},
        "targets": arguments.targets,
        "workloads": arguments.workloads,
    }
    (out / "raw.json").unlink(missing_ok=True)
    path = out / "config.json"
    path.write_text(json.dumps(config, indent=1))
    begun = time.monotonic()
    status = isolated([sys.executable, pathlib.Path(__file__).with_name("rounds.py"), path])
    return status, config["rounds"], time.monotonic() - begun


def about(arguments, preparation, prepared, rounds, seconds, setting):
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": said("git", "describe", "--always", "--dirty"),
        "quick": arguments.quick,
        "rounds_wanted": rounds,
        "measuring_s": seconds,
        "prepared": [entry for entry in prepared if entry[1] >= 0.5],
        "machine": setting,
        "versions": versions(preparation.programs),
        "commands": [
            "tests/bench/run " + " ".join(arguments.given),
            f"# in there: pip install {ENVOY}; go install {FORTIO}",
            "# every proxy's configuration: tests/bench/peers/; every workload: tests/bench/workloads.py",
        ],
    }


def compare(old, new):
    """Prints what moved between two reports; 1 if a CPU ratio did."""
    before, after = (json.loads(pathlib.Path(path).read_text()) for path in (old, new))
    found = figures.moved(before["ratios"], after["ratios"])
    cpu = [entry for entry in found if entry[0] in ratios.of_cpu()]
    for name, was, now in found:
        uncertain = (
            " (its rounds lay far apart, so this may be noise)"
            if name in before["unsteady"] or name in after["unsteady"]
            else ""
        )
        print(f"{name}: {was:g} -> {now:g} ({100 * (now / was - 1):+.0f} %){uncertain}")
    print(f"{len(cpu)} CPU ratios moved by more than {100 * figures.UNSTEADY:.0f} %")
    return 1 if cpu else 0


def parse(words):
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, within three minutes")
    parser.add_argument(
        "--out", type=pathlib.Path, help="where the report goes (default: bench-report in the build folder)"
    )
    parser.add_argument(
        "--compare",
        metavar="OLD",
        help="measure nothing: compare the report in --out with this older report.json",
    )
    parser.add_argument(
        "--publish",
        metavar="OLD",
        help="measure nothing: write the report in --out into docs/, beside the ratios of this older report.json",
    )
    parser.add_argument("--rounds", type=int, help="another number of rounds")
    parser.add_argument(
        "--targets", type=lambda text: text.split(","), default=[], help="only these, as weft,envoy,none"
    )
    parser.add_argument(
        "--workloads", type=lambda text: text.split(","), default=[], help="only these, as http1_32,bulk_1"
    )
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help=argparse.SUPPRESS)
    parser.add_argument("--prepared", action="append", default=[], help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    # What of the command a reader may repeat: not where things lie on this machine.
    shown = argparse.ArgumentParser(add_help=False)
    for option in ("--build", "--prepared", "--out"):
        shown.add_argument(option, action="append")
    arguments.given = shown.parse_known_args(words)[1]
    arguments.out = (arguments.out or arguments.build / "bench-report").resolve()
    return arguments


def main(words):
    arguments = parse(words)
    if arguments.compare:
        return compare(arguments.compare, arguments.out / "report.json")
    if arguments.publish:
        return publish(arguments.out, arguments.publish)
    setting = machine()  # before anything of ours loads it
    arguments.out.mkdir(parents=True, exist_ok=True)
    preparation = Preparation(arguments.build).everything()
    prepared = [
        (what, float(took)) for what, _, took in (entry.rpartition("=") for entry in arguments.prepared)
    ] + preparation.took
    status, rounds, seconds = measure(arguments, preparation, prepared, arguments.out)
    if status != 0:
        print(f"measuring ended early, with {status}", file=sys.stderr)
    if not (arguments.out / "raw.json").exists():
        return status or 1
    made = report.write(arguments.out, about(arguments, preparation, prepared, rounds, seconds, setting))
    if "matplotlib" not in preparation.missing:
        subprocess.run(
            [preparation.python, pathlib.Path(__file__).with_name("plots.py"), arguments.out], check=True
        )
    print("\n".join(report_text.ratio_lines(made) + [""] + report_text.steadiness_lines(made)))
    print(f"{len(made['failed'])} cells failed; the report is {arguments.out / 'report.md'}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
