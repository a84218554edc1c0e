"""clang-tidy-16 by .clang-tidy on the C++ files that changed, a test for each.

WEFT_TIDY_BASE=REV compares with another commit, WEFT_TIDY_ALL=1 checks every file, WEFT_BUILD names another build folder.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess

import pytest

import clang_tidy
from clang_tidy import FILES_MAX, ClangTidy, choose
from conftest import NOTE, ROOT

BUILD = ROOT / os.environ.get("WEFT_BUILD", "build")
AT_ONCE = 2


def pytest_generate_tests(metafunc):
    if "changed_file" not in metafunc.fixturenames:
        return
    choice = choose(ROOT, os.environ)
    metafunc.config.stash[NOTE] = f"clang-tidy: {choice.why}"
    # Without files one test passes under the name of the reason: nothing was left out that could have been checked.
    parameters = choice.files or [pytest.param(None, id=choice.why)]
    metafunc.parametrize("changed_file", parameters)


@pytest.fixture(scope="session")
def findings(request):
    """What is found in each chosen file, as {path: future of the text}, AT_ONCE at a time."""
    files = [item.callspec.params["changed_file"] for item in request.session.items
             if getattr(item, "originalname", "") == "test_nothing_is_found"]
    tidy = ClangTidy(BUILD)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {file: pool.submit(tidy.findings, ROOT / file) for file in files}
        pool.shutdown(cancel_futures=True)


def test_nothing_is_found(changed_file, request):
    if changed_file is not None:
        found = request.getfixturevalue("findings")[changed_file].result()
        if found:
            pytest.fail(found, pytrace=False)


# The suite itself: what follows proves that it would find something, and in the right files.

USE_AFTER_MOVE = """
std::string spoilt(std::string text) {
  std::string taken = std::move(text);
  return text + taken;
}
"""
HARMLESS = "int twice(int number) { return 2 * number; }\n"


@pytest.fixture
def planted(tmp_path):
    """plant(path, text) writes a file and checks it by the repository's configuration, with flags that only g++ knows."""
    def plant(files):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text("#include <string>\n#include <utility>\n" + text)
        source = next(path for path in files if path.endswith(".cc"))
        (tmp_path / "compile_commands.json").write_text(json.dumps([{
            "directory": str(tmp_path), "file": source,
            "command": f"ccache c++ -I. -std=c++20 -Wall -Werror -Wno-restrict -Wlogical-op -fno-gnu-unique -O3 -MD -MF x.d -c {source}"}]))
        return ClangTidy(tmp_path).findings(tmp_path / source, ROOT / ".clang-tidy")
    return plant


def test_a_use_after_move_is_found(planted):
    assert "bugprone-use-after-move" in planted({"lib/bug.cc": USE_AFTER_MOVE})


def test_a_finding_in_a_header_counts(planted):
    header = "inline " + USE_AFTER_MOVE.lstrip()
    assert "lib/bug.h:" in planted({"lib/bug.h": header, "lib/bug.cc": '#include "lib/bug.h"\n'})


def test_what_does_not_compile_is_found(planted):
    assert "clang-diagnostic-error" in planted({"lib/bug.cc": "int broken() { return missing; }\n"})


def test_nothing_is_found_in_harmless_code_and_in_flags_of_another_compiler(planted):
    assert planted({"lib/fine.cc": HARMLESS}) == ""


def test_a_file_that_nothing_compiles_is_a_finding(planted, tmp_path):
    planted({"lib/fine.cc": HARMLESS})
    assert "no target compiles it" in ClangTidy(tmp_path).findings(tmp_path / "lib/new.cc")


def test_a_run_that_does_not_end_is_a_finding(planted, monkeypatch):
    monkeypatch.setattr(clang_tidy, "CPU_SECONDS_MAX", 1)
    slow = "constexpr int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n"
    asserts = "".join(f"static_assert(f(26) > {number});\n" for number in range(50))
    assert "processor time" in planted({"lib/slow.cc": slow + asserts})


@pytest.mark.parametrize("config", [".clang-tidy"])
def test_the_configuration_names_known_checks(config):
    result = subprocess.run(["clang-tidy-16", "--verify-config", f"--config-file={ROOT / config}"], capture_output=True, text=True)
    assert "No config errors detected" in result.stdout and not result.stderr


def test_a_missing_build_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="compile_commands.json is missing"):
        ClangTidy(tmp_path)


class Checkout:
    """A git repository made for one test."""

    def __init__(self, root):
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments], cwd=self.root, check=True,
                       env=environment, capture_output=True)

    def write(self, *paths, text="int x;\n"):
        for path in map(pathlib.Path, paths):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    def commit(self, *paths, text="int x;\n"):
        self.write(*paths, text=text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")


@pytest.fixture
def checkout(tmp_path):
    made = Checkout(tmp_path / "checkout")
    made.commit("ca/old.cc", "lib/base/old.cc", "lib/base/old.h", "README.md")
    return made


def test_what_differs_from_the_commit_before_is_chosen(checkout):
    checkout.commit("ca/new.cc", "README.md", text="int y;\n")
    assert choose(checkout.root, {}).files == ["ca/new.cc"]


def test_what_is_not_committed_is_chosen(checkout):
    checkout.commit("ca/committed.cc")
    checkout.write("ca/old.cc", text="int changed;\n")
    checkout.write("ca/staged.cc", "ca/untracked.cc")
    checkout.git("add", "ca/staged.cc")
    assert choose(checkout.root, {}).files == ["ca/committed.cc", "ca/old.cc", "ca/staged.cc", "ca/untracked.cc"]


def test_what_was_deleted_is_not_chosen(checkout):
    checkout.commit("ca/new.cc")
    checkout.git("rm", "-q", "ca/old.cc")
    (checkout.root / "lib/base/old.cc").unlink()
    assert choose(checkout.root, {}).files == ["ca/new.cc"]


def test_a_header_counts_through_its_source(checkout):
    checkout.commit("lib/base/old.h", text="int y;\n")
    assert choose(checkout.root, {}).files == ["lib/base/old.cc"]


def test_a_header_without_a_source_counts_through_the_first_that_includes_it(checkout):
    checkout.commit("ca/b.cc", "ca/c.cc", text='#include "base/alone.h"\n')
    checkout.commit("lib/base/alone.h", "lib/base/included_nowhere.h")
    assert choose(checkout.root, {}).files == ["ca/b.cc"]


@pytest.mark.parametrize("upstream", ["origin/main", "origin/HEAD"])
def test_a_branch_is_compared_with_where_it_left_the_upstream(checkout, upstream):
    checkout.git("checkout", "-q", "-b", "upstream")
    checkout.commit("ca/old.cc", text="int upstream;\n")
    checkout.git("update-ref", f"refs/remotes/{upstream}", "HEAD")
    checkout.git("checkout", "-q", "main")
    checkout.commit("ca/first.cc")
    checkout.commit("ca/second.cc")
    assert choose(checkout.root, {}).files == ["ca/first.cc", "ca/second.cc"]


def test_an_upstream_that_is_the_head_is_no_base(checkout):
    checkout.commit("ca/new.cc")
    checkout.git("update-ref", "refs/remotes/origin/main", "HEAD")
    assert choose(checkout.root, {}).files == ["ca/new.cc"]


def test_the_environment_names_another_base_or_everything(checkout):
    checkout.commit("ca/first.cc")
    checkout.commit("ca/second.cc")
    assert choose(checkout.root, {"WEFT_TIDY_BASE": "HEAD~2"}).files == ["ca/first.cc", "ca/second.cc"]
    assert choose(checkout.root, {"WEFT_TIDY_ALL": "1"}).files == ["ca/first.cc", "ca/old.cc", "ca/second.cc", "lib/base/old.cc"]
    with pytest.raises(RuntimeError, match="no commit"):
        choose(checkout.root, {"WEFT_TIDY_BASE": "nowhere"})


def test_a_run_is_bounded_and_says_so(checkout):
    checkout.commit(*(f"ca/{number:02}.cc" for number in range(FILES_MAX + 1)))
    choice = choose(checkout.root, {})
    assert choice.files == [f"ca/{number:02}.cc" for number in range(FILES_MAX)]
    assert f"{FILES_MAX + 1} files" in choice.why and f"only the first {FILES_MAX}" in choice.why
    assert len(choose(checkout.root, {"WEFT_TIDY_ALL": "1"}).files) == FILES_MAX + 3


def test_a_shallow_clone_is_checked_whole(checkout, tmp_path):
    checkout.commit("ca/new.cc")
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{checkout.root}", tmp_path / "shallow"], check=True)
    choice = choose(tmp_path / "shallow", {})
    assert choice.files == ["ca/new.cc", "ca/old.cc", "lib/base/old.cc"]
    assert "no earlier commit" in choice.why


def test_a_tree_without_git_says_so(tmp_path):
    choice = choose(tmp_path, {})
    assert choice.files == [] and "no git information" in choice.why


def test_a_broken_repository_is_an_error(tmp_path):
    (tmp_path / ".git").mkdir()
    with pytest.raises(RuntimeError, match="git ls-files"):
        choose(tmp_path, {})
