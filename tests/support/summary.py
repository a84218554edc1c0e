#!/usr/bin/python3
"""Adds up what the suites report: prints every failure and, last, 'N passed, N failed[, N skipped]'.

Usage: summary.py FOLDER. For each suite it has NAME.expected, made before the suite ran, its JUnit file NAME.xml and, of
those that meson runs, meson's own record NAME.json. Exit status 1 when something failed or nothing ran.
Meson's record says what became of a program that was killed (a time-out, a crash), which leaves no report of its own.
Skips count as failures when CI is set: a test that could not run there proves nothing. Not so in the sanitizer
builds, where a few tests cannot run (the sanitizer needs what they take away) and have run in the release build.
"""
import json
import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def ended_badly(record):
    """The programs that meson saw end otherwise than well, and how."""
    tests = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    return {test["name"]: test["result"] for test in tests if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL")}


def judge(folder, suite):
    """What passed, failed and was skipped; raises where there is no report."""
    passed, failed, skipped = [], [], []
    bad = ended_badly(folder / f"{suite}.json") if suite.startswith("build") else {}
    must_run = os.environ.get("CI") and not suite.startswith(("build-asan", "build-tsan"))
    told = set()
    for group in ElementTree.parse(folder / f"{suite}.xml").iter("testsuite"):
        for case in group.iter("testcase"):
            name = f"{case.get('classname', '')}.{case.get('name', '')}"
            program = next((its for its in bad if f"{its}." in f"{group.get('name', '')}.{case.get('name', '')}."), None)
            if any(child.tag in ("failure", "error") for child in case):
                failed.append(name)
                told.add(program)
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                (failed if must_run else skipped).append(name)
            elif name.endswith(f".{program}"):
                pass  # no case, but a whole program, and meson knows better
            else:
                passed.append(name)
    failed += [f"{program} ({result})" for program, result in bad.items() if program not in told]
    return passed, failed, skipped


def main():
    folder = pathlib.Path(sys.argv[1])
    passed = failed = skipped = 0
    for suite in sorted(path.stem for path in folder.glob("*.expected")):
        try:
            good, bad, left_out = judge(folder, suite)
        except (OSError, ValueError, ElementTree.ParseError) as error:
            good, bad, left_out = [], [f"left no report: {error}"], []
        for name in left_out:
            print(f"skipped {suite}: {name}")
        for name in bad:
            print(f"FAILED {suite}: {name}")
        passed, failed, skipped = passed + len(good), failed + len(bad), skipped + len(left_out)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or not passed else 0)


main()
