"""What the documentation points at is there."""
import glob
import re
import subprocess

from conftest import ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# `lib/base/limits.h`, `lib/codec/http1*`, `lib/tls`, `lib/policy/regex` (.h, .cc): what stands in backticks and begins with a folder of ours.
PATH = re.compile(r"`((?:lib|sidecar|ca|discovery|injector|cli|proto|tests|examples|docs)/[\w./*-]+)`")
# Reports and build folders come with a run.
MADE = re.compile(r"^(build|tests/bench/report)")


def pages():
    listed = subprocess.run(["git", "ls-files", "--", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    return {path: (ROOT / path).read_text() for path in listed}


def anchors(text):
    """As GitHub makes them of headings."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        found.add(re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-"))
    return found


def test_links_lead_somewhere():
    wrong = []
    all_pages = pages()
    for page, text in all_pages.items():
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            there = (ROOT / page).parent / file if file else ROOT / page
            if not there.exists():
                wrong.append(f"{page}: {target} is not there")
            elif anchor and anchor not in anchors(there.read_text()):
                wrong.append(f"{page}: {target}: no such heading")
    assert not wrong, "\n".join(wrong)


def test_files_that_are_named_exist():
    wrong = [f"{page}: {path} is not there" for page, text in pages().items() for path in PATH.findall(text)
             if not MADE.match(path) and not glob.glob(str(ROOT / path)) and not glob.glob(str(ROOT / path) + ".*")]
    assert not wrong, "\n".join(wrong)
