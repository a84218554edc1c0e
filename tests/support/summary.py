#!/usr/bin/python3
"""Adds up what the suites report: prints every failure and, last, 'N passed, N failed[, N skipped]'.

Usage: summary.py FOLDER, with JUnit files (*.xml) and, of the builds, meson's own record beside (the same name, .json).
Exit status 1 when something failed or nothing ran.
A program that is killed (a time-out, a crash) leaves no report, or the one of its last run: meson's record knows.
Skips count as failures when CI is set: a test that could not run there proves nothing. Not so in the sanitizer
builds, where a few tests cannot run (the sanitizer needs what they take away) and have run in the release build.
"""
import json
import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def killed(record, failed_cases):
    """The programs, with what became of them, that did not end well and have no failure in their report."""
    for line in record.read_text(encoding="utf-8").splitlines() if record.exists() else []:
        test = json.loads(line)
        told = any(f"{test['name']}." in case for case in failed_cases)
        if test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and not told:
            yield f"{test['name']} ({test['result']})"


def main():
    passed = skipped = 0
    failures = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
        failed_cases = []
        must_run = os.environ.get("CI") and not path.name.startswith(("build-asan", "build-tsan"))
        for suite in ElementTree.parse(path).iter("testsuite"):
            for case in suite.iter("testcase"):
                problem = next((child for child in case if child.tag in ("failure", "error")), None)
                was_skipped = case.find("skipped") is not None or case.get("status") == "notrun"
                if problem is not None or (was_skipped and must_run):
                    failures.append(f"{path.stem}: {case.get('classname', '')}.{case.get('name', '')}")
                    failed_cases.append(f"{suite.get('name', '')}.{case.get('name', '')}.")
                elif was_skipped:
                    skipped += 1
                    print(f"skipped {path.stem}: {case.get('classname', '')}.{case.get('name', '')}")
                else:
                    passed += 1
        failures += [f"{path.stem}: {program}" for program in killed(path.with_suffix(".json"), failed_cases)]
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{passed} passed, {len(failures)} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failures or not passed else 0)


main()
