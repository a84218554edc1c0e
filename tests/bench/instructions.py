"""Counts the instructions of single operations of the data path (tests/bench/micro) with callgrind.

    WEFT_BUILD=build tests/bench/instructions.py [NAME…]     measure, and compare with micro/instructions.json
    WEFT_BUILD=build tests/bench/instructions.py --update    and write what was measured into that file

Unlike a time, the count does not depend on what else the machine does: the same program gives the same figure. It is
the difference of two runs with N and 2 N operations, divided by N, so that start-up, preparation and warm-up cancel out.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("WEFT_BUILD", "build")).resolve()
PROGRAM = BUILD / "tests" / "bench" / "micro" / "weft-instructions"
COMMITTED = ROOT / "tests" / "bench" / "micro" / "instructions.json"
# N is so large that a run takes about this many instructions: start-up does not cancel out to the last one.
RUN = 6_000_000
UPDATE = "WEFT_BUILD=build /usr/bin/python3 tests/bench/instructions.py --update"

# Nothing of the caller's environment. glibc chooses memcpy and the like by the processor; without these features it
# takes the same ones on every x86-64.
ENVIRONMENT = {
    "LC_ALL": "C",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=" + ",".join(f"-{feature}" for feature in (
        "AVX", "AVX2", "AVX512F", "AVX512VL", "AVX512BW", "AVX_Fast_Unaligned_Load", "BMI1", "BMI2", "ERMS", "FSRM", "LZCNT",
        "MOVBE", "RTM", "SSSE3", "SSE4_1", "SSE4_2")),
}
COLLECTED = re.compile(r"Collected : (\d+)")


class CannotCount(Exception):
    """Why there are no figures, for people."""


def build():
    """Builds the program, which is no part of an ordinary build."""
    options = BUILD / "meson-info" / "intro-buildoptions.json"
    if not options.exists():
        raise CannotCount(f"{BUILD} is not configured: meson setup {BUILD.name} --buildtype=release")
    kind = next(o["value"] for o in json.loads(options.read_text()) if o["name"] == "buildtype")
    if kind != "release":
        raise CannotCount(f"the figures are of a release build, and {BUILD.name} is one of type {kind}: set WEFT_BUILD")
    done = subprocess.run(["ninja", "-C", BUILD, PROGRAM.relative_to(BUILD)], capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotCount(f"{PROGRAM.name} does not build:\n{done.stdout[-4000:]}")


def ask(option):
    return subprocess.run([PROGRAM, option], check=True, capture_output=True, text=True).stdout.splitlines()


def total(name, operations):
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", PROGRAM, name, str(operations)],
                          capture_output=True, text=True, env={**ENVIRONMENT, "PATH": os.environ["PATH"]})
    found = COLLECTED.search(done.stderr)
    if done.returncode != 0 or not found:
        raise CannotCount(f"{name} under callgrind ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return int(found.group(1))


def count(name, about):
    """Instructions of one operation, which takes `about` as many."""
    operations = min(max(RUN // about, 10), 5000)
    return round((total(name, 2 * operations) - total(name, operations)) / operations)


def measure(names=None):
    """{name: instructions}, in the program's order. Raises CannotCount."""
    if not shutil.which("valgrind"):
        raise CannotCount("valgrind is not installed: apt-get install valgrind")
    build()
    wanted = names or ask("--list")
    committed = load()["instructions"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(wanted, pool.map(lambda name: count(name, committed.get(name, 20_000)), wanted)))


def load():
    return json.loads(COMMITTED.read_text())


def bound(committed, name):
    """How far a figure may be from the committed one, in percent, and why if it is not the usual bound."""
    for rule in committed["wider"]:
        if name in rule["operations"]:
            return rule["percent"], rule["because"]
    return committed["percent"], ""


def compare(committed, measured):
    """Where the measured figures and the committed ones do not fit, as (worse, stale): lists of sentences. Stale means
    that the file has to be written anew though nothing got worse."""
    worse, stale = [], []
    figures = committed["instructions"]
    for name, now in measured.items():
        if name not in figures:
            stale.append(f"{name}: has no committed figure; it takes {now}")
            continue
        before = figures[name]
        change = 100 * (now - before) / before
        percent, _ = bound(committed, name)
        if change > percent:
            worse.append(f"{name}: {now} instructions, {change:+.1f} % against the committed {before} (allowed: {percent} %)")
        elif change < -percent:
            stale.append(f"{name}: {now} instructions, {change:+.1f} % against the committed {before}: lower it, so that the gain stays")
    stale += [f"{name}: is committed, but there is no such operation" for name in figures if name not in measured]
    return worse, stale


def explain(committed, worse, stale):
    """What to do about it; empty when all is well."""
    text = ""
    if worse:
        text += "These operations got slower:\n  " + "\n  ".join(worse) + "\n"
    if stale:
        text += "The committed figures are out of date:\n  " + "\n  ".join(stale) + "\n"
    if not text:
        return ""
    compiler = ask("--compiler")[0]
    if compiler != committed["compiler"]:
        text += f"The committed figures were made with {committed['compiler']}, these with {compiler}.\n"
    return text + f"Where that is meant, write the new figures down: {UPDATE}"


def update(committed, measured):
    committed["compiler"] = ask("--compiler")[0]
    committed["instructions"] = measured
    COMMITTED.write_text(json.dumps(committed, indent=2) + "\n")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--update", action="store_true", help="write the figures into micro/instructions.json")
    arguments.add_argument("names", nargs="*", metavar="NAME", help="only these operations")
    given = arguments.parse_args()
    if given.update and given.names:
        arguments.error("--update writes all figures: leave the names out")
    try:
        measured = measure(given.names)
    except CannotCount as reason:
        sys.exit(str(reason))
    committed = load()
    for name, now in measured.items():
        before = committed["instructions"].get(name)
        print(f"{name:32} {now:>10} {'' if before is None else f'{100 * (now - before) / before:+.1f} %':>9}")
    if given.update:
        update(committed, measured)


if __name__ == "__main__":
    main()
