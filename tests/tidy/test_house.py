"""House rules that a reader would otherwise have to police (docs/hacking.md)."""
import re
import subprocess

from conftest import ROOT

# Clock, randomness and environment come in from outside; only these files may ask.
DOORS_OF_TIME = ("lib/base/clock.", "lib/base/random.", "lib/io/", "lib/base/log.cc")
ASKS_TIME = re.compile(r"\b(steady_clock::now|system_clock::now|gettimeofday|clock_gettime|std::rand|\brand\(\)|random_device|"
                       r"system_wall_now|system_monotonic_now|system_random_seed|getenv)\b")
# A lambda that escapes holds what it needs by name: no default captures outside immediately used algorithms.
DEFAULT_CAPTURE = re.compile(r"\[=\]|\[=,")


def product(sources):
    return {path: text for path, text in sources.items() if not path.startswith("tests/")}


def code(text):
    return re.sub(r"//[^\n]*", "", text)


def test_time_and_randomness_come_from_outside(sources):
    wrong = []
    for path, text in product(sources).items():
        if path.startswith(DOORS_OF_TIME) or path.endswith("main.cc") or path.startswith(("cli/", "examples/")):
            continue
        wrong += [f"{path}: {found}" for found in ASKS_TIME.findall(code(text))]
    assert not wrong, "\n".join(wrong)


def test_no_default_copy_captures(sources):
    wrong = [path for path, text in product(sources).items() if DEFAULT_CAPTURE.search(code(text))]
    assert not wrong, "\n".join(wrong)


def test_no_using_namespace_in_headers(sources):
    wrong = [path for path, text in sources.items() if path.endswith(".h") and re.search(r"^\s*using namespace (?!std::chrono_literals)", text, re.M)]
    assert not wrong, "\n".join(wrong)


def test_headers_have_pragma_once(sources):
    wrong = [path for path, text in sources.items() if path.endswith(".h") and "#pragma once" not in text]
    assert not wrong, "\n".join(wrong)


def test_no_todo_is_left(sources):
    wrong = [path for path, text in product(sources).items() if re.search(r"\b(TODO|FIXME|XXX)\b", text)]
    assert not wrong, "\n".join(wrong)


def test_files_are_formatted(sources):
    tracked = sorted(sources)
    result = subprocess.run(["clang-format-16", "--dry-run", "-Werror", *tracked], cwd=ROOT, capture_output=True, text=True)
    wrong = sorted(set(re.findall(r"^([^:\n]+):\d+:\d+: error", result.stderr, re.M)))
    assert not wrong, "not formatted (clang-format-16 -i FILE):\n" + "\n".join(wrong)
