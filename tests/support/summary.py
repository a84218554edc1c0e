#!/usr/bin/python3
"""Adds up JUnit files: prints every failure and, last, 'N passed, N failed[, N skipped]'.

Usage: summary.py FOLDER. Exit status 1 when something failed or nothing ran.
Skips count as failures when CI is set: a test that could not run there proves nothing. Not so in the sanitizer
builds, where a few tests cannot run (the sanitizer needs what they take away) and have run in the release build.
"""
import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def main():
    passed = failed = skipped = 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
        for case in ElementTree.parse(path).iter("testcase"):
            name = f"{path.stem}: {case.get('classname', '')}.{case.get('name', '')}"
            problem = next((child for child in case if child.tag in ("failure", "error")), None)
            was_skipped = case.find("skipped") is not None or case.get("status") == "notrun"
            must_run = os.environ.get("CI") and not path.name.startswith(("build-asan", "build-tsan"))
            if problem is not None or (was_skipped and must_run):
                failed += 1
                print(f"FAILED {name}")
            elif was_skipped:
                skipped += 1
                print(f"skipped {name}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(1 if failed or not passed else 0)


main()
