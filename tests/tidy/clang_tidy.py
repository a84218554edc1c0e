"""Which C++ files changed, and what clang-tidy-16 finds in them. test_clang_tidy.py makes a test of each."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
from typing import NamedTuple

FILES_MAX = 40
# Of processor time, for a busy machine must not fail a file. The slowest takes some 30 s.
CPU_SECONDS_MAX = 300
# What decides what the code means. The rest of g++'s command line is warnings and code generation, which clang knows
# only in part: an unknown one would be a finding.
MEANING = re.compile(r"-[IDU].|-(isystem|iquote|include)|-std=|-O|-pthread$|-fno-(exceptions|rtti)$")
TAKES_A_VALUE = ("-isystem", "-iquote", "-include", "-I", "-D", "-U")


class Choice(NamedTuple):
    """What to check: `files` (.cc, sorted) and a line that says why these."""
    files: list
    why: str


def _git(root, *arguments, may_fail=False):
    """The lines that git prints; None when it failed and may."""
    # Called from a hook, git would look at the repository of these variables and not at `root`.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    result = subprocess.run(["git", *arguments], cwd=root, env=environment, capture_output=True, text=True)
    if result.returncode and may_fail:
        return None
    if result.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout.splitlines()


def _commit(root, name):
    found = _git(root, "rev-parse", "--verify", "--quiet", name + "^{commit}", may_fail=True)
    return found[0] if found else None


def _base(root):
    """The commit that counts as unchanged, and its name; None where there is none (a first commit, a shallow clone)."""
    head = _commit(root, "HEAD")
    for upstream in ("origin/main", "origin/HEAD"):
        there = _commit(root, upstream)
        merge_base = _git(root, "merge-base", "HEAD", there, may_fail=True) if there and there != head else None
        if merge_base:
            return merge_base[0], f"the merge base with {upstream}"
    before = _commit(root, "HEAD~1")
    return (before, "HEAD~1") if before else None


def _tracked(root):
    return _git(root, "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.cc", "*.h")


def _source_of(root, header, sources):
    """The .cc that shows a header to clang-tidy: of the same name, else the first that includes it."""
    namesake = header[: -len(".h")] + ".cc"
    if namesake in sources:
        return namesake
    name = header.split("/", 1)[1] if header.startswith("lib/") else header
    includes = f'#include "{name}"'
    return next((source for source in sources if includes in (root / source).read_text()), None)


def choose(root, environ):
    """The files to check in the checkout `root`: all under WEFT_TIDY_ALL=1, else what differs from WEFT_TIDY_BASE, from
    the merge base with the upstream main branch, or from the commit before; at most FILES_MAX of those."""
    if not (root / ".git").exists():
        return Choice([], "no git information: nothing says what changed")
    present = sorted(path for path in set(_tracked(root)) if (root / path).exists())
    sources = [path for path in present if path.endswith(".cc")]
    if environ.get("WEFT_TIDY_ALL") == "1":
        return Choice(sources, f"all {len(sources)} files (WEFT_TIDY_ALL)")
    if environ.get("WEFT_TIDY_BASE"):
        base = _commit(root, environ["WEFT_TIDY_BASE"]), "WEFT_TIDY_BASE"
        if not base[0]:
            raise RuntimeError(f"WEFT_TIDY_BASE: no commit \"{environ['WEFT_TIDY_BASE']}\"")
    else:
        base = _base(root)
    if base:
        untracked = _git(root, "ls-files", "--others", "--exclude-standard")
        changed = set(_git(root, "diff", "--name-only", "--no-renames", base[0]) + untracked)
        since = f"since {base[1]} ({base[0][:9]})"
    else:
        changed = set(present)
        since = "in all, for there is no earlier commit to compare with"
    wanted = {path if path.endswith(".cc") else _source_of(root, path, sources) for path in present if path in changed}
    files = sorted(wanted - {None})
    why = f"{len(files)} files to check {since}"
    if len(files) > FILES_MAX:
        why += f"; only the first {FILES_MAX} are: WEFT_TIDY_BASE=REV for fewer, WEFT_TIDY_ALL=1 for everything"
    return Choice(files[:FILES_MAX], why)


def _meaning(arguments):
    kept, arguments = [], iter(arguments)
    for argument in arguments:
        if argument in TAKES_A_VALUE:
            kept += [argument, next(arguments)]
        elif MEANING.match(argument):
            kept.append(argument)
    return kept


class ClangTidy:
    """Runs clang-tidy-16 by the compilation database of `build`. A temporary folder holds the copy of the database that
    clang understands, as long as this object lives."""

    def __init__(self, build):
        database = pathlib.Path(build) / "compile_commands.json"
        if not database.exists():
            raise RuntimeError(f"{database} is missing: Meson writes it (tests/run tidy)")
        self._database = database
        self._folder = tempfile.TemporaryDirectory()
        self._known = {}
        for entry in json.loads(database.read_text()):
            folder = pathlib.Path(entry["directory"])
            file = os.path.normpath(folder / entry["file"])
            arguments = ["c++", *_meaning(shlex.split(entry["command"])), "-c", file]
            self._known.setdefault(file, {"directory": str(folder), "file": file, "arguments": arguments})
        (pathlib.Path(self._folder.name) / "compile_commands.json").write_text(json.dumps(list(self._known.values())))

    def findings(self, file, config=None):
        """What there is to mend in `file` (absolute), as text; empty when nothing is. The nearest .clang-tidy decides
        unless `config` names one."""
        if str(file) not in self._known:
            return f"no target compiles it by {self._database}: ninja reads changed build files when it runs"
        command = ["prlimit", f"--cpu={CPU_SECONDS_MAX}", "clang-tidy-16", "--quiet", "-p", self._folder.name]
        command += [f"--config-file={config}"] if config else []
        result = subprocess.run([*command, str(file)], capture_output=True, text=True)
        if result.returncode < 0:
            return f"clang-tidy-16 ended by signal {-result.returncode}; it may take {CPU_SECONDS_MAX} s of processor time"
        # With every warning an error, the status tells; without findings stderr only counts suppressed warnings.
        return (result.stdout + result.stderr) if result.returncode else ""
